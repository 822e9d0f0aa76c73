"""Vertical Chinese: columns of characters from right to left."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, sample_margin, sample_pitch
from renderers.layout.sheet import Sheet


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Distance of the columns, registers one under the other, rules between columns."""
    tiers = int(rng.integers(1, 4)) if page.height >= 36 * page.size_px else 1
    rules = bool(rng.random() < 0.3)
    return {
        "margin": sample_margin(rng, page),
        # A rule takes a pixel and keeps one from the characters on either side.
        "pitch": sample_pitch(rng, page) + page.size_px // 4 + 2 * rules,
        "tiers": tiers,
        "rules": rules,
        "indent": 2 * page.size_px * bool(rng.random() < 0.5),
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """Fill each register from its right edge; a paragraph starts a new column."""
    m, step, tiers = int(p["margin"]), int(p["pitch"]), int(p["tiers"])
    gap = sheet.size_px
    height = (sheet.height - 2 * m - (tiers - 1) * gap) // tiers
    sheet.plate(0, 0, sheet.width, sheet.height)
    for tier in range(tiers):
        top = m + tier * (height + gap)
        if tier:
            sheet.rule(m, top - gap // 2, sheet.width - m, top - gap // 2 + 1)
        if not _register(sheet, top, height, m, step, p):
            return


def _register(sheet: Sheet, top: int, height: int, m: int, step: int, p: Params) -> bool:
    centre = float(sheet.width - m - step // 2)
    while centre - step / 2 >= m:
        columns = int((centre - step / 2 - m) // step) + 1
        texts = sheet.texts(columns * height)
        if not len(texts):
            return False
        lines = sheet.set(texts, height, indent_px=float(p["indent"]), vertical=True)
        here = lines.where(slice(0, columns))
        centres = centre - step * np.arange(len(here.rows))
        sheet.put_down(here, centres, top)
        if p["rules"]:
            for x in (centres - step / 2).tolist():
                sheet.rule(x, top, x + 1, top + height)
        centre -= step * len(here.rows)
    return True


LAYOUT = Layout("vertical", sample_params, place_text, languages=("zh",), vertical=True)
