"""Ink: where a page is not all one colour."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vae_corpus.expressions import column, setting
from vae_corpus.score_types import Column, DropRule, Look, Score, Threshold, always
from vae_corpus.tiles import INK_PX
from vae_corpus.words import DOCUMENT, GENERAL, TEXT_REAL

# Raised when the same pixels would give other cells.
VERSION = "1"

CELL_PX = INK_PX

SCORE = Score(
    name="ink",
    columns=(
        Column(
            name="ink_cells",
            type=pa.list_(pa.uint8()),
            meaning="by how many levels of 0..255 pixels differ in each 32 px cell; text only",
            carried=False,
        ),
        Column(
            name="ink_max",
            type=pa.uint8(),
            meaning="levels of the cell with most ink, 0 to 255",
            title="Ink levels",
            sql="list_max(ink_cells)",
        ),
    ),
    prepare=always(VERSION, lambda look: _of_text(look)),
    thresholds=(
        Threshold(
            setting="min_ink_levels",
            default=8,
            most=255,
            about="pages and tiles of text are blank, and dropped, where no 32 px cell inside has"
            " pixels that differ by so many levels of 255 (0 keeps all); print differs by 100",
            column="ink_max",
            title="Ink of text",
            kinds=(TEXT_REAL, DOCUMENT),
            high=255,
            step=1,
        ),
    ),
    drops=(
        DropRule(
            slug="blank",
            when=column("kind").differs(GENERAL) & (column("ink_max") < setting("min_ink_levels")),
        ),
    ),
)


def shows_text(look: Look) -> bool:
    """Whether a picture is a page or shows characters: only text is cut into tiles."""
    return look.content == DOCUMENT or bool(look.value("chars_est"))


def _of_text(look: Look) -> dict[str, Any]:
    return ink_cells(look.rgb) if shows_text(look) else {}


def ink_cells(rgb: NDArray[np.uint8]) -> dict[str, Any]:
    """`ink_cells`: by how many levels of 0..255 the pixels of each 32 px cell differ at most.

    `rgb` is uint8[H, W, 3] of any size. Cells are row-major; those at the right and bottom edge
    hold what is left. The colour that differs most counts, so that red on green is ink.
    """
    height, width = rgb.shape[:2]
    whole = height // CELL_PX * CELL_PX
    strips = rgb[:whole].reshape(-1, CELL_PX, width, 3)
    # Down the rows first, in the order of memory; what is left is small.
    high, low = strips.max(axis=1), strips.min(axis=1)
    if whole < height:
        high = np.concatenate([high, rgb[whole:].max(axis=0, keepdims=True)])
        low = np.concatenate([low, rgb[whole:].min(axis=0, keepdims=True)])
    across = np.arange(0, width, CELL_PX)
    levels = np.maximum.reduceat(high, across, axis=1) - np.minimum.reduceat(low, across, axis=1)
    levels = levels.max(axis=2)
    return {"ink_cells": levels.ravel().tolist()}
