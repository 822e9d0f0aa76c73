"""Numbers and formula-like strings in columns, as in a log, a price list or an exercise sheet."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, columns, margin, pitch
from renderers.layout.sheet import Sheet


def draw(rng: np.random.Generator, page: Page) -> Params:
    """Columns, and the share of formulas among the numbers."""
    m = margin(rng, page)
    count, gap = columns(rng, page, page.width - 2 * m, 4)
    return {
        "margin": m,
        "pitch": pitch(rng, page),
        "columns": count,
        "gap": gap,
        "formulas": float(rng.uniform(0.1, 0.9)),
    }


def place(sheet: Sheet, p: Params) -> None:
    """Rows of numbers as many as fit, or one formula; every tenth row is words."""
    m, row, size = int(p["margin"]), int(p["pitch"]), sheet.size_px
    count, gap = int(p["columns"]), int(p["gap"])
    width = (sheet.width - 2 * m - (count - 1) * gap) // count
    sheet.plate(0, 0, sheet.width, sheet.height)
    for column in range(count):
        x = m + column * (width + gap)
        for index, y in enumerate(range(m, sheet.height - m - row + 1, row)):
            if index % 10 == 0 and (words := sheet.phrase(0.8 * width, fresh=True)):
                for strip in sheet.set(words, width, heading=True, max_lines=1):
                    sheet.put(strip, x, y)
            elif sheet.rng.random() < float(p["formulas"]):
                for strip in sheet.set(sheet.equation(), width, max_lines=1):
                    sheet.put(strip, x, y)
            else:
                _numbers(sheet, x, y, width, size)


def _numbers(sheet: Sheet, x: int, y: int, width: int, size: int) -> None:
    at = 0.0
    while True:
        strips = sheet.set(sheet.number(), max(1.0, width - at))
        if len(strips) != 1 or at + strips[0].length_px > width:
            return
        sheet.put(strips[0], x + at, y)
        at += strips[0].length_px + float(sheet.rng.uniform(0.8, 2.5)) * size


LAYOUT = Layout("numbers", draw, place, fill=0.2)
