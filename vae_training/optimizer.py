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
    """AdamW over all trained weights; without weight decay for norms and biases.

    Weights of a group have one share of the learning rate, see `set_rate`.
    """
    trained = [p for p in module.parameters() if p.requires_grad]
    alike: dict[tuple[bool, float], list[Tensor]] = {(False, 1.0): [], (True, 1.0): []}
    for p in trained:
        alike.setdefault((_vector(p), _share(p, settings.lr_fan_in)), []).append(p)
    groups = [
        {"params": weights, "weight_decay": 0.0 if vectors else settings.weight_decay}
        for (vectors, _), weights in alike.items()
        if weights
    ]
    fused = trained[0].device.type == "cuda"
    return torch.optim.AdamW(groups, lr=settings.lr, betas=_BETAS, fused=fused)


def set_rate(optimizer: torch.optim.Optimizer, lr: float, settings: TrainSettings) -> None:
    """Give each weight `lr`; a kernel of more than `lr_fan_in` inputs `lr * lr_fan_in / inputs`.

    A step of Adam moves all weights equally far, so an output that sums up n of them moves n times
    as far. With this rule one learning rate serves a model at any width (Yang et al. 2022, "Tensor
    Programs V", Table 3). 0: all weights get `lr`. Weight decay is that of `settings` too: a
    checkpoint brings its own along.
    """
    for group in optimizer.param_groups:
        weight = group["params"][0]
        group["lr"] = lr * _share(weight, settings.lr_fan_in)
        group["weight_decay"] = 0.0 if _vector(weight) else settings.weight_decay


def _share(weight: Tensor, fan_in: int) -> float:
    if not fan_in or _vector(weight):
        return 1.0
    # Kernels over time see an image in one of their slices.
    sides = weight.shape[-2:] if weight.ndim == 5 else weight.shape[2:]
    return min(1.0, fan_in / (weight.shape[1] * math.prod(sides)))


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
