"""Where the detector looks: boxes around the squares in which the screen saw text."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import Polygons
from filters.text_density.screen import STRIDE_PX

# Left, top, right, bottom in px.
Box = tuple[int, int, int, int]

# What the detector sees around the squares.
MARGIN_PX = 16
# So many squares that no line covers are worth another look.
_UNCOVERED = 3


def around(squares: NDArray[np.bool_], left: int, top: int, size: tuple[int, int]) -> list[Box]:
    """Boxes with a margin around all squares of a block that begins at (left, top).

    They end with the picture, whose width and height is `size`. What overlaps becomes one box, so
    that no line is seen in two.
    """
    _, _, stats, _ = cv2.connectedComponentsWithStats(squares.astype(np.uint8), connectivity=8)
    boxes = []
    for x, y, width, height, _ in stats[1:].tolist():
        boxes.append(
            (
                max(0, left + x * STRIDE_PX - MARGIN_PX),
                max(0, top + y * STRIDE_PX - MARGIN_PX),
                min(size[0], left + (x + width) * STRIDE_PX + MARGIN_PX),
                min(size[1], top + (y + height) * STRIDE_PX + MARGIN_PX),
            )
        )
    return _merged(boxes)


def _merged(boxes: list[Box]) -> list[Box]:
    apart: list[Box] = []
    for box in boxes:
        # A box that has grown may meet others.
        while True:
            meets = [n for n, other in enumerate(apart) if _overlap(box, other)]
            if not meets:
                break
            for n in reversed(meets):
                other = apart.pop(n)
                low = (min(box[0], other[0]), min(box[1], other[1]))
                box = (*low, max(box[2], other[2]), max(box[3], other[3]))
        apart.append(box)
    return sorted(apart, key=lambda box: (box[1], box[0]))


def _overlap(one: Box, other: Box) -> bool:
    across = min(one[2], other[2]) > max(one[0], other[0])
    return across and min(one[3], other[3]) > max(one[1], other[1])


def uncovered(
    wanted: NDArray[np.bool_], lines: Polygons, start: tuple[int, int], size: tuple[int, ...]
) -> Box | None:
    """The box of the wanted squares that no line covers, with a margin; None if they are few.

    The part of the picture begins at `start` (x, y) and is `size` (height, width) px large.
    """
    x0, y0 = start
    bottom, right = y0 + size[0], x0 + size[1]
    rows = slice(y0 // STRIDE_PX, -(-bottom // STRIDE_PX))
    columns = slice(x0 // STRIDE_PX, -(-right // STRIDE_PX))
    squares = wanted[rows, columns].astype(np.uint8)
    origin = np.array([columns.start, rows.start], np.float32)
    for line in lines:
        corners = np.round(line / STRIDE_PX - origin - 0.5).astype(np.int32)
        cv2.fillConvexPoly(squares, corners, 0)
    # Edges of lines stick out by less than a square.
    alone = cv2.erode(squares, np.ones((1, 2), np.uint8)) | cv2.erode(
        squares, np.ones((2, 1), np.uint8)
    )
    if np.count_nonzero(alone) < _UNCOVERED:
        return None
    down, across = np.nonzero(alone)
    return (
        max(x0, int(columns.start + across.min() - 1) * STRIDE_PX - MARGIN_PX),
        max(y0, int(rows.start + down.min() - 1) * STRIDE_PX - MARGIN_PX),
        min(right, int(columns.start + across.max() + 1) * STRIDE_PX + MARGIN_PX),
        min(bottom, int(rows.start + down.max() + 1) * STRIDE_PX + MARGIN_PX),
    )
