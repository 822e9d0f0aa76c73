"""Contact sheets: rendered pages side by side, each again with its character boxes drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np

from renderers.arrays import Picture

_LINE, _BOX, _GAP = (230, 30, 30), (20, 110, 240), 8
_ZOOM = 2


def with_boxes(page: Picture, labels: dict[str, Any]) -> Picture:
    """`page` at twice the size, with a blue box around every character and a red one per line."""
    big = np.repeat(np.repeat(page, _ZOOM, axis=0), _ZOOM, axis=1)
    for line in labels["lines"]:
        for x0, y0, x1, y1 in (_ZOOM * np.array(line["boxes"])).tolist():
            if x0 < x1:
                cv2.rectangle(big, (x0 - 1, y0 - 1), (x1, y1), _BOX, 1)
        corners = np.round(np.array(line["quad"]).reshape(4, 2) * _ZOOM).astype(np.int32)
        cv2.polylines(big, [corners], True, _LINE, 1)
    return np.asarray(big, dtype=np.uint8)


def contact_sheet(pages: Sequence[tuple[Picture, dict[str, Any]]], *, columns: int = 2) -> Picture:
    """A grid: each page at twice its size beside the same page with boxes."""
    if not pages:
        raise ValueError("a contact sheet needs at least one page")
    cells = []
    for page, labels in pages:
        plain = np.repeat(np.repeat(page, _ZOOM, axis=0), _ZOOM, axis=1)
        cells.append(np.hstack([plain, with_boxes(page, labels)]))
    height, width = (max(cell.shape[side] for cell in cells) + _GAP for side in (0, 1))
    rows = -(-len(cells) // columns)
    sheet = np.full((rows * height, min(columns, len(cells)) * width, 3), 255, dtype=np.uint8)
    for number, cell in enumerate(cells):
        top, left = number // columns * height, number % columns * width
        sheet[top : top + cell.shape[0], left : left + cell.shape[1]] = cell
    return sheet
