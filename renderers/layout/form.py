"""Forms: labels with values, dotted leaders, amounts at the right, fine print."""

from __future__ import annotations

import numpy as np

from renderers.arrays import Bools
from renderers.layout.base import Layout, Page, Params, sample_columns, sample_margin, sample_pitch
from renderers.layout.sheet import Batch, Sheet
from renderers.setting.lines import CENTER, LEFT
from renderers.setting.typesetting import Texts


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Columns, leaders or lines between label and value, rows between dividers."""
    m = sample_margin(rng, page)
    count, gap = sample_columns(rng, page, page.width - 2 * m, 3)
    return {
        "margin": m,
        "pitch": sample_pitch(rng, page) + 1,
        "columns": count,
        "gap": gap + page.size_px,
        "join": ("dots", "line", "space")[int(rng.integers(3))],
        "divide_rows": int(rng.integers(4, 12)),
        "numbers": float(rng.uniform(0.4, 1.0)),
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """Column after column of rows `label ... value`, with a heading over each group of rows."""
    m, count, gap = int(p["margin"]), int(p["columns"]), int(p["gap"])
    width = (sheet.width - 2 * m - (count - 1) * gap) // count
    row, every, size = int(p["pitch"]), int(p["divide_rows"]), sheet.size_px
    tops = np.arange(m, sheet.height - m - row + 1, row)
    lefts = m + np.arange(count) * (width + gap)
    for left_px in lefts.tolist():
        edges = left_px - m // 2, left_px + width + m // 2
        sheet.plate(edges[0], m // 2, edges[1], sheet.height - m // 2)
    title = np.tile(np.arange(len(tops)) % every == 0, count)
    labels, values, amounts = _entries(sheet, width, title, p)
    shown = len(labels)
    title, x, y = title[:shown], np.repeat(lefts, len(tops))[:shown], np.tile(tops, count)[:shown]
    left = sheet.set(
        labels,
        np.where(title, width, 0.58 * width),
        align=np.where(title, CENTER, LEFT),
        heading=title,
        max_lines=1,
    )
    right = sheet.set(values, 0.38 * width, max_lines=2)
    # Words may be cut at the end of the field; half a number would be wrong.
    whole = right.counts(len(values)) == 1
    right = right.where(right.firsts() & (whole | ~amounts)[right.of])
    entry = np.flatnonzero(~title)[right.of]
    # Between label and value.
    start, end = np.zeros(shown), np.full(shown, float(width))
    start[left.of] = left.length_px + size / 2
    end[entry] -= right.length_px
    room = end - size / 2 - start
    batches = [
        Batch(left, x[left.of], y[left.of], left.of),
        Batch(right, (x + end)[entry], y[entry], entry),
    ]
    if p["join"] == "dots":
        led = np.flatnonzero(~title & (room > 2 * size))
        dots = (room[led] / (0.6 * size)).astype(int).tolist()
        leaders = sheet.set(sheet.words(["." * n for n in dots]), room[led], max_lines=1)
        at = led[leaders.of]
        batches.append(Batch(leaders, (x + start)[at], y[at], at))
    sheet.put_in_order(*batches)
    for i in np.flatnonzero(title).tolist():
        sheet.rule(x[i], y[i] + row - 1, x[i] + width, y[i] + row)
    if p["join"] == "line":
        for i in np.flatnonzero(~title & (room > size)).tolist():
            sheet.rule(x[i] + start[i], y[i] + size, x[i] + start[i] + room[i], y[i] + size + 1)


def _entries(sheet: Sheet, width: int, title: Bools, p: Params) -> tuple[Texts, Texts, Bools]:
    """Labels, titles among them; values of those that are not titles; which of these are amounts.

    Where texts are used up there are fewer labels, and fewer values.
    """
    rng, count = sheet.rng, len(title)
    wordy = (rng.random(count) > float(p["numbers"])) & ~title
    lengths = np.empty((count, 2))
    lengths[:, 0] = np.where(title, 0.6, rng.uniform(0.2, 0.55, count)) * width
    lengths[:, 1] = 0.33 * width
    wanted = np.stack([np.ones(count, dtype=bool), wordy], axis=1)
    fresh = np.stack([title, np.zeros(count, dtype=bool)], axis=1)
    words = sheet.phrases(lengths[wanted], fresh=fresh[wanted])
    is_value = np.flatnonzero(wanted)[: len(words)] % 2 == 1
    labels = words[~is_value]
    entries = ~title[: len(labels)]
    amounts = ~wordy[: len(labels)][entries]
    values = np.zeros((len(amounts), 3), dtype=np.int32)
    places = np.flatnonzero(~amounts)
    said = words[is_value]
    values[places[: len(said)]] = said
    values[amounts] = sheet.numbers(int(amounts.sum()))
    return labels, values, amounts


LAYOUT = Layout("form", sample_params, place_text, fill=0.7)
