"""Contact sheets: pictures in rows, each with a caption, so that a person can judge by looking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

_CAPTION_PX, _GAP_PX, _WIDTH_PX = 34, 6, 1600
_PAPER, _INK = (250, 250, 250), (40, 40, 40)


def usable_sheet(path: Path | None) -> Path | None:
    """`path`, if a sheet can be saved there; ValueError before the work that it would show."""
    if path and not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}")
    if path and path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"{path.name} names no picture format: end it in .png or .jpg")
    return path


def contact_sheet(pictures: Sequence[tuple[Image.Image, str]], cell_px: int) -> Image.Image:
    """(picture, caption of two lines) pairs from left to right and top to bottom.

    Pictures are at most `cell_px` wide and high. ValueError when there is none.
    """
    if not pictures:
        raise ValueError("no picture could be scored, so there is nothing to show")
    step_x, step_y = cell_px + _GAP_PX, cell_px + _CAPTION_PX + _GAP_PX
    columns = min(_WIDTH_PX // step_x, len(pictures))
    lines = math.ceil(len(pictures) / columns)
    sheet = Image.new("RGB", (columns * step_x + _GAP_PX, lines * step_y + _GAP_PX), _PAPER)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, (picture, caption) in enumerate(pictures):
        x = _GAP_PX + number % columns * step_x
        y = _GAP_PX + number // columns * step_y
        sheet.paste(picture, (x + (cell_px - picture.width) // 2, y))
        draw.multiline_text((x, y + cell_px + 2), caption, fill=_INK, font=font, spacing=1)
    return sheet
