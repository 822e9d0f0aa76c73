"""Signs and captions: short texts scattered over the picture, each on its own plate."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, margin
from renderers.layout.sheet import Sheet


def draw(rng: np.random.Generator, page: Page) -> Params:
    """Size of the cells over which captions are scattered, and how many lines one may have."""
    return {
        "margin": margin(rng, page),
        "cell_width": int(page.size_px * rng.uniform(7, 15)),
        "rows": int(rng.integers(1, 5)),
        "spacing": float(rng.uniform(1.15, 1.4)),
    }


def place(sheet: Sheet, p: Params) -> None:
    """One caption in each cell of a grid, anywhere inside its cell."""
    m, size, lines = int(p["margin"]), sheet.size_px, int(p["rows"])
    row = max(size + 1, round(float(p["spacing"]) * size))
    across = max(1, (sheet.width - 2 * m) // int(p["cell_width"]))
    down = max(1, (sheet.height - 2 * m) // (lines * row + size))
    width, height = (sheet.width - 2 * m) / across, (sheet.height - 2 * m) / down
    room = width - size
    for cell in range(across * down):
        left, top = m + cell % across * width, m + cell // across * height
        words = sheet.phrase(room * float(sheet.rng.uniform(0.5, lines)), fresh=True)
        if words is None:
            return
        strips = sheet.set(words, room, max_lines=lines)
        x = left + float(sheet.rng.uniform(0, room - max(s.length_px for s in strips) + 1))
        # Half an em at the least to the caption below.
        y = top + float(sheet.rng.uniform(0, height - len(strips) * row - size / 2))
        reach = max(s.length_px for s in strips)
        sheet.plate(x - size / 3, y - 1, x + reach + size / 3, y + len(strips) * row)
        for strip in strips:
            sheet.put(strip, x, y)
            y += row


LAYOUT = Layout("captions", draw, place, fill=0.6)
