"""The detector's map of a whole picture, put together from windows of bounded size.

Lines are cut out of the whole map afterwards, so no line counts twice, none is cut at the border of
a window, and memory for the network stays bounded however large the picture is. Both engines look
through the same windows: what a network sees around a line moves its ends by a pixel or so, and
that can change a letter.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import Rgb

# A window and what it sees beyond its edges. Larger windows spend less on margins, but more per
# pixel, because their maps leave the processor's cache.
WINDOW_PX, MARGIN_PX = 512, 64
# The detector's strides need sides that are multiples of this.
STRIDE_PX = 32

Map = NDArray[np.float32]


def probability_map(rgb: Rgb, run: Callable[[Rgb], Map]) -> Map:
    """How likely each pixel of uint8[H, W, 3] is inside a line, float32[H, W] in [0, 1].

    `run` gives the map of one window; its sides are multiples of `STRIDE_PX`.
    """
    height, width = rgb.shape[:2]
    whole: Map = np.empty((height, width), np.float32)
    for y in range(0, height, WINDOW_PX):
        for x in range(0, width, WINDOW_PX):
            right, bottom = min(x + WINDOW_PX, width), min(y + WINDOW_PX, height)
            left, top = max(x - MARGIN_PX, 0), max(y - MARGIN_PX, 0)
            seen = rgb[top : bottom + MARGIN_PX, left : right + MARGIN_PX]
            pad = [-side % STRIDE_PX for side in seen.shape[:2]]
            found = run(cv2.copyMakeBorder(seen, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE))
            whole[y:bottom, x:right] = found[y - top : bottom - top, x - left : right - left]
    return whole
