"""AdamW, Muon for the projections of linear skips, and the schedule of their learning rates.

Image blocks have a spectrum that falls by orders of magnitude, so AdamW learns the few strongest
directions of a linear map between them and hardly the others: after 600 steps text has gained 0.1
dB of the 4 dB that the best map has. Muon (Jordan et al. 2024) makes all singular values of a step
equal, and gets there. Its learning rate is the largest change of the gain of such a map in a step,
for all f alike.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from vae_training.model.skip import Projection

if TYPE_CHECKING:
    from vae_training.config import TrainSettings

_BETAS = (0.9, 0.95)  # our choice: the report does not say
_FINAL_SHARE = 0.05  # of the learning rate, at the end of a cosine


class Optimizers:
    """AdamW over all trained weights but projections, which Muon has; some models have none.

    No weight decay for norms and biases.
    """

    def __init__(self, module: nn.Module, settings: TrainSettings) -> None:
        projections = [m.weight for m in module.modules() if isinstance(m, Projection)]
        projections = [weight for weight in projections if weight.requires_grad]
        theirs = {id(weight) for weight in projections}
        others = [p for p in module.parameters() if p.requires_grad and id(p) not in theirs]
        decay = settings.weight_decay
        groups = [
            {"params": [p for p in others if not _vector(p)], "weight_decay": decay},
            {"params": [p for p in others if _vector(p)], "weight_decay": 0.0},
        ]
        fused = others[0].device.type == "cuda"
        self.all: list[torch.optim.Optimizer] = [
            torch.optim.AdamW(groups, lr=settings.lr, betas=_BETAS, fused=fused)
        ]
        self._ratio = settings.projection_lr
        if projections:
            self.all.append(torch.optim.Muon(projections, weight_decay=decay))
        self.set_rate(settings.lr)

    def set_rate(self, lr: float) -> None:
        """The learning rate of AdamW; that of Muon is `projection_lr` times as high."""
        for optimizer, ratio in zip(self.all, (1.0, self._ratio), strict=False):
            for group in optimizer.param_groups:
                group["lr"] = lr * ratio

    def step(self) -> None:
        for optimizer in self.all:
            optimizer.step()

    def zero_grad(self) -> None:
        for optimizer in self.all:
            optimizer.zero_grad(set_to_none=True)


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
