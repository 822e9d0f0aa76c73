"""A code listing: line numbers, indented lines, formulas and words, in one or two columns."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, columns, margin, pitch
from renderers.layout.sheet import Sheet, Text
from renderers.typeset import Strip


def draw(rng: np.random.Generator, page: Page) -> Params:
    """Columns, first line number (0: none), share of formula lines, step of indentation."""
    m = margin(rng, page)
    count, gap = columns(rng, page, page.width - 2 * m, 2)
    return {
        "margin": m,
        "pitch": pitch(rng, page),
        "columns": count,
        "gap": gap,
        "number": int(rng.integers(1, 900)) if rng.random() < 0.7 else 0,
        "formulas": float(rng.uniform(0.2, 0.8)),
        "indent": int(rng.integers(1, 3)) * page.size_px,
    }


def place(sheet: Sheet, p: Params) -> None:
    """Line after line; the depth of indentation wanders between 0 and 4 steps."""
    m, row, size = int(p["margin"]), int(p["pitch"]), sheet.size_px
    count, gap, number = int(p["columns"]), int(p["gap"]), int(p["number"])
    width = (sheet.width - 2 * m - (count - 1) * gap) // count
    gutter = round(2.6 * size) if number else 0
    sheet.plate(0, 0, sheet.width, sheet.height)
    depth = 0
    for column in range(count):
        x = m + column * (width + gap)
        for y in range(m, sheet.height - m - row + 1, row):
            if number:
                label = Text(str(number), sheet.body)
                for strip in sheet.set(label, gutter - size // 2, align="right", max_lines=1):
                    sheet.put(strip, x, y)
                number += 1
            left = gutter + depth * int(p["indent"])
            for strip in _code(sheet, width - left, float(p["formulas"])):
                sheet.put(strip, x + left, y)
            depth = int(np.clip(depth + sheet.rng.choice((-1, 0, 0, 1)), 0, 4))
            if depth * int(p["indent"]) > width // 3:
                depth = 0


def _code(sheet: Sheet, room: float, formulas: float) -> list[Strip]:
    if sheet.rng.random() < formulas:
        line: Text | None = sheet.equation()
    else:
        line = sheet.phrase(room * float(sheet.rng.uniform(0.3, 0.9)))
    return sheet.set(line, room, max_lines=1) if line is not None else []


LAYOUT = Layout("code", draw, place, fill=0.5)
