"""LPIPS (Zhang et al. 2018, VGG-16 variant, version 0.1) from weights on this machine.

An implementation of our own, because the reference package imports torchvision, which must match
the exact version of torch. The linear weights (6 kB) come from the installed package `lpips`, the
trunk from a file that users download.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TRUNK_URL = "https://download.pytorch.org/models/vgg16-397923af.pth"
WAYS_OUT = f"download {TRUNK_URL} and give its path, or --lpips_weights none to train without LPIPS"
_STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))  # channels, convolutions
_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)


class Lpips(nn.Module):
    """Perceptual distance of float[B, 3, H, W] in [-1, 1]; H, W >= 16. Frozen."""

    shift: Tensor
    scale: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        self.linear = nn.ParameterList()
        width = 3
        for channels, count in _STAGES:
            convolutions = []
            for _ in range(count):
                convolutions += [nn.Conv2d(width, channels, 3, padding=1), nn.ReLU()]
                width = channels
            self.stages.append(nn.Sequential(*convolutions))
            self.linear.append(torch.full((channels,), 1.0 / channels))
        self.register_buffer("shift", torch.tensor(_SHIFT).view(1, 3, 1, 1))
        self.register_buffer("scale", torch.tensor(_SCALE).view(1, 3, 1, 1))
        self.requires_grad_(False)

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """The mean distance of `x` to the targets `y` over the batch, a scalar >= 0.

        Only `x` has a gradient: activations of the targets are not kept.
        """
        with torch.no_grad():
            targets = list(self._units(y))
        total = x.new_zeros(())
        for a, b, weight in zip(self._units(x), targets, self.linear, strict=True):
            total = total + ((a - b) ** 2 * weight.view(1, -1, 1, 1)).sum(dim=1).mean()
        return total

    def _units(self, x: Tensor) -> Iterator[Tensor]:
        """Per stage the activations, scaled to length 1 at each position."""
        h = (x - self.shift) / self.scale
        for number, stage in enumerate(self.stages):
            h = stage(F.max_pool2d(h, 2) if number else h)
            # The small constant lies inside the root, where its gradient stays finite at zero.
            yield h / torch.sqrt((h * h).sum(dim=1, keepdim=True) + 1e-20)


def load_lpips(trunk: str, linear: Path | None = None) -> Lpips:
    """LPIPS with the VGG-16 weights of the file `trunk`; ValueError says what to download."""
    if not Path(trunk).is_file():
        raise ValueError(f"lpips_weights: there is no file {trunk}: {WAYS_OUT}")
    model = Lpips()
    weights = torch.load(trunk, map_location="cpu", weights_only=True)
    heads = torch.load(linear or _linear_weights(), map_location="cpu", weights_only=True)
    convolutions = [m for m in model.stages.modules() if isinstance(m, nn.Conv2d)]
    numbers = sorted({int(k.split(".")[1]) for k in weights if k.startswith("features.")})
    if len(numbers) != len(convolutions):
        raise ValueError(
            f"lpips_weights: {trunk} holds {len(numbers)} feature layers, a VGG-16 has"
            f" {len(convolutions)}: download {TRUNK_URL}"
        )
    for convolution, number in zip(convolutions, numbers, strict=True):
        assert convolution.bias is not None
        convolution.weight.data.copy_(weights[f"features.{number}.weight"])
        convolution.bias.data.copy_(weights[f"features.{number}.bias"])
    for number, parameter in enumerate(model.linear):
        parameter.data.copy_(heads[f"lin{number}.model.1.weight"].flatten())
    return model.eval()


def _linear_weights() -> Path:
    # Only located, never imported: its import needs a torchvision that matches torch.
    spec = importlib.util.find_spec("lpips")
    if spec is None or spec.origin is None:
        raise ValueError("LPIPS needs the linear weights of `lpips`: pip install --no-deps lpips")
    return Path(spec.origin).parent / "weights" / "v0.1" / "vgg.pth"
