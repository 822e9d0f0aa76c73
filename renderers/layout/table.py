"""Tables: a caption, a head row, rows of words and numbers, with or without rules."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, margin
from renderers.layout.sheet import Sheet


def draw(rng: np.random.Generator, page: Page) -> Params:
    """Columns, row height, which rules, and the share of numeric columns."""
    m = margin(rng, page)
    most = max(2, min(9, (page.width - 2 * m) // (5 * page.size_px)))
    return {
        "margin": m,
        "columns": int(rng.integers(2, most + 1)),
        "pitch": max(page.size_px + 2, round(page.size_px * rng.uniform(1.25, 1.6))),
        "rules": ("grid", "rows", "head", "none")[int(rng.integers(4))],
        "numeric": float(rng.uniform(0.2, 0.8)),
    }


def place(sheet: Sheet, p: Params) -> None:
    """Tables of drawn length one under the other, each with its caption, down to the margin."""
    m, row = int(p["margin"]), int(p["pitch"])
    inner = sheet.width - 2 * m
    sheet.plate(0, 0, sheet.width, sheet.height)
    y = m
    while y + 4 * row <= sheet.height - m:
        caption = sheet.phrase(inner * float(sheet.rng.uniform(0.3, 0.95)), fresh=True)
        if caption is None:
            return
        for strip in sheet.set(caption, inner, max_lines=1):
            sheet.put(strip, m, y)
        rows = min(int(sheet.rng.integers(4, 24)), (sheet.height - m - y) // row - 1)
        y = _table(sheet, m, y + row, inner, rows, p) + row


def _table(sheet: Sheet, x: int, top: int, width: int, rows: int, p: Params) -> int:
    count, row, size = int(p["columns"]), int(p["pitch"]), sheet.size_px
    shares = sheet.rng.uniform(0.7, 1.4, size=count)
    edges = x + np.round(np.cumsum(np.concatenate([[0.0], shares])) / shares.sum() * width)
    numeric = sheet.rng.random(count) < float(p["numeric"])
    # An amount at the right of its cell stands apart from words at the left of the next.
    pad = max(2, size // 2)
    for line in range(rows):
        y = top + line * row
        for column in range(count):
            left, right = int(edges[column]), int(edges[column + 1])
            room = right - left - 2 * pad
            is_number = bool(numeric[column]) and line > 0
            share = float(sheet.rng.uniform(0.4, 0.95))
            cell = sheet.number() if is_number else sheet.phrase(share * room)
            if cell is None:
                continue
            align = "right" if is_number else "left"
            strips = sheet.set(cell, room, align=align, heading=line == 0, max_lines=2)
            # Words may be cut at the end of the cell, as table columns do; half a number is wrong.
            if strips and not (is_number and len(strips) > 1):
                sheet.put(strips[0], left + pad, y + (row - size) // 2)
    _rules(sheet, edges, top, rows, p)
    return top + rows * row


def _rules(
    sheet: Sheet, edges: np.typing.NDArray[np.float64], top: int, rows: int, p: Params
) -> None:
    row, kind = int(p["pitch"]), str(p["rules"])
    left, right = int(edges[0]), int(edges[-1])
    bottom = top + rows * row
    levels = {
        "grid": range(top, bottom + 1, row),
        "rows": range(top, bottom + 1, row),
        "head": (top, top + row, bottom),
        "none": (),
    }[kind]
    for y in levels:
        sheet.rule(left, y, right + 1, y + 1)
    if kind == "grid":
        for edge in edges:
            sheet.rule(edge, top, edge + 1, bottom + 1)


LAYOUT = Layout("table", draw, place, fill=0.75)
