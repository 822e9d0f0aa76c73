"""Running text: one column of paragraphs, left, justified or ragged, some with headings."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, sample_margin, sample_pitch
from renderers.layout.sections import place_sections
from renderers.layout.sheet import Sheet

_NEVER = 1_000_000


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Margins, alignment, indents, space and headings between paragraphs (`section` 0: none)."""
    indented = bool(rng.random() < 0.6)
    return {
        "margin": sample_margin(rng, page),
        "pitch": sample_pitch(rng, page),
        "align": ("left", "justify", "ragged")[int(rng.choice(3, p=[0.4, 0.4, 0.2]))],
        "indent": (2 * page.size_px if page.language != "en" else round(1.5 * page.size_px))
        * indented,
        "gap": 0 if indented else page.size_px // 2,
        "section": int(rng.integers(2, 6)) if rng.random() < 0.3 else 0,
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """One column from margin to margin."""
    m = int(p["margin"])
    sheet.plate(0, 0, sheet.width, sheet.height)
    place_sections(
        sheet,
        [(m, m, sheet.height - m)],
        sheet.width - 2 * m,
        pitch=int(p["pitch"]),
        align=str(p["align"]),
        indent_px=float(p["indent"]),
        gap_px=int(p["gap"]),
        section=int(p["section"]) or _NEVER,
    )


LAYOUT = Layout("paragraph", sample_params, place_text)
