"""Which parts of a picture to look at: a constant number of tiles at full resolution.

A picture is as sharp as its sharpest parts and as noisy as its calm ones, so both kinds are wanted.
Looking at 24 tiles costs the same for every size of picture and says as much as all of them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from filters.compiled import EXACT

TILE_PX = 64
BUSY, CALM = 14, 10
# Candidates along each side: they do not overlap, and 12 spread evenly are enough.
_GRID = 12
# Tiles start at multiples of the JPEG block, so that its grid has the same phase in all of them.
_BLOCK_PX = 8
# Every fourth row tells how busy a tile is.
_EVERY = 4
# A prime above the number of candidates, and a step that goes through all numbers below it.
_PRIME, _JUMP = 151, 64


def tiles(luma: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Tiles of uint8[H, W]: float32[N, 64, 64] of whole numbers, N <= 24, the busiest first.

    The 14 busiest of the candidates, then up to 10 spread evenly over the rest from busy to calm.
    A side below 64 px is mirrored up to 64.
    """
    pad = [max(0, TILE_PX - side) for side in luma.shape]
    if any(pad):
        luma = cv2.copyMakeBorder(luma, 0, pad[0], 0, pad[1], cv2.BORDER_REFLECT)
    found: NDArray[np.float32] = _chosen(np.ascontiguousarray(luma))
    return found


@njit(**EXACT)
def _chosen(luma):  # type: ignore[no-untyped-def]
    ys, xs = _starts(luma.shape[0]), _starts(luma.shape[1])
    rank = np.empty(len(ys) * len(xs), np.int64)
    for a in range(len(ys)):
        for b in range(len(xs)):
            total = 0
            for i in range(0, TILE_PX, _EVERY):
                row = luma[ys[a] + i, xs[b] : xs[b] + TILE_PX]
                for j in range(TILE_PX - 1):
                    total += int(abs(np.int32(row[j + 1]) - np.int32(row[j])))
            # Half octaves, because a rounding error here and there must not decide which tiles are
            # looked at; among equals a fixed order that jumps about the picture.
            n = a * len(xs) + b
            rank[n] = -int(2 * np.log2(total + 1)) * _PRIME + n * _JUMP % _PRIME
    order = np.argsort(rank)
    rest = max(0, len(order) - BUSY)
    calm = min(rest, CALM)
    chosen = np.empty((min(len(order), BUSY) + calm, TILE_PX, TILE_PX), np.float32)
    for n in range(len(chosen)):
        place = n if n < BUSY else BUSY + (n - BUSY) * (rest - 1) // max(1, calm - 1)
        y, x = ys[order[place] // len(xs)], xs[order[place] % len(xs)]
        for i in range(TILE_PX):
            for j in range(TILE_PX):
                chosen[n, i, j] = luma[y + i, x + j]
    return chosen


@njit(**EXACT)
def _starts(side_px):  # type: ignore[no-untyped-def]
    count = min(_GRID, side_px // TILE_PX)
    starts = np.zeros(count, np.int64)
    for n in range(1, count):
        starts[n] = (side_px - TILE_PX) * n // (count - 1) // _BLOCK_PX * _BLOCK_PX
    return starts
