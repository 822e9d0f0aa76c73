"""Mean and standard deviation of channels over more values than fit in memory, in float64."""

from __future__ import annotations

import torch
from torch import Tensor

from vae_training.distributed import Ranks

_SMALLEST_VARIANCE = 1e-12  # of a channel that is constant: people divide by its deviation


class Moments:
    """Count, mean and sum of squared deviations per channel, merged part by part.

    As Chan, Golub and LeVeque do (1979, "Updating formulae"): no difference of large sums is taken,
    so a mean far from zero costs no digits of the deviation.
    """

    def __init__(self, channels: int) -> None:
        self._count = 0
        self._mean = torch.zeros(channels, dtype=torch.float64)
        self._squares = torch.zeros(channels, dtype=torch.float64)

    def add(self, z: Tensor) -> None:
        """Count in all positions of float[B, C, H, W]."""
        flat = z.double().cpu().transpose(0, 1).flatten(1)
        count, mean = flat.shape[1], flat.mean(dim=1)
        squares = (flat - mean[:, None]).square().sum(dim=1)
        total, shift = self._count + count, mean - self._mean
        self._mean = self._mean + shift * (count / total)
        self._squares = self._squares + squares + shift.square() * (self._count * count / total)
        self._count = total

    def over(self, ranks: Ranks) -> tuple[list[float], list[float]]:
        """Mean and standard deviation per channel over all ranks, which call this together.

        ValueError when there are no values.
        """
        sums = (self._mean * self._count).tolist()
        count, *sums = ranks.sums([float(self._count), *sums])
        if not count:
            raise ValueError("there is no mean of no values")
        mean = torch.tensor(sums, dtype=torch.float64) / count
        squares = self._squares + (self._mean - mean).square() * self._count
        variance = torch.tensor(ranks.sums(squares.tolist()), dtype=torch.float64) / count
        return mean.tolist(), variance.clamp(min=_SMALLEST_VARIANCE).sqrt().tolist()
