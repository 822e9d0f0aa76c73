"""A contact sheet ordered by the density of text, the lines that were found drawn in."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from filters.ocr.engine import Polygons

_CELL_PX, _CAPTION_PX, _GAP_PX, _COLUMNS = 320, 34, 6, 5
_PAPER, _INK, _BOX = (250, 250, 250), (40, 40, 40), (220, 30, 30)


def thumbnail(rgb: NDArray[np.uint8], lines: Polygons) -> Image.Image:
    """The whole picture, made smaller where it is large, with the lines drawn in."""
    scale = min(1.0, _CELL_PX / max(rgb.shape[:2]))
    small = np.ascontiguousarray(
        cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    )
    for line in lines:
        cv2.polylines(small, [np.round(line * scale).astype(np.int32)], True, _BOX, 1)
    return Image.fromarray(small)


def contact_sheet(rows: Sequence[tuple[dict[str, Any], Image.Image]]) -> Image.Image:
    """Thumbnails of (score row, thumbnail) pairs from the densest to the emptiest.

    ValueError when there is none.
    """
    if not rows:
        raise ValueError("no picture could be scored, so there is nothing to show")
    ordered = sorted(rows, key=lambda pair: (-pair[0]["chars_per_mpx"], pair[0]["path"]))
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
        caption = (
            f"{row['chars_est']:.0f} characters, {row['chars_per_mpx']:.0f} per Mpx,"
            f" {row['glyph_px_p50']:.0f} px, {row['script'] or 'no text'}\n{name[-50:]}"
        )
        draw.multiline_text((x, y + _CELL_PX + 2), caption, fill=_INK, font=font, spacing=1)
    return sheet
