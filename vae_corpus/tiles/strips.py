"""Lay strips of one size along a side of an image: where they hold most text and cut least."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vae_corpus import numba_cache

# Sums are added in the order that is written: the same tiles on every machine.
_EXACT: dict[str, Any] = {
    "cache": numba_cache.ready(Path(__file__).parent),
    "nogil": True,
    "error_model": "numpy",
}


def place_strips(
    total: int,
    size: int,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    chars: NDArray[np.float64],
    cut: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Where strips of `size` px begin in a side of `total` px, in order; none where no text is.

    Each line lies from `start` to `stop` px, has `chars` characters, spread evenly, and costs `cut`
    where an edge of a strip goes through it (a part of it, where an edge comes within 3 px). The
    strips are those whose characters less costs are the most in all: found by dynamic programming
    over every px. Strips may overlap by up to half, but characters count in one of them only. What
    stands alone comes to the middle.
    """
    start = np.clip(np.floor(start), 0, total).astype(np.int64)
    stop = np.clip(np.ceil(stop), 0, total).astype(np.int64)
    held = stop > start
    places: NDArray[np.int64] = _place(total, size, start[held], stop[held], chars[held], cut[held])
    return places


# What an edge costs that comes near to a line, as a share of one that goes through it, and how much
# of a character is lost where characters stand aside by all of the size.
_NEAR_PX, _NEAR_SHARE, _ASIDE_COST = 3, 0.3, 0.05
# What a character in two strips costs: it counts once, and others would have been better.
_TWICE_COST = 1.3


@njit(**_EXACT)
def _place(total, size, start, stop, chars, cut):  # type: ignore[no-untyped-def]
    # Characters before each px, and what an edge before it costs.
    before = np.zeros(total + 1)
    cost = np.zeros(total + 1)
    for n in range(len(start)):
        each = chars[n] / (stop[n] - start[n])
        for px in range(start[n] + 1, stop[n] + 1):
            before[px] += each
        for px in range(start[n] + 1, stop[n]):
            cost[px] += cut[n]
        for away in range(_NEAR_PX):
            near = cut[n] * _NEAR_SHARE * (1 - away / _NEAR_PX)
            cost[max(0, start[n] - away)] += near
            cost[min(total, stop[n] + away)] += near
    # The first moment tells where the characters of a strip have their middle.
    moment = np.zeros(total + 1)
    for px in range(1, total + 1):
        moment[px] = moment[px - 1] + before[px] * (px - 0.5)
        before[px] += before[px - 1]
    # An edge of the image cuts nothing that a strip could keep whole.
    cost[0], cost[total] = 0.0, 0.0
    places = total - size + 1
    best = np.zeros(places)
    came = np.full(places, -1, np.int64)
    # The best of all strips that end where the next may begin.
    apart, apart_at = 0.0, -1
    for at in range(places):
        if at >= size and best[at - size] > apart:
            apart, apart_at = best[at - size], at - size
        own = before[at + size] - before[at]
        aside = abs(moment[at + size] - moment[at] - own * (at + size / 2)) / size
        own -= cost[at] + cost[at + size] + _ASIDE_COST * aside
        best[at], came[at] = apart + own, apart_at
        for other in range(max(0, at - size + 1), at - size // 2 + 1):
            twice = before[other + size] - before[at]
            value = best[other] + own - _TWICE_COST * twice
            if value > best[at] + 1e-9:
                best[at], came[at] = value, other
    last, most = -1, 0.0
    for at in range(places):
        if best[at] > most + 1e-9:
            last, most = at, best[at]
    count, at = 0, last
    while at >= 0:
        count += 1
        at = came[at]
    found = np.empty(count, np.int64)
    at = last
    while at >= 0:
        count -= 1
        found[count] = at
        at = came[at]
    return found
