"""A code listing: numbered, indented lines of program text, in one to three columns."""

from __future__ import annotations

import numpy as np

from renderers.code_text import STYLES, code_line
from renderers.layout.base import Layout, Page, Params, columns, margin, pitch
from renderers.layout.sheet import Sheet, Text

_MAX_DEPTH = 4


def draw(rng: np.random.Generator, page: Page) -> Params:
    """Columns, first line number (0: none), the manner of the code, step of indentation."""
    m = margin(rng, page)
    count, gap = columns(rng, page, page.width - 2 * m, 3, least_em=18, dense=True)
    return {
        "margin": m,
        "pitch": pitch(rng, page),
        "columns": count,
        "gap": gap,
        "number": int(rng.integers(1, 900)) if rng.random() < 0.7 else 0,
        "style": STYLES[int(rng.integers(len(STYLES)))],
        "indent": int(rng.integers(1, 3)) * page.size_px,
    }


def place(sheet: Sheet, p: Params) -> None:
    """Line after line, deeper after each that opens a block; a line too long is cut at the edge."""
    m, row, size = int(p["margin"]), int(p["pitch"]), sheet.size_px
    count, gap, number = int(p["columns"]), int(p["gap"]), int(p["number"])
    width = (sheet.width - 2 * m - (count - 1) * gap) // count
    gutter = round(2.6 * size) if number else 0
    sheet.plate(0, 0, sheet.width, sheet.height)
    depth = 0
    for column in range(count):
        x = m + column * (width + gap)
        if column and number:
            sheet.rule(x - gap // 2 - 1, m, x - gap // 2, sheet.height - m)
        for y in range(m, sheet.height - m - row + 1, row):
            if number:
                label = Text(str(number), sheet.body)
                for strip in sheet.set(label, gutter - size // 2, align="right", max_lines=1):
                    sheet.put(strip, x, y)
                number += 1
            depth = _line(sheet, x + gutter, y, width - gutter, depth, p)


def _line(sheet: Sheet, x: int, y: int, width: int, depth: int, p: Params) -> int:
    """Set one line; the depth of the next one."""
    step = int(p["indent"])
    line = code_line(sheet.rng, str(p["style"]), depth)
    after = max(0, depth + line.deeper)
    # A closing bracket stands where its line was opened.
    left = step * min(depth, after)
    room = width - left
    text = Text(line.before + line.after, sheet.body)
    if line.words:
        words = sheet.phrase(room * float(sheet.rng.uniform(0.2, 0.6)))
        if words is not None:
            text = Text(line.before + words.text + line.after, words.face)
    for strip in sheet.set(text, room, max_lines=1):
        sheet.put(strip, x + left, y)
    if not sheet.rng.integers(6) and line.deeper <= 0:
        after = max(0, after - 1)
    return after if after <= _MAX_DEPTH and 3 * after * step <= width else 0


LAYOUT = Layout("code", draw, place, fill=0.25, monospaced=True)
