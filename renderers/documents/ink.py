"""Which characters show in the pixels of a page."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from renderers.exact import EXACT

# Levels of 0..255 by which pixels in and around a character's box differ at least.
_LEAST_LEVELS = 16


def shown(rgb: NDArray[np.uint8], boxes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """bool[N]: in which `boxes` float32[N, 4] (px) the pixels of uint8[H, W, 3] are not all one.

    A pixel around each box is looked at too. False for a box without area, or off the page.
    """
    visible: NDArray[np.bool_] = _shown(rgb, boxes.astype(np.float64), _LEAST_LEVELS)
    return visible


@njit(**EXACT)
def _shown(rgb, boxes, least):  # type: ignore[no-untyped-def]
    height, width = rgb.shape[:2]
    found = np.zeros(len(boxes), np.bool_)
    for n in range(len(boxes)):
        if not (boxes[n, 2] > boxes[n, 0] and boxes[n, 3] > boxes[n, 1]):
            continue
        x0 = max(0, int(np.floor(max(boxes[n, 0], 0.0))) - 1)
        y0 = max(0, int(np.floor(max(boxes[n, 1], 0.0))) - 1)
        x1 = min(width, int(np.ceil(min(boxes[n, 2], float(width)))) + 1)
        y1 = min(height, int(np.ceil(min(boxes[n, 3], float(height)))) + 1)
        if boxes[n, 0] >= width or boxes[n, 1] >= height or boxes[n, 2] <= 0 or boxes[n, 3] <= 0:
            continue
        for channel in range(3):
            low, high = 255, 0
            for y in range(y0, y1):
                for x in range(x0, x1):
                    value = rgb[y, x, channel]
                    low, high = min(low, value), max(high, value)
            if high - low >= least:
                found[n] = True
                break
    return found
