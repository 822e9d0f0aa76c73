"""Forms: labels with values, dotted leaders, amounts at the right, fine print."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, columns, margin, pitch
from renderers.layout.sheet import Sheet, Text


def draw(rng: np.random.Generator, page: Page) -> Params:
    """Columns, leaders or lines between label and value, rows between dividers."""
    m = margin(rng, page)
    count, gap = columns(rng, page, page.width - 2 * m, 3)
    return {
        "margin": m,
        "pitch": pitch(rng, page) + 1,
        "columns": count,
        "gap": gap + page.size_px,
        "join": ("dots", "line", "space")[int(rng.integers(3))],
        "divide_rows": int(rng.integers(4, 12)),
        "numbers": float(rng.uniform(0.4, 1.0)),
    }


def place(sheet: Sheet, p: Params) -> None:
    """Column after column of rows `label ... value`, with a heading over each group of rows."""
    m, count, gap = int(p["margin"]), int(p["columns"]), int(p["gap"])
    width = (sheet.width - 2 * m - (count - 1) * gap) // count
    for column in range(count):
        x = m + column * (width + gap)
        sheet.plate(x - m // 2, m // 2, x + width + m // 2, sheet.height - m // 2)
        _column(sheet, x, m, width, sheet.height - m, p)


def _column(sheet: Sheet, x: int, top: int, width: int, bottom: int, p: Params) -> None:
    row, every = int(p["pitch"]), int(p["divide_rows"])
    y, line = top, 0
    while y + row <= bottom:
        if line % every == 0:
            title = sheet.phrase(0.6 * width, fresh=True)
            if title is None:
                return
            for strip in sheet.set(title, width, align="center", heading=True, max_lines=1):
                sheet.put(strip, x, y)
            sheet.rule(x, y + row - 1, x + width, y + row)
        elif not _entry(sheet, x, y, width, p):
            return
        y, line = y + row, line + 1


def _entry(sheet: Sheet, x: int, y: int, width: int, p: Params) -> bool:
    size = sheet.size_px
    label = sheet.phrase(width * float(sheet.rng.uniform(0.2, 0.55)))
    if label is None:
        return False
    wordy = sheet.rng.random() > float(p["numbers"])
    words = sheet.phrase(0.33 * width) if wordy else None
    value = words or sheet.number()
    left = sheet.set(label, width * 0.58)[:1]
    right = sheet.set(value, width * 0.38)
    # Words may be cut at the end of the field; half a number would be wrong.
    right = right[:1] if words else [strip for strip in right if len(right) == 1]
    start = 0.0
    for strip in left:
        sheet.put(strip, x, y)
        start = strip.length_px + size / 2
    end = float(width)
    for strip in right:
        end = width - strip.length_px
        sheet.put(strip, x + end, y)
    room = end - size / 2 - start
    if p["join"] == "line" and room > size:
        sheet.rule(x + start, y + size, x + start + room, y + size + 1)
    elif p["join"] == "dots" and room > 2 * size:
        dots = Text("." * int(room / (0.6 * size)), sheet.body)
        for strip in sheet.set(dots, room, max_lines=1):
            sheet.put(strip, x + start, y)
    return True


LAYOUT = Layout("form", draw, place, fill=0.7)
