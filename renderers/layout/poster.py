"""A poster: blocks of mixed sizes one under the other, each left, centred or right."""

from __future__ import annotations

from itertools import count

import numpy as np

from renderers.layout.base import Layout, Page, Params, sample_margin
from renderers.layout.sheet import Sheet

# Shares of the body size; most of the page is body text, the rest larger where it may be.
_SCALES = (1.0, 1.0, 1.0, 1.25, 1.6, 2.0)


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Alignment (or "mixed", block by block), line spacing, how long the blocks are."""
    return {
        "margin": sample_margin(rng, page),
        "align": ("center", "center", "left", "mixed")[int(rng.integers(4))],
        "spacing": float(rng.uniform(1.18, 1.5)),
        "most_lines": int(rng.integers(2, 9)),
        "largest_px": page.largest_px,
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """Blocks until the page is full: large ones are a line or two, body ones several."""
    m = int(p["margin"])
    width, y, largest = sheet.width - 2 * m, m, int(p["largest_px"])
    sheet.plate(0, 0, sheet.width, sheet.height)
    for block in count():
        # The second block is body text: a page belongs to the band of its body size.
        scale = 1.0 if block == 1 else sheet.dice.pick(_SCALES)
        size = min(largest, round(scale * sheet.size_px))
        row = max(size + 1, round(float(p["spacing"]) * size))
        if y + row > sheet.height - m:
            return
        large = scale > 1
        lines = sheet.dice.uniform(0.4, 1.6 if large else float(p["most_lines"]))
        text = sheet.phrase(lines * width, size_px=size, fresh=True)
        if not len(text):
            return
        align = str(p["align"])
        if align == "mixed":
            align = sheet.dice.pick(("left", "center", "right"))
        block_lines = sheet.set(text, width, size_px=size, align=align, heading=large)
        here = block_lines.where(slice(0, (sheet.height - m - y) // row))
        sheet.put(here, m, y + row * np.arange(len(here.rows)))
        y += row * len(here.rows) + size // 2


LAYOUT = Layout("poster", sample_params, place_text, fill=0.6)
