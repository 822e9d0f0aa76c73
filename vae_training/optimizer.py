"""AdamW and its learning rate schedule."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

if TYPE_CHECKING:
    from vae_training.config import TrainSettings

_BETAS = (0.9, 0.95)  # our choice: the report does not say
_FINAL_SHARE = 0.05  # of the learning rate, at the end of a cosine


def make_optimizer(module: nn.Module, settings: TrainSettings) -> torch.optim.AdamW:
    """AdamW over all trained weights; without weight decay for norms and biases."""
    trained = [p for p in module.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if not _vector(p)], "weight_decay": settings.weight_decay},
        {"params": [p for p in trained if _vector(p)], "weight_decay": 0.0},
    ]
    fused = trained[0].device.type == "cuda"
    return torch.optim.AdamW(groups, lr=settings.lr, betas=_BETAS, fused=fused)


def _vector(weight: Tensor) -> bool:
    """Norms and biases are; some classes keep them as [C, 1, 1]."""
    return sum(side > 1 for side in weight.shape) <= 1


def rate(settings: TrainSettings, step: int, total: int) -> float:
    """The learning rate of `step`: a linear warm-up, then cosine down to 5 %, or constant."""
    peak = settings.lr
    warmup = min(settings.warmup_steps, total // 10)
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    if settings.schedule == "constant":
        return peak
    progress = (step - warmup) / max(1, total - warmup)
    return peak * (_FINAL_SHARE + (1.0 - _FINAL_SHARE) * 0.5 * (1.0 + math.cos(math.pi * progress)))
