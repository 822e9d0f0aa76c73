"""Peak signal-to-noise ratio in dB, of pictures and of the mean squared errors of steps.

A picture without any error has infinite PSNR, and so would every mean with it. Means are therefore
over the pictures that differ, and how many are exact is told beside them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def psnr(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """PSNR in dB of two pictures of one shape, without a bound; equal ones give infinity."""
    return decibels(float(np.mean((a.astype(np.float64) - b.astype(np.float64)) ** 2)))


def decibels(error: float) -> float:
    """PSNR in dB of a mean squared error in levels of 255; infinity for none."""
    return 10.0 * math.log10(255.0**2 / error) if error > 0 else math.inf


def mean_psnr(values: Sequence[float]) -> float:
    """Mean in dB over the pictures that differ; infinity when none does. ValueError for none."""
    if not values:
        raise ValueError("there is no mean of no pictures")
    finite = [value for value in values if math.isfinite(value)]
    return float(np.mean(finite)) if finite else math.inf


def exact(values: Sequence[float]) -> int:
    """How many pictures have no error."""
    return sum(value == math.inf for value in values)


def told(mean: float | None, exact: int, count: int) -> str:
    """A mean over `count` pictures for people: `31.20`, `31.20 (2 of 8 exact)`, `8 of 8 exact`.

    None, as JSON has it, stands for infinity.
    """
    share = f"{exact} of {count} exact"
    if mean is None or math.isinf(mean):
        return share
    return f"{mean:.2f} ({share})" if exact else f"{mean:.2f}"


def psnr_sums(errors: Sequence[float], kinds: Sequence[str], names: Sequence[str]) -> list[float]:
    """Per name of a kind the sum of PSNR in dB, then per name the count of images that differ.

    `errors` are the mean squared errors of images in [-1, 1], whose kinds are `kinds`. Sums of
    several ranks add up. A non-finite error counts as 0 dB; images without error are left out.
    """
    sums, counts = (dict.fromkeys([*names, *kinds], 0.0) for _ in range(2))
    for error, kind in zip(errors, kinds, strict=True):
        value = decibels(error * 127.5**2) if math.isfinite(error) else 0.0
        if math.isfinite(value):
            sums[kind] += value
            counts[kind] += 1
    return [sums[name] for name in names] + [counts[name] for name in names]


def psnr_means(sums: Sequence[float], names: Sequence[str]) -> dict[str, float]:
    """Mean PSNR in dB per name out of `psnr_sums`, without names that have no image in them."""
    pairs = zip(names, sums[: len(names)], sums[len(names) :], strict=True)
    return {name: total / count for name, total, count in pairs if count}
