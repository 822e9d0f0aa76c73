"""Contact sheets: pictures in rows under headings, so that a person can judge by looking."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_GAP_PX, _LINE_PX, _FONT_PX = 6, 15, 12
_PAPER = (250, 250, 250)
_TEXT: dict[str, Any] = {"fill": (40, 40, 40), "font": ImageFont.load_default(_FONT_PX)}

Picture = Image.Image | NDArray[np.uint8]


@dataclass(frozen=True, kw_only=True)
class Section:
    """Pictures `columns` to a row, left to right, under a `title`; `captions` go below each."""

    pictures: Sequence[Picture]
    columns: int
    title: str = ""
    captions: Sequence[str] = ()

    @classmethod
    def of(cls, captioned: Iterable[tuple[Picture, str]], *, columns: int) -> Section:
        """A section of (picture, caption) pairs."""
        pairs = list(captioned)
        return cls(
            pictures=[picture for picture, _ in pairs],
            captions=[caption for _, caption in pairs],
            columns=columns,
        )


def usable_sheet(path: Path | None) -> Path | None:
    """`path`, if a sheet can be saved there; ValueError before the work that it would show."""
    if path and not path.parent.is_dir():
        raise ValueError(f"there is no folder {path.parent}")
    if path and path.suffix.lower() not in Image.registered_extensions():
        raise ValueError(f"{path.name} names no picture format: end it in .png or .jpg")
    return path


def contact_sheet(
    sections: Sequence[Section], *, title: str = "", min_width_px: int = 0
) -> Image.Image:
    """One picture of all sections under a title; no picture is resized. ValueError without any.

    The cells of a section are as large as its largest picture.
    """
    shown = [section for section in sections if section.pictures]
    if not shown:
        raise ValueError("there is no picture to show")
    parts = [_draw_section(section, min_width_px) for section in shown]
    y = _LINE_PX + _GAP_PX if title else 0
    width, height = max(part.width for part in parts), y + sum(part.height for part in parts)
    sheet = Image.new("RGB", (width, height), _PAPER)
    ImageDraw.Draw(sheet).text((_GAP_PX, _GAP_PX), title, **_TEXT)
    for part in parts:
        sheet.paste(part, (0, y))
        y += part.height
    return sheet


def _draw_section(section: Section, min_width_px: int) -> Image.Image:
    pictures = [p if isinstance(p, Image.Image) else Image.fromarray(p) for p in section.pictures]
    cell_width, cell_height = (max(p.size[side] for p in pictures) for side in (0, 1))
    lines = max((caption.count("\n") + 1 for caption in section.captions), default=0)
    step_x, step_y = cell_width + _GAP_PX, cell_height + lines * _LINE_PX + _GAP_PX
    columns = min(section.columns, len(pictures))
    top = _LINE_PX + 2 * _GAP_PX if section.title else _GAP_PX
    width = max(columns * step_x + _GAP_PX, min_width_px)
    part = Image.new("RGB", (width, top + math.ceil(len(pictures) / columns) * step_y), _PAPER)
    draw = ImageDraw.Draw(part)
    draw.text((_GAP_PX, _GAP_PX), section.title, **_TEXT)
    for number, picture in enumerate(pictures):
        x = _GAP_PX + number % columns * step_x
        y = top + number // columns * step_y
        part.paste(picture, (x + (cell_width - picture.width) // 2, y))
        if number < len(section.captions):
            below = (x, y + cell_height + 2)
            draw.multiline_text(below, section.captions[number], **_TEXT, spacing=1)
    return part
