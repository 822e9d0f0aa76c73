"""Peak signal-to-noise ratio in dB, of pictures and of the mean squared errors of steps."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

_SMALLEST_ERROR = 1.0  # mean squared error of one level of 255 everywhere


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """PSNR in dB of two pictures of one shape; equal ones give 48.1.

    An error below one level, which nobody sees, counts as one. Otherwise a blank page gives 100 dB
    and loses 33 to one level in a hundredth of its values: two of eight pages would outweigh all
    text in their mean.
    """
    return decibels(float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)))


def decibels(error: float) -> float:
    """PSNR in dB of a mean squared error in levels of 255, bounded as in `psnr`."""
    return 10.0 * math.log10(255.0**2 / max(error, _SMALLEST_ERROR))


def psnr_sums(errors: Sequence[float], kinds: Sequence[str], names: Sequence[str]) -> list[float]:
    """Per name of a kind the sum of PSNR in dB, then per name the count of images.

    `errors` are the mean squared errors of images in [-1, 1], whose kinds are `kinds`. Sums of
    several ranks add up. A non-finite error counts as 0 dB.
    """
    sums = dict.fromkeys([*names, *kinds], 0.0)
    for error, kind in zip(errors, kinds, strict=True):
        sums[kind] += decibels(error * 127.5**2) if math.isfinite(error) else 0.0
    return [sums[name] for name in names] + [float(kinds.count(name)) for name in names]


def psnr_means(sums: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    """Mean PSNR in dB per name out of `psnr_sums`, without names that have no image."""
    pairs = zip(names, sums[: len(names)], sums[len(names) :], strict=True)
    return {name: total / count for name, total, count in pairs if count}
