"""An exponential moving average of the weights: what is validated and shipped."""

from __future__ import annotations

import copy

import torch
from torch import nn


class Ema:
    """`model` holds the average, in float32. The decay warms up, so short runs are usable too."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = copy.deepcopy(model).eval().requires_grad_(False)
        self.decay = decay

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after optimizer step number `step` (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages, current = list(self.model.parameters()), list(model.parameters())
        torch._foreach_lerp_(averages, current, 1.0 - decay)
