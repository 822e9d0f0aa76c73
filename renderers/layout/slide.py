"""A slide: a title, then bullets of one to three lines on two levels, in one or two columns."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, margin, pitch
from renderers.layout.sheet import Sheet, Text

_BULLETS = "•·–-*"


def draw(rng: np.random.Generator, page: Page) -> Params:
    """Title size, bullet sign, columns, share of second-level bullets."""
    return {
        "margin": margin(rng, page),
        "pitch": pitch(rng, page),
        "title_px": round(page.size_px * rng.uniform(1.4, 2.0)),
        "bullet": int(rng.integers(len(_BULLETS))),
        "columns": int(rng.integers(1, 3)) if page.width >= 34 * page.size_px else 1,
        "nested": float(rng.uniform(0, 0.5)),
        "ruled": bool(rng.random() < 0.5),
    }


def place(sheet: Sheet, p: Params) -> None:
    """Title, an optional rule under it, bullets down each column."""
    m, size, row = int(p["margin"]), sheet.size_px, int(p["pitch"])
    y = m
    sheet.plate(0, 0, sheet.width, sheet.height)
    title_px = int(p["title_px"])
    title = sheet.phrase(0.9 * (sheet.width - 2 * m), size_px=title_px, fresh=True)
    if title is not None:
        for strip in sheet.set(
            title, sheet.width - 2 * m, size_px=title_px, heading=True, max_lines=1
        ):
            sheet.put(strip, m, y)
        y += round(1.35 * title_px)
        if p["ruled"]:
            sheet.rule(m, y, sheet.width - m, y + max(1, size // 8))
            y += size // 2
    count = int(p["columns"])
    width = (sheet.width - 2 * m - (count - 1) * 2 * size) // count
    for column in range(count):
        _bullets(sheet, m + column * (width + 2 * size), y, width, sheet.height - m, row, p)


def _bullets(sheet: Sheet, x: int, top: int, width: int, bottom: int, row: int, p: Params) -> None:
    size, y = sheet.size_px, top
    level = 0
    while y + row <= bottom:
        words = sheet.phrase(width * float(sheet.rng.uniform(0.4, 2.8)), fresh=True)
        if words is None:
            return
        indent = level * 2 * size
        sign = next((b for b in _BULLETS[int(p["bullet"]) :] if words.face.covers(b)), "-")
        (mark,) = sheet.set(Text(sign, words.face), 4 * size)
        strips = sheet.set(words, width - indent - round(1.2 * size), max_lines=3)
        if y + len(strips) * row > bottom:
            return
        sheet.put(mark, x + indent, y)
        for strip in strips:
            sheet.put(strip, x + indent + round(1.2 * size), y)
            y += row
        y += size // 4
        level = int(sheet.rng.random() < float(p["nested"]))


LAYOUT = Layout("slide", draw, place, fill=0.8)
