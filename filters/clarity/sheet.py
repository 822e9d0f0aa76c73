"""A contact sheet ordered by clarity, so that a person can choose a threshold by looking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_CELL_PX, _CAPTION_PX, _GAP_PX, _COLUMNS = 192, 34, 6, 8
_PAPER, _INK = (250, 250, 250), (40, 40, 40)


def thumbnail(rgb: NDArray[np.uint8]) -> Image.Image:
    """A centre crop at 1:1: scaled down, a blurred picture looks sharp."""
    height, width = rgb.shape[:2]
    y, x = max(0, (height - _CELL_PX) // 2), max(0, (width - _CELL_PX) // 2)
    return Image.fromarray(np.ascontiguousarray(rgb[y : y + _CELL_PX, x : x + _CELL_PX]))


def contact_sheet(rows: Sequence[tuple[dict[str, Any], Image.Image]]) -> Image.Image:
    """Thumbnails of (score row, thumbnail) pairs from the clearest to the worst, scores below.

    ValueError when there is none.
    """
    if not rows:
        raise ValueError("no picture could be scored, so there is nothing to show")
    ordered = sorted(rows, key=lambda pair: (-pair[0]["clarity"], pair[0]["path"]))
    step_x, step_y = _CELL_PX + _GAP_PX, _CELL_PX + _CAPTION_PX + _GAP_PX
    columns = min(_COLUMNS, len(ordered))
    lines = math.ceil(len(ordered) / columns)
    sheet = Image.new("RGB", (columns * step_x + _GAP_PX, lines * step_y + _GAP_PX), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, (row, picture) in enumerate(ordered):
        x = _GAP_PX + number % columns * step_x
        y = _GAP_PX + number // columns * step_y
        sheet.paste(picture, (x + (_CELL_PX - picture.width) // 2, y))
        name = str(row["path"]).rsplit("/", 1)[-1]
        scores = " ".join(f"{key[0]} {row[key]:.2f}" for key in ("blur", "compression", "noise"))
        caption = f"clarity {row['clarity']:.2f}   {scores}\n{name[-32:]}"
        draw.multiline_text((x, y + _CELL_PX + 2), caption, fill=_INK, font=font, spacing=1)
    return sheet
