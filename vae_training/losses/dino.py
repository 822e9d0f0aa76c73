"""Frozen DINOv2 features of one middle layer, on the grid of the latents.

The report finds one middle layer of DINOv2 best among vision encoders and layers, and does not
say which. Our choice is half depth, unless a setting says otherwise, and the final LayerNorm of the
model on top, as DINOv2 hands out its own middle layers: without it a few channels of large
activations decide every cosine.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WAYS_OUT = (
    "download the folder of a DINOv2 model (for example facebook/dinov2-large from the Hugging Face"
    " hub) and give its path, or --dino none to train without alignment"
)
_MEAN = (0.485, 0.456, 0.406)
_STD = (0.229, 0.224, 0.225)
_PX_PER_PATCH = 16  # of the original image: 256 px -> 16 patches, that is 224 px for DINOv2


class Features(nn.Module):
    """Image float[B, 3, H, W] in [-1, 1] -> features float[B, N, width], N = grid positions.

    Layers of `model` behind `layer`, counted from 1, are cut off. On a GPU it runs in bf16.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, model: Any, layer: int) -> None:
        super().__init__()
        model.encoder.layer = model.encoder.layer[:layer]
        self.model: nn.Module = model.eval().requires_grad_(False)
        self.layer = layer
        self.width: int = model.config.hidden_size
        self.patch: int = model.config.patch_size
        self.register_buffer("mean", torch.tensor(_MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(_STD).view(1, 3, 1, 1))

    @torch.no_grad()
    def forward(self, x: Tensor, grid: tuple[int, int]) -> Tensor:
        """Features on `grid`, the latent's (h, w), without gradient.

        The vision model sees one patch per 16 px of the image at every f, and its features are
        averaged down to the grid: at f = 32 an image of half the size would lose it much detail.
        """
        rows, columns = x.shape[2] // _PX_PER_PATCH, x.shape[3] // _PX_PER_PATCH
        size = (rows * self.patch, columns * self.patch)
        seen = F.interpolate(x, size=size, mode="bicubic", antialias=True)
        seen = ((seen + 1.0) / 2.0 - self.mean) / self.std
        with torch.autocast(x.device.type, dtype=torch.bfloat16, enabled=x.is_cuda):
            hidden = self.model(seen).last_hidden_state.to(x.dtype)
        patches = hidden[:, -rows * columns :]  # without class and register tokens
        plane = patches.transpose(1, 2).reshape(len(x), self.width, rows, columns)
        return F.adaptive_avg_pool2d(plane, grid).flatten(2).transpose(1, 2)


def load_features(folder: str, layer: int | None) -> Features:
    """DINOv2 as `transformers` saves it; ValueError says what to download when it is not there."""
    if not (Path(folder) / "config.json").is_file():
        raise ValueError(f"dino: {folder} holds no config.json: {WAYS_OUT}")
    model = _auto_model().from_pretrained(folder, local_files_only=True)
    layers = model.config.num_hidden_layers
    chosen = layers // 2 if layer is None else layer
    if not 1 <= chosen <= layers:
        raise ValueError(f"dino_layer: {folder} has layers 1 to {layers}; got {chosen}")
    if not hasattr(getattr(model, "encoder", None), "layer") or not hasattr(model, "layernorm"):
        raise ValueError(
            f"dino: {folder} holds a {type(model).__name__}, whose layers cannot be cut: give the"
            " folder of a DINOv2 model"
        )
    return Features(model, chosen)


def _auto_model() -> Any:
    try:
        from transformers import AutoModel
    except ImportError:
        raise ValueError("alignment needs transformers: pip install 'vae-corpus[train]'") from None
    return AutoModel
