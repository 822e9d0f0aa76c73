"""LPIPS and DINOv2-L of the right shapes, with random weights: nothing has to be downloaded."""

from __future__ import annotations

import copy
import functools
from typing import Any

import torch
from torch import Tensor, nn

from benchmarks.gpu.plan import Setup
from vae_training.losses.dino import Features
from vae_training.losses.lpips import Lpips

LARGEST_WEIGHT = 1e4  # of an adaptive alignment
_LARGE = {"hidden_size": 1024, "num_hidden_layers": 24, "num_attention_heads": 16}
_SMALL = {"hidden_size": 32, "num_hidden_layers": 4, "num_attention_heads": 2}  # without a GPU


class Half(nn.Module):
    """A judge that computes in bf16, in spite of the loss around it."""

    def __init__(self, judge: Any, device: str) -> None:
        super().__init__()
        self.judge, self.device = judge, device

    def forward(self, *given: Any) -> Tensor:
        with torch.autocast(self.device, dtype=torch.bfloat16):
            result: Tensor = self.judge(*given)
        return result.float()


def lpips(setup: Setup, device: str) -> Any:
    judge = copy.deepcopy(_drawn()).to(device)
    return Half(judge, device) if setup.half_judges else judge


@functools.cache
def _drawn() -> Lpips:
    """On the CPU, once for all cells: to draw it takes longer than many a cell."""
    judge = Lpips()
    for module in judge.modules():  # weights that neither die out nor explode
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight)
    return judge


def features(setup: Setup, device: str) -> Features:
    """The middle layer of DINOv2, or the last one where it is not cut; without transformers
    ImportError."""
    from transformers import Dinov2Config, Dinov2Model

    sizes: dict[str, Any] = _LARGE if device == "cuda" else _SMALL
    with torch.device(device):
        model = Dinov2Model(Dinov2Config(image_size=518, patch_size=14, **sizes))
    layers = sizes["num_hidden_layers"]
    return Features(model, layers // 2 if setup.short_dino else layers).to(device)
