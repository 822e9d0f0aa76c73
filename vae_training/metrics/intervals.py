"""How sure a mean over pictures is: bootstrap intervals, and differences on the same pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vae_corpus.seeds import generator

RESAMPLES = 2000
_TAIL_PERCENT = 2.5


@dataclass(frozen=True, kw_only=True)
class Interval:
    """A mean over `pictures`, and the 2.5 and 97.5 percentiles of its bootstrap resamples."""

    mean: float
    low: float
    high: float
    pictures: int


def mean_interval(values: Sequence[float], *, seed: int = 0) -> Interval | None:
    """The mean of the finite values with its 95 % interval; None when there are none.

    Percentile bootstrap over pictures (Efron 1979), the same for the same values. Infinite PSNR is
    left out, to be counted beside the mean.
    """
    finite = np.array([v for v in values if math.isfinite(v)], np.float64)
    if not len(finite):
        return None
    rng = generator(seed, "bootstrap", len(finite))
    low, high = np.percentile(_means(finite, rng), [_TAIL_PERCENT, 100 - _TAIL_PERCENT])
    return Interval(
        mean=float(finite.mean()), low=float(low), high=float(high), pictures=len(finite)
    )


def clustered_interval(
    values: Sequence[float], clusters: Sequence[str], *, seed: int = 0
) -> Interval | None:
    """As `mean_interval` over parts of pictures: whole `clusters` are drawn, one per picture.

    Lines of one page are alike, so that as many of as many pages tell more. `pictures` of the
    result counts clusters.
    """
    pairs = [(v, c) for v, c in zip(values, clusters, strict=True) if math.isfinite(v)]
    if not pairs:
        return None
    names = {name: n for n, name in enumerate(dict.fromkeys(c for _, c in pairs))}
    numbers = np.array([names[c] for _, c in pairs])
    finite = np.array([v for v, _ in pairs], np.float64)
    sums, counts = np.bincount(numbers, finite), np.bincount(numbers)
    rng = generator(seed, "bootstrap", len(names))
    drawn = rng.integers(0, len(names), (RESAMPLES, len(names)))
    means = sums[drawn].sum(axis=1) / counts[drawn].sum(axis=1)
    low, high = np.percentile(means, [_TAIL_PERCENT, 100 - _TAIL_PERCENT])
    return Interval(
        mean=float(finite.mean()), low=float(low), high=float(high), pictures=len(names)
    )


def paired_difference(a: Sequence[float], b: Sequence[float], *, seed: int = 0) -> Interval | None:
    """The mean of a - b over pictures that have both, with its 95 % interval; None without any.

    Much narrower than the two intervals suggest: which pictures are hard is taken out.
    """
    return mean_interval([x - y for x, y in zip(a, b, strict=True)], seed=seed)


def _means(values: NDArray[np.float64], rng: np.random.Generator) -> NDArray[np.float64]:
    count = len(values)
    return np.array(
        [values[rng.integers(0, count, count)].mean() for _ in range(RESAMPLES)], np.float64
    )
