"""An article: headline, byline, two or more justified columns with sub-headings."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import (
    Layout,
    Page,
    Params,
    sample_columns,
    sample_margin,
    sample_pitch,
    sample_title_px,
)
from renderers.layout.sections import place_sections
from renderers.layout.sheet import Sheet


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Size of the headline, columns, rules between them, paragraphs between sub-headings."""
    m = sample_margin(rng, page)
    count, gap = sample_columns(rng, page, page.width - 2 * m, 4)
    return {
        "margin": m,
        "pitch": sample_pitch(rng, page),
        "title_px": sample_title_px(rng, page, 1.3, 1.8),
        "columns": count,
        "gap": gap,
        "rules": bool(rng.random() < 0.35),
        "align": "justify" if rng.random() < 0.75 else "left",
        "section": int(rng.integers(2, 7)),
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """Headline over all columns, then the columns, with a sub-heading every few paragraphs."""
    m, size, row = int(p["margin"]), sheet.size_px, int(p["pitch"])
    inner = sheet.width - 2 * m
    sheet.plate(0, 0, sheet.width, sheet.height)
    y = _headline(sheet, m, inner, int(p["title_px"]))
    count, gap = int(p["columns"]), int(p["gap"])
    width = (inner - (count - 1) * gap) // count
    lefts = [m + column * (width + gap) for column in range(count)]
    if p["rules"]:
        for x in lefts[1:]:
            sheet.rule(x - gap // 2 - 1, y, x - gap // 2, sheet.height - m)
    place_sections(
        sheet,
        [(x, y, sheet.height - m) for x in lefts],
        width,
        pitch=row,
        align=str(p["align"]),
        indent_px=2 * size,
        section=int(p["section"]),
    )


def _headline(sheet: Sheet, x: int, width: int, size: int) -> float:
    y = float(x)
    title = sheet.phrase(0.9 * width, size_px=size, fresh=True)
    if len(title):
        sheet.put(sheet.set(title, width, size_px=size, heading=True, max_lines=1), x, y)
        y += round(1.25 * size)
    byline = sheet.phrase(0.4 * width, fresh=True)
    if len(byline):
        sheet.put(sheet.set(byline, width, max_lines=1), x, y)
        y += round(1.5 * sheet.size_px)
    return y


LAYOUT = Layout("article", sample_params, place_text)
