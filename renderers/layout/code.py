"""A code listing: numbered, indented lines of program text, in one to three columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from renderers.dice import Dice
from renderers.layout.base import Layout, Page, Params, sample_columns, sample_margin, sample_pitch
from renderers.layout.sheet import Batch, Sheet
from renderers.setting.typesetting import Texts
from renderers.text.code import STYLES, code_line

_MAX_DEPTH = 4


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Columns, first line number (0: none), the manner of the code, step of indentation."""
    m = sample_margin(rng, page)
    count, gap = sample_columns(rng, page, page.width - 2 * m, 3, least_em=18, dense=True)
    return {
        "margin": m,
        "pitch": sample_pitch(rng, page),
        "columns": count,
        "gap": gap,
        "number": int(rng.integers(1, 900)) if rng.random() < 0.7 else 0,
        "style": STYLES[int(rng.integers(len(STYLES)))],
        "indent": int(rng.integers(1, 3)) * page.size_px,
    }


class _Row(NamedTuple):
    """A line of the listing: where it begins, how much room it has, and what it says.

    `words_px` is how much prose stands between `before` and `after`, 0 for none.
    """

    x: int
    y: int
    room: int
    before: str
    after: str
    words_px: float


def place_text(sheet: Sheet, p: Params) -> None:
    """Line after line, deeper after each that opens a block; a line too long is cut at the edge."""
    m, row, size = int(p["margin"]), int(p["pitch"]), sheet.size_px
    count, gap, number = int(p["columns"]), int(p["gap"]), int(p["number"])
    width = (sheet.width - 2 * m - (count - 1) * gap) // count
    sheet.plate(0, 0, sheet.width, sheet.height)
    tops = range(m, sheet.height - m - row + 1, row)
    # A digit takes up to .65 em.
    digits = len(str(number + count * len(tops)))
    gutter = round((0.65 * digits + 0.6) * size) if number else 0
    rows, depth = [], 0
    for column in range(count):
        left = m + column * (width + gap)
        if column and number:
            sheet.rule(left - gap // 2 - 1, m, left - gap // 2, sheet.height - m)
        for top in tops:
            line, depth = _line(sheet.dice, left + gutter, top, width - gutter, depth, p)
            rows.append(line)
    texts = _with_words(sheet, rows)
    x, y, rooms = (np.array([line[i] for line in rows]) for i in range(3))
    code = sheet.set(texts, rooms, max_lines=1)
    batches = [Batch(code, x[code.of], y[code.of], code.of)]
    if number:
        numbers = sheet.words([str(number + i) for i in range(len(rows))])
        lines = sheet.set(numbers, gutter - size // 2, align="right", max_lines=1)
        lefts = np.repeat(m + np.arange(count) * (width + gap), len(tops))
        batches.insert(0, Batch(lines, lefts[lines.of], y[lines.of], lines.of))
    sheet.put_in_order(*batches)


def _line(dice: Dice, x: int, y: int, width: int, depth: int, p: Params) -> tuple[_Row, int]:
    """A line at `depth`; the depth of the next one."""
    step = int(p["indent"])
    line = code_line(dice, str(p["style"]), depth)
    after = max(0, depth + line.deeper)
    # A closing bracket stands where its line was opened.
    left = step * min(depth, after)
    room = width - left
    words_px = room * dice.uniform(0.2, 0.6) if line.words else 0.0
    if not dice.below(6) and line.deeper <= 0:
        after = max(0, after - 1)
    deeper = after if after <= _MAX_DEPTH and 3 * after * step <= width else 0
    return _Row(x + left, y, room, line.before, line.after, words_px), deeper


def _with_words(sheet: Sheet, rows: Sequence[_Row]) -> Texts:
    """The texts of the lines, with prose where it belongs, in its face."""
    wordy = [line for line in rows if line.words_px]
    phrases = sheet.phrases(np.array([line.words_px for line in wordy]))
    said = iter(zip(sheet.read(phrases), phrases[:, 2].tolist(), strict=True))
    texts, faces = [], []
    for line in rows:
        words, face = next(said, ("", 0)) if line.words_px else ("", 0)
        texts.append(line.before + words + line.after)
        faces.append(face)
    return sheet.words(texts, faces)


LAYOUT = Layout("code", sample_params, place_text, fill=0.25, monospaced=True)
