"""The first step of text density: where could there be text? Cheap, and careful not to lose any.

Letters are strokes: within a few pixels it gets both brighter and darker, along rows and along
columns. Sky, skin, fog, walls and what is out of focus lack that. Leaves and grass have it and go
on to the detector: the screen is set to keep text over photographs, not to be clever.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import Rgb

# Raised when the same pixels would give other candidates.
VERSION = "2"

# How far apart, in px, the two sides of a stroke may be, and the patch over which they are counted.
_REACH_PX, _PATCH_PX = 9, 32
# Mean grey levels of rise and fall in the busiest patch. Measured on text of 6 to 20 px over
# photographs: 7 keeps .995 of the cells with text and sends on .59 of those without.
_MIN_STROKES = 7.0


def candidates(rgb: Rgb, cell_px: int) -> NDArray[np.bool_]:
    """Cells where text is possible, bool[ceil(H / cell_px), ceil(W / cell_px)].

    `cell_px` is a multiple of 32.
    """
    rows = range(0, rgb.shape[0], cell_px)
    # Row by row of cells: memory does not grow with the height of the picture.
    return np.stack([_strip(rgb[y : y + cell_px], cell_px) for y in rows])


def _strip(rgb: Rgb, cell_px: int) -> NDArray[np.bool_]:
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    # Mirrored, a cell that the edge cuts off is as busy as what is left of it.
    pad = [-side % cell_px for side in grey.shape]
    grey = cv2.copyMakeBorder(grey, 0, pad[0], 0, pad[1], cv2.BORDER_REFLECT)
    strokes = cv2.min(_strokes(grey), cv2.transpose(_strokes(cv2.transpose(grey))))
    columns = grey.shape[1] // cell_px
    per_cell = cell_px // _PATCH_PX
    patches = cv2.resize(
        strokes.astype(np.float32),
        (columns * per_cell, per_cell),
        interpolation=cv2.INTER_AREA,
    )
    busiest: NDArray[np.float32] = patches.reshape(per_cell, columns, per_cell).max(axis=(0, 2))
    return busiest >= _MIN_STROKES


def _strokes(grey: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The lesser of the steepest rise and the steepest fall within reach along the row."""
    reach = np.ones((3, _REACH_PX), np.uint8)
    ahead = cv2.copyMakeBorder(grey[:, 2:], 0, 0, 0, 2, cv2.BORDER_REPLICATE)
    rise = cv2.dilate(cv2.subtract(ahead, grey), reach)
    fall = cv2.dilate(cv2.subtract(grey, ahead), reach)
    strokes: NDArray[np.uint8] = cv2.min(rise, fall)
    return strokes
