"""Signs and captions: short texts scattered over the picture, each on its own plate."""

from __future__ import annotations

import numpy as np

from renderers.layout.base import Layout, Page, Params, sample_margin
from renderers.layout.sheet import Sheet


def sample_params(rng: np.random.Generator, page: Page) -> Params:
    """Size of the cells over which captions are scattered, and how many lines one may have."""
    return {
        "margin": sample_margin(rng, page),
        "cell_width": int(page.size_px * rng.uniform(7, 15)),
        "rows": int(rng.integers(1, 5)),
        "spacing": float(rng.uniform(1.15, 1.4)),
    }


def place_text(sheet: Sheet, p: Params) -> None:
    """One caption in each cell of a grid, anywhere inside its cell."""
    m, size, lines = int(p["margin"]), sheet.size_px, int(p["rows"])
    row = max(size + 1, round(float(p["spacing"]) * size))
    across = max(1, (sheet.width - 2 * m) // int(p["cell_width"]))
    down = max(1, (sheet.height - 2 * m) // (lines * row + size))
    width, height = (sheet.width - 2 * m) / across, (sheet.height - 2 * m) / down
    room, count = width - size, across * down
    rng = sheet.rng
    words = sheet.phrases(room * rng.uniform(0.5, lines, count), fresh=True)
    count = len(words)
    set_lines = sheet.set(words, room, max_lines=lines)
    of = set_lines.of
    reach = np.zeros(count)
    np.maximum.at(reach, of, set_lines.length_px)
    tall = set_lines.counts(count) * row
    cell = np.arange(count)
    left = m + cell % across * width + rng.random(count) * np.maximum(0, room - reach + 1)
    # Half an em at the least to the caption below.
    top = m + cell // across * height + rng.random(count) * (height - tall - size / 2)
    plates = np.stack([left - size / 3, top - 1, left + reach + size / 3, top + tall], axis=1)
    for plate in plates.tolist():
        sheet.plate(*plate)
    sheet.put(set_lines, left[of], top[of] + row * set_lines.numbers())


LAYOUT = Layout("captions", sample_params, place_text, fill=0.6)
