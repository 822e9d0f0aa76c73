"""Totals of a whole from a sample of it, with intervals.

Each source is a stratum. Where its images can be numbered without reading them, it is a simple
random sample without replacement. Else files are drawn with replacement, with probability
proportional to their bytes, and images inside them: the estimator of Hansen and Hurwitz (1943),
whose variance shows in how far the drawn files differ, whatever goes on inside them.

Shares are given Wilson's interval with the effective size of the sample (Korn and Graubard, 1998),
which says something also where nothing was seen. The intervals hold together: with K of them each
has the level 1 - 0.05 / K.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.95
# Drawn images that a stratum borrows from those like it where its own are too alike to tell how
# far images differ.
_BORROWED = 2.0


@dataclass(frozen=True, kw_only=True)
class Draw:
    """A file that was drawn: how likely, how many images it holds, and which rows are its own."""

    probability: float
    count: int
    rows: list[int]


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """What was drawn of a source. `count` is None where only the drawn files were counted.

    Strata of one `like` differ in about the same way.
    """

    name: str
    like: str
    count: int | None
    draws: list[Draw] = field(default_factory=list)

    @property
    def rows(self) -> list[int]:
        return [row for draw in self.draws for row in draw.rows]

    def images(self) -> float:
        """How many images there are, counted or estimated."""
        if self.count is not None:
            return float(self.count)
        return float(np.mean([draw.count / draw.probability for draw in self.draws]))

    def images_variance(self) -> float:
        if self.count is not None or len(self.draws) < 2:
            return 0.0
        sizes = [draw.count / draw.probability for draw in self.draws]
        return float(np.var(sizes, ddof=1)) / len(sizes)


@dataclass(frozen=True, kw_only=True)
class Estimate:
    """A total, and between what it lies."""

    value: float
    low: float
    high: float

    def to_json(self) -> dict[str, float]:
        return {"value": self.value, "low": self.low, "high": self.high}

    def times(self, factor: float) -> Estimate:
        return Estimate(value=self.value * factor, low=self.low * factor, high=self.high * factor)


def images(strata: Sequence[Stratum], together: int) -> Estimate:
    """How many images there are in all."""
    value = sum(stratum.images() for stratum in strata)
    spread = sum(stratum.images_variance() for stratum in strata)
    freedom = sum(len(s.draws) - 1 for s in strata if s.count is None)
    half = quantile(together, freedom) * math.sqrt(spread) if spread else 0.0
    return Estimate(value=value, low=max(0.0, value - half), high=value + half)


def total(strata: Sequence[Stratum], y: NDArray[np.float64], together: int) -> Estimate:
    """The sum of `y` (float64[sample], one for each drawn image) over all images, 0 or more."""
    value, variance, freedom = _total(strata, y, shares=False)
    half = quantile(together, freedom) * math.sqrt(variance)
    return Estimate(value=value, low=max(0.0, value - half), high=value + half)


def alikeness(strata: Sequence[Stratum], marks: Sequence[NDArray[np.bool_]]) -> float:
    """How alike images of one file are: by how much the variance is larger than of single draws.

    The mean over what the sample was asked (`marks`, bool[sample] each), at least 1. One count
    tells this poorly from few files, many together do.
    """
    found = []
    for stratum in strata:
        if stratum.count is not None or len(stratum.draws) < 2:
            continue
        for y in marks:
            share = float(y[stratum.rows].mean()) if stratum.rows else 0.0
            if 0 < share < 1:
                alone = stratum.images() ** 2 * share * (1 - share) / len(stratum.rows)
                found.append(_between(stratum, y.astype(np.float64)) / alone)
    return max(1.0, float(np.mean(found))) if found else 1.0


def count(
    strata: Sequence[Stratum], y: NDArray[np.bool_], together: int, alike: float = 1.0
) -> Estimate:
    """How many of all images have what `y` (bool[sample]) says of the drawn ones.

    `alike` is what `alikeness` says of the sample.
    """
    whole = sum(stratum.images() for stratum in strata)
    value, variance, freedom = _total(strata, y.astype(np.float64), shares=True, alike=alike)
    share = min(1.0, value / whole)
    # As if all images were alike: the size of the sample for what it did not see.
    least = sum(_unseen(s, alike) for s in strata) / whole**2
    if least == 0 and variance == 0:
        return Estimate(value=value, low=value, high=value)
    single = share * (1 - share)
    seen = single > 0 and variance > 0
    one_of = variance / whole**2 / single if seen else least
    z = quantile(together, freedom if seen else sum(len(s.rows) for s in strata))
    low, high = _wilson(share, max(one_of, 1e-12), z)
    # What is not known of the number of images comes on top.
    doubt = share * z * math.sqrt(sum(s.images_variance() for s in strata)) if not seen else 0.0
    return Estimate(
        value=value,
        low=max(0.0, value - math.hypot(value - low * whole, doubt)),
        high=value + math.hypot(high * whole - value, doubt),
    )


def quantile(together: int, freedom: float) -> float:
    """Student's, two-sided, for one of `together` intervals that hold at once with 95 %."""
    z = NormalDist().inv_cdf(1 - (1 - LEVEL) / (2 * max(1, together)))
    v = max(1.0, freedom)
    # Abramowitz and Stegun 26.7.5.
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    third = (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384
    return z + first / v + second / v**2 + third / v**3


def _total(
    strata: Sequence[Stratum], y: NDArray[np.float64], *, shares: bool, alike: float = 1.0
) -> tuple[float, float, float]:
    """The total, its variance and its degrees of freedom (Satterthwaite)."""
    pools = _pools(strata, y)
    value = variance = squares = 0.0
    for stratum in strata:
        rows = stratum.rows
        if not rows:
            continue
        mine = y[rows]
        spread = _spread(mine, pools[stratum.like], shares)
        if stratum.count is not None:
            part = stratum.count * float(mine.mean())
            missed = 1 - len(rows) / stratum.count
            doubt = stratum.count**2 * missed * spread / len(rows)
            free = max(1, len(rows) - 1)
        else:
            part = float(np.mean(_sums(stratum, y)))
            single = stratum.images() ** 2 * spread / len(rows)
            doubt = max(_between(stratum, y), alike * single)
            free = max(1, len(rows) - 1 if shares else len(stratum.draws) - 1)
        value += part
        variance += doubt
        squares += doubt**2 / free
    return value, variance, variance**2 / squares if squares else 1.0


def _sums(stratum: Stratum, y: NDArray[np.float64]) -> list[float]:
    """The total as each drawn file alone would give it."""
    return [
        d.count * float(y[d.rows].mean()) / d.probability if d.rows else 0.0 for d in stratum.draws
    ]


def _between(stratum: Stratum, y: NDArray[np.float64]) -> float:
    sums = _sums(stratum, y)
    return float(np.var(sums, ddof=1)) / len(sums) if len(sums) > 1 else 0.0


def _pools(strata: Sequence[Stratum], y: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    return {
        like: y[[row for s in strata if s.like == like for row in s.rows]]
        for like in {s.like for s in strata}
    }


def _spread(mine: NDArray[np.float64], pool: NDArray[np.float64], shares: bool) -> float:
    """The variance of one image, its stratum's own with a little of all that are like it."""
    n = len(mine)
    if shares:
        share = (mine.sum() + _BORROWED * pool.mean()) / (n + _BORROWED)
        return float(share * (1 - share))
    own = float(mine.var(ddof=1)) if n > 1 else 0.0
    other = float(pool.var(ddof=1)) if len(pool) > 1 else 0.0
    return (own * (n - 1) + other * _BORROWED) / (n - 1 + _BORROWED)


def _unseen(stratum: Stratum, alike: float) -> float:
    seen = len(stratum.rows)
    if not seen:
        return 0.0
    if stratum.count is not None:
        return stratum.count**2 / seen * (1 - seen / stratum.count)
    return alike * stratum.images() ** 2 / seen


def _wilson(share: float, one_of: float, z: float) -> tuple[float, float]:
    """Between what a share lies that a sample of 1 / `one_of` images gave."""
    middle = share + z * z * one_of / 2
    half = z * math.sqrt(share * (1 - share) * one_of + (z * one_of / 2) ** 2)
    whole = 1 + z * z * one_of
    return max(0.0, (middle - half) / whole), min(1.0, (middle + half) / whole)
