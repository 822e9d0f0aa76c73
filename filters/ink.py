"""Ink: where a page is not all one colour."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# Raised when the same pixels would give other cells.
VERSION = "1"

CELL_PX = 32


def ink_cells(rgb: NDArray[np.uint8]) -> dict[str, Any]:
    """`ink_cells`: by how many levels of 0..255 the pixels of each 32 px cell differ at most.

    `rgb` is uint8[H, W, 3] of any size. Cells are row-major; those at the right and bottom edge
    hold what is left. The colour that differs most counts, so that red on green is ink.
    """
    height, width = rgb.shape[:2]
    rows, columns = -(-height // CELL_PX), -(-width // CELL_PX)
    # Repeating the last row and column adds no level.
    below, right = rows * CELL_PX - height, columns * CELL_PX - width
    whole = cv2.copyMakeBorder(rgb, 0, below, 0, right, cv2.BORDER_REPLICATE)
    strips = whole.reshape(rows, CELL_PX, columns * CELL_PX, 3)
    # Down the rows first, in the order of memory; what is left is small.
    high, low = (
        edge.reshape(rows, columns, CELL_PX, 3) for edge in (strips.max(axis=1), strips.min(axis=1))
    )
    levels = (high.max(axis=2) - low.min(axis=2)).max(axis=2)
    return {"ink_cells": levels.ravel().tolist()}
