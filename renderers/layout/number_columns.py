"""Numbers and formula-like strings in columns, as in a log, a price list or an exercise sheet."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from renderers.arrays import Floats
from renderers.layout.base import Layout, Page, Params, sample_columns, sample_margin, sample_pitch
from renderers.layout.sheet import Batch, Sheet
from renderers.setting.typesetting import Lines


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Columns, and the share of formulas among the numbers."""
    m = sample_margin(rng, page)
    count, gap = sample_columns(rng, page, page.width - 2 * m, 4)
    return {
        "margin": m,
        "pitch": sample_pitch(rng, page),
        "columns": count,
        "gap": gap,
        "formulas": float(rng.uniform(0.1, 0.9)),
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """Rows of numbers as many as fit, or one formula; every tenth row is words."""
    m, row, size = int(p["margin"]), int(p["pitch"]), sheet.size_px
    count, gap = int(p["columns"]), int(p["gap"])
    width = (sheet.width - 2 * m - (count - 1) * gap) // count
    sheet.plate(0, 0, sheet.width, sheet.height)
    tops = np.arange(m, sheet.height - m - row + 1, row)
    x = np.repeat(m + np.arange(count) * (width + gap), len(tops))
    y, number = np.tile(tops, count), np.tile(np.arange(len(tops)), count)
    headed = np.flatnonzero(number % 10 == 0)
    words = sheet.phrases(np.full(len(headed), 0.8 * width), fresh=True)
    free = np.ones(len(x), dtype=bool)
    free[headed[: len(words)]] = False
    formula = free & (sheet.rng.random(len(x)) < float(p["formulas"]))
    batches = []
    for texts, rows, heading in (
        (words, headed, True),
        (sheet.equations(int(formula.sum())), np.flatnonzero(formula), False),
    ):
        lines = sheet.set(texts, width, heading=heading, max_lines=1)
        at = rows[lines.of]
        batches.append(Batch(lines, x[at], y[at], at))
    lines, rows, shifts = _flow(sheet, np.flatnonzero(free & ~formula), width, size)
    batches.append(Batch(lines, x[rows] + shifts, y[rows], rows))
    sheet.put_in_order(*batches)


def _flow(
    sheet: Sheet, rows: npt.NDArray[np.int64], width: int, size: int
) -> tuple[Lines, npt.NDArray[np.int64], Floats]:
    """Numbers until all rows are full: their lines, rows and px from the left of the row."""
    # A number takes five ems with the space behind it; some are left over.
    wanted = len(rows) * (width // (4 * size) + 1)
    lines = sheet.set(sheet.numbers(wanted), width, max_lines=2)
    # Half a number is wrong.
    lines = lines.where((lines.counts(wanted) == 1)[lines.of])
    gaps = sheet.rng.uniform(0.8, 2.5, len(lines.of)) * size
    row, shifts, kept, at = 0, [], [], 0.0
    for length, gap in zip(lines.length_px.tolist(), gaps.tolist(), strict=True):
        if at + length > width:
            row, at = row + 1, 0.0
        if row == len(rows):
            break
        shifts.append(at)
        kept.append(row)
        at += length + gap
    where = rows[np.array(kept, dtype=np.int64)]
    return lines.where(slice(0, len(kept))), where, np.array(shifts)


LAYOUT = Layout("numbers", sample_params, place_text, fill=0.2)
