"""Columns of running text with a heading every few paragraphs."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import njit

from renderers.exact import EXACT
from renderers.layout.sheet import Batch, Sheet

# Left, top and bottom of a column in px.
Column = tuple[float, float, float]


def place_sections(
    sheet: Sheet,
    columns: Sequence[Column],
    width: int,
    *,
    pitch: int,
    align: str,
    indent_px: float,
    section: int,
    gap_px: int = 0,
) -> None:
    """Fill columns of `width` px one after the other, with a heading after `section` paragraphs.

    Rows are `pitch` px apart, paragraphs `gap_px` more. `align` may be "ragged": left, with lines
    of drawn length.
    """
    shares = sheet.rng.uniform(0.72, 1.0, size=64) if align == "ragged" else None
    table = np.array(columns, dtype=np.float64)
    # The column and the top of the next row in it.
    state = np.array([0.0, table[0, 1]])
    rows, paragraphs = int(((table[:, 2] - table[:, 1]) // pitch).sum()), 0
    while rows > 0:
        # About as much as fits, at once; where it turns out to be less, once more.
        texts = sheet.texts(rows * width)
        if not len(texts):
            return
        lines = sheet.set(
            texts,
            width,
            align="left" if shares is not None else align,
            indent_px=indent_px,
            shares=shares,
        )
        begun = np.arange(paragraphs, paragraphs + len(texts))
        titled = np.flatnonzero((begun > 0) & (begun % section == 0))
        phrases = sheet.phrases(np.full(len(titled), 0.9 * width), fresh=True)
        headings = sheet.set(phrases, width, heading=True, max_lines=1)
        # Each stands above the first line of its paragraph.
        above = np.searchsorted(lines.of, titled[headings.of])
        x, top = np.empty(len(lines.of)), np.empty(len(lines.of))
        title_x, title_top = np.empty(len(above)), np.empty(len(above))
        fitting = _flow(
            lines.of, above, table, float(pitch), float(gap_px), state, x, top, title_x, title_top
        )
        titles = np.flatnonzero(title_top >= 0)
        sheet.put_in_order(
            Batch(headings.where(titles), title_x[titles], title_top[titles], above[titles]),
            Batch(lines.where(slice(0, fitting)), x[:fitting], top[:fitting], np.arange(fitting)),
        )
        rows = 0 if fitting < len(lines.of) else rows - fitting
        paragraphs += len(texts)


@njit(**EXACT)
def _flow(of, above, columns, pitch, gap, state, x, top, title_x, title_top):  # type: ignore[no-untyped-def]
    """Writes where lines and titles stand; the top of a title that has no room is -1.

    Returns how many lines have room.
    """
    column, y = int(state[0]), state[1]
    title_top[:] = -1
    title = 0
    for i in range(len(of)):
        if i and of[i] != of[i - 1]:
            y += gap
        if title < len(above) and above[title] == i:
            # A title needs two rows of text under it; where there is no room it is left out.
            if y + 3.5 * pitch <= columns[column, 2]:
                y += pitch // 2
                title_x[title], title_top[title] = columns[column, 0], y
                y += pitch
            title += 1
        if y + pitch > columns[column, 2]:
            if column + 1 == len(columns):
                return i
            column += 1
            y = columns[column, 1]
        x[i], top[i] = columns[column, 0], y
        y += pitch
    state[0], state[1] = column, y + gap
    return len(of)
