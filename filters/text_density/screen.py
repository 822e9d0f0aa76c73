"""The first step of text density: where could there be text? Cheap, and careful not to lose any.

The features of clarity (steps, edges, blocks, spectrum) say what a cell's texture is like, and
small trees, trained on pages and on text over photographs, whether it could be text.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from filters import trees
from filters.clarity.features import NAMES, features
from filters.clarity.tiles import tiles

WEIGHTS = Path(__file__).with_name("screen.json")
OUTPUTS = ("text",)


def load() -> trees.Weights:
    return trees.load(WEIGHTS, NAMES, OUTPUTS, "`python benchmarks/fit_text_density.py`")


def chances(luma: NDArray[np.uint8], cell_px: int) -> NDArray[np.float64]:
    """How likely each cell holds text, float64[ceil(H / cell_px), ceil(W / cell_px)] in [0, 1]."""
    rows, columns = (-(-side // cell_px) for side in luma.shape)
    found = [
        look(luma[y * cell_px : (y + 1) * cell_px, x * cell_px : (x + 1) * cell_px])
        for y in range(rows)
        for x in range(columns)
    ]
    grid: NDArray[np.float64] = load().trees.chances(np.stack(found)).reshape(rows, columns)
    return grid


def look(cell: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The features of one cell, uint8[H, W]."""
    return features(tiles(cell))
