"""A slide: a title, then bullets of one to three lines on two levels, in one or two columns."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, sample_margin, sample_pitch, sample_title_px
from renderers.layout.sheet import Batch, Sheet
from renderers.setting.typesetting import Lines

_BULLETS = "•·–-*"


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Title size, bullet sign, columns, share of second-level bullets."""
    return {
        "margin": sample_margin(rng, page),
        "pitch": sample_pitch(rng, page),
        "title_px": sample_title_px(rng, page, 1.4, 2.0),
        "bullet": int(rng.integers(len(_BULLETS))),
        "columns": int(rng.integers(1, 3)) if page.width >= 34 * page.size_px else 1,
        "nested": float(rng.uniform(0, 0.5)),
        "ruled": bool(rng.random() < 0.5),
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """Title, an optional rule under it, bullets down each column."""
    m, size = int(p["margin"]), sheet.size_px
    y = m
    sheet.plate(0, 0, sheet.width, sheet.height)
    large, inner = int(p["title_px"]), sheet.width - 2 * m
    title = sheet.phrase(0.9 * inner, size_px=large, fresh=True)
    if len(title):
        sheet.put(sheet.set(title, inner, size_px=large, heading=True, max_lines=1), m, y)
        y += round(1.35 * large)
        if p["ruled"]:
            sheet.rule(m, y, sheet.width - m, y + max(1, size // 8))
            y += size // 2
    count = int(p["columns"])
    width = (inner - (count - 1) * 2 * size) // count
    kinds = _BULLETS[int(p["bullet"]) :]
    signs = [next((b for b in kinds if face.covers(b)), "-") for face in sheet.faces]
    marks = sheet.set(sheet.words(signs, range(len(signs))), 4 * size, max_lines=1)
    for column in range(count):
        x = m + column * (width + 2 * size)
        _bullets(sheet, x, y, width, sheet.height - m, marks, p)


def _bullets(
    sheet: Sheet, x: int, top: int, width: int, bottom: int, marks: Lines, p: Params
) -> None:
    size, row, rng, y = sheet.size_px, int(p["pitch"]), sheet.rng, top
    hang = round(1.2 * size)
    while y + row <= bottom:
        # About as many as there is room for: a bullet has two lines or so.
        count = max(2, (bottom - y) // (2 * row))
        words = sheet.phrases(width * rng.uniform(0.4, 2.8, count), fresh=True)
        if not len(words):
            return
        # The first of a column is never nested.
        nested = (rng.random(len(words)) < float(p["nested"])) & (
            (np.arange(len(words)) > 0) | (y > top)
        )
        faces = words[:, 2].astype(np.int64)
        indents = nested * 2 * size
        lines = sheet.set(words, width - indents - hang, max_lines=3)
        counts = lines.counts(len(words))
        tall = counts * row + size // 4
        tops = y + np.cumsum(tall) - tall
        fits = tops + counts * row <= bottom
        fits[np.argmin(fits) if not fits.all() else len(fits) :] = False
        here = lines.where(fits[lines.of])
        shown = np.flatnonzero(fits)
        sheet.put_in_order(
            Batch(marks.where(faces[shown]), x + indents[shown], tops[shown], shown),
            Batch(here, x + indents[here.of] + hang, tops[here.of] + row * here.numbers(), here.of),
        )
        if not fits.all():
            return
        y = int(tops[-1] + tall[-1])


LAYOUT = Layout("slide", sample_params, place_text, fill=0.8)
