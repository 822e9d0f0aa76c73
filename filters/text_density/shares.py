"""Figures over characters and where they stand, shared by what is estimated and what is known."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

CELL_PX = 256
# Characters are laid into bins of this side, and windows of 256 px slide over them.
BIN_PX = 64
# Shares of Han characters up to which a picture counts as latin, and from which as han. Those that
# are all Han are estimated lower, never higher.
_LATIN_SHARE, _HAN_SHARE = 0.15, 0.8


def fullest_window(bins: NDArray[np.float64]) -> float:
    """The most characters in 256 x 256 px; `bins` float64[rows, columns] of 64 px."""
    size = CELL_PX // BIN_PX
    window = (min(size, bins.shape[0]), min(size, bins.shape[1]))
    views = np.lib.stride_tricks.sliding_window_view(bins, window)
    return float(views.sum(axis=(2, 3)).max())


def quantile(values: ArrayLike, weights: ArrayLike, share: float) -> float:
    """The value that `share` of the weight lies at or below; 0 where there is no weight."""
    values, weights = np.asarray(values, np.float64), np.asarray(weights, np.float64)
    if not weights.sum():
        return 0.0
    order = np.argsort(values, kind="stable")
    below = np.cumsum(weights[order])
    at = int(np.searchsorted(below, share * below[-1]))
    return float(values[order][min(at, len(order) - 1)])


def script_of(han: float, chars: float) -> str | None:
    """`latin`, `han` or `mixed` by the part of `chars` that are Han; None without any."""
    if chars == 0:
        return None
    share = han / chars
    if share >= _HAN_SHARE:
        return "han"
    return "latin" if share <= _LATIN_SHARE else "mixed"
