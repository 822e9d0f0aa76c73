"""Which parts of a picture to look at: a constant number of tiles at full resolution.

A picture is as sharp as its sharpest parts and as noisy as its calm ones, so both kinds are wanted.
Looking at 24 tiles costs the same for every size of picture and says as much as all of them.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

TILE_PX = 64
BUSY, CALM = 14, 10
# Candidates along each side, spread evenly.
_GRID = 12
# Tiles start at multiples of the JPEG block, so that its grid has the same phase in all of them.
_BLOCK_PX = 8


def tiles(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Luma tiles, uint8[N, 64, 64], N <= 24, the busiest first.

    The 14 busiest of the candidates, then up to 10 spread evenly over the rest from busy to calm.
    A side below 64 px is mirrored up to 64.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    pad = [max(0, TILE_PX - side) for side in grey.shape]
    if any(pad):
        grey = cv2.copyMakeBorder(grey, 0, pad[0], 0, pad[1], cv2.BORDER_REFLECT)
    starts = [(y, x) for y in _starts(grey.shape[0]) for x in _starts(grey.shape[1])]
    every = np.stack([grey[y : y + TILE_PX, x : x + TILE_PX] for y, x in starts])
    # Every fourth row tells how busy a tile is.
    rows = every[:, ::4].astype(np.int16)
    activity = np.abs(np.diff(rows, axis=2)).mean(axis=(1, 2))
    order = np.argsort(-activity, kind="stable")
    rest = order[BUSY:]
    if len(rest) > CALM:
        rest = rest[np.linspace(0, len(rest) - 1, CALM).astype(int)]
    chosen: NDArray[np.uint8] = every[np.concatenate([order[:BUSY], rest])]
    return chosen


def _starts(side_px: int) -> list[int]:
    count = min(_GRID, 1 + (side_px - TILE_PX) // (TILE_PX // 2))
    places = np.linspace(0, side_px - TILE_PX, count) // _BLOCK_PX * _BLOCK_PX
    return sorted({int(place) for place in places})
