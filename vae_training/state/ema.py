"""Exponential moving average of the weights, which is validated and exported."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor


class Ema:
    """`averages` in float32, with the names and the sharding of the weights.

    The decay warms up, for the sake of short runs.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.averages = {name: p.detach().clone() for name, p in model.named_parameters()}

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Average in the weights after optimizer step `step`, counted from 0."""
        decay = min(self.decay, (1 + step) / (10 + step))
        averages = [_local(average) for average in self.averages.values()]
        torch._foreach_lerp_(averages, [_local(p) for p in model.parameters()], 1.0 - decay)

    @torch.no_grad()
    def write_to(self, model: nn.Module) -> None:
        """Copy the averages into the unsharded `model`; called by all ranks together."""
        for name, weight in model.named_parameters():
            average = self.averages[name]
            weight.copy_(average.full_tensor() if isinstance(average, DTensor) else average)


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
