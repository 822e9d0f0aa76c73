"""Rendered pages side by side, each again with its character boxes drawn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from PIL import Image

from renderers.arrays import Picture
from vae_corpus.pictures.sheet import Section, contact_sheet

_LINE, _BOX = (230, 30, 30), (20, 110, 240)
_ZOOM = 2


def with_boxes(page: Picture, labels: dict[str, Any]) -> Picture:
    """`page` at twice the size, with a blue box around every character and a red one per line."""
    big = _enlarged(page)
    for line in labels["lines"]:
        for x0, y0, x1, y1 in (_ZOOM * np.array(line["boxes"])).tolist():
            if x0 < x1:
                cv2.rectangle(big, (x0 - 1, y0 - 1), (x1, y1), _BOX, 1)
        corners = np.round(np.array(line["quad"]).reshape(4, 2) * _ZOOM).astype(np.int32)
        cv2.polylines(big, [corners], True, _LINE, 1)
    return big


def preview(pages: Sequence[tuple[Picture, dict[str, Any]]]) -> Image.Image:
    """A contact sheet: each page at twice its size beside the same page with boxes."""
    cells = [np.hstack([_enlarged(page), with_boxes(page, labels)]) for page, labels in pages]
    return contact_sheet([Section(pictures=cells, columns=2)])


def _enlarged(page: Picture) -> Picture:
    return np.asarray(np.repeat(np.repeat(page, _ZOOM, axis=0), _ZOOM, axis=1), dtype=np.uint8)
