"""Tables: a caption, a head row, rows of words and numbers, with or without rules."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, sample_margin
from renderers.layout.sheet import Sheet
from renderers.setting.lines import LEFT, RIGHT


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Columns, row height, which rules, and the share of numeric columns."""
    m = sample_margin(rng, page)
    most = max(2, min(9, (page.width - 2 * m) // (5 * page.size_px)))
    return {
        "margin": m,
        "columns": int(rng.integers(2, most + 1)),
        "pitch": max(page.size_px + 2, round(page.size_px * rng.uniform(1.25, 1.6))),
        "rules": ("grid", "rows", "head", "none")[int(rng.integers(4))],
        "numeric": float(rng.uniform(0.2, 0.8)),
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """Tables of drawn length one under the other, each with its caption, down to the margin."""
    m, row = int(p["margin"]), int(p["pitch"])
    inner = sheet.width - 2 * m
    sheet.plate(0, 0, sheet.width, sheet.height)
    y = m
    while y + 4 * row <= sheet.height - m:
        caption = sheet.phrase(inner * sheet.dice.uniform(0.3, 0.95), fresh=True)
        if not len(caption):
            return
        sheet.put(sheet.set(caption, inner, max_lines=1), m, y)
        rows = min(4 + sheet.dice.below(20), (sheet.height - m - y) // row - 1)
        y = _table(sheet, m, y + row, inner, rows, p) + row


def _table(sheet: Sheet, x: int, top: int, width: int, rows: int, p: Params) -> int:
    count, row, size, rng = int(p["columns"]), int(p["pitch"]), sheet.size_px, sheet.rng
    shares = rng.uniform(0.7, 1.4, size=count)
    edges = x + np.round(np.cumsum(np.concatenate([[0.0], shares])) / shares.sum() * width)
    # An amount at the right of its cell stands apart from words at the left of the next.
    pad = max(2, size // 2)
    rooms = np.tile(np.diff(edges) - 2 * pad, rows)
    lefts, line = np.tile(edges[:-1] + pad, rows), np.repeat(np.arange(rows), count)
    numeric = np.tile(rng.random(count) < float(p["numeric"]), rows) & (line > 0)
    wordy = np.flatnonzero(~numeric)
    phrases = sheet.phrases(rng.uniform(0.4, 0.95, len(wordy)) * rooms[wordy])
    cells = np.zeros((len(line), 3), dtype=np.int32)
    cells[wordy[: len(phrases)]] = phrases
    cells[numeric] = sheet.numbers(len(line) - len(wordy))
    set_lines = sheet.set(
        cells,
        rooms,
        align=np.where(numeric, RIGHT, LEFT),
        heading=line == 0,
        max_lines=2,
    )
    # Words may be cut at the end of the cell, as table columns do; half a number is wrong.
    whole = set_lines.counts(len(cells)) == 1
    here = set_lines.where(set_lines.firsts() & (whole | ~numeric)[set_lines.of])
    sheet.put(here, lefts[here.of], top + line[here.of] * row + (row - size) // 2)
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


LAYOUT = Layout("table", sample_params, place_text, fill=0.75)
