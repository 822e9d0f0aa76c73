"""The first step of text density: where could there be text? Cheap, and careful not to lose any.

The features of clarity (steps, edges, blocks, spectrum) say what a cell's texture is like, and
small trees, trained on pages and on text over photographs, whether it could be text. Where they do
not rule it out, `strokes` looks for blobs in rows, and other trees judge by both. That leaves a
third to a half of the photographs' cells that texture alone would send on.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from filters import trees
from filters.clarity.features import NAMES, features
from filters.clarity.patches import tiles
from filters.text_density import strokes

TEXTURE = Path(__file__).with_name("texture.json")
TEXT = Path(__file__).with_name("screen.json")
OUTPUTS = ("text",)
# Below this chance by texture there is no second look. Of text over photographs in packages that
# the trees were not grown on, one cell in 300 falls below.
RULED_OUT = 0.015


def load() -> tuple[trees.Weights, trees.Weights]:
    """The trees by texture, and those by texture and strokes."""
    remedy = "`python benchmarks/fit_text_density.py`"
    return (
        trees.load(TEXTURE, NAMES, OUTPUTS, remedy),
        trees.load(TEXT, (*NAMES, *strokes.NAMES), OUTPUTS, remedy),
    )


def chances(
    luma: NDArray[np.uint8], cell_px: int, whole: Callable[[], NDArray[np.float32]] | None = None
) -> NDArray[np.float64]:
    """How likely each cell holds text, float64[ceil(H / cell_px), ceil(W / cell_px)] in [0, 1].

    0 where texture rules it out. `whole` gives the texture of the whole picture, if it is known: it
    is that of the cell when there is only one.
    """
    texture, text = load()
    rows, columns = (-(-side // cell_px) for side in luma.shape)
    cells = [
        luma[y * cell_px : (y + 1) * cell_px, x * cell_px : (x + 1) * cell_px]
        for y in range(rows)
        for x in range(columns)
    ]
    if whole is not None and len(cells) == 1:
        found = whole()[None]
    else:
        found = np.stack([look(cell) for cell in cells])
    grid = np.zeros(rows * columns)
    open_ = np.flatnonzero(texture.trees.chances(found)[:, 0] >= RULED_OUT)
    if len(open_):
        both = [np.concatenate([found[n], strokes.look(cells[n])]) for n in open_]
        grid[open_] = text.trees.chances(np.stack(both))[:, 0]
    return grid.reshape(rows, columns)


def look(cell: NDArray[np.uint8]) -> NDArray[np.float32]:
    """The texture of one cell, uint8[H, W]: the features of clarity."""
    return features(tiles(cell))
