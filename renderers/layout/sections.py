"""A column of running text with a heading every few paragraphs."""

from __future__ import annotations

from functools import partial

from renderers.layout.sheet import Sheet


def pour_sections(
    sheet: Sheet,
    x: int,
    top: float,
    width: int,
    bottom: int,
    *,
    pitch: int,
    align: str,
    indent_px: float,
    section: int,
    gap_px: int = 0,
) -> None:
    """Fill a column until `bottom`, with a heading after every `section` paragraphs."""
    pour = partial(sheet.pour, pitch=pitch, align=align, indent_px=indent_px, gap_px=gap_px)
    y = top
    while y + pitch <= bottom:
        y = pour(x, y, width, bottom, paragraphs=section)
        # A heading needs two rows of text under it.
        if y + 7 * pitch // 2 > bottom:
            pour(x, y, width, bottom)
            return
        heading = sheet.phrase(0.9 * width, fresh=True)
        if heading is None:
            return
        y += pitch // 2
        for strip in sheet.set(heading, width, heading=True, max_lines=1):
            sheet.put(strip, x, y)
        y += pitch
