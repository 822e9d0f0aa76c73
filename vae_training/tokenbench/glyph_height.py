"""How high a full character of a block of text is, from its pixels alone."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vae_training.tokenbench.crop import Rgb
from vae_training.tokenbench.standard import ZH, Standard

_LEAST_PX = 4
_LEAST_GLYPHS = 20
# Parts of a line's height: less is a dot or a comma, more is joined to another line.
_PARTS = (0.3, 1.3)
# Of the letters of English prose about 28 % have ascenders or are capitals, 6 % descend below the
# line: so this share of the pieces is lower than the middle of those of full height.
_FULL = 0.85


def glyph_height(rgb: Rgb, standard: Standard) -> float | None:
    """In px; None when no rows of text can be told apart.

    A Latin letter is one piece of ink, so the piece that 85 % are lower than is a capital or an
    ascender. A Han character is several: those of a line that stand above each other are joined
    first, and their median is taken.
    """
    if min(rgb.shape[:2]) < _LEAST_PX:
        return None
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    _, ink = cv2.threshold(grey, 0, 255, cv2.THRESH_BINARY + cv2.THRESH_OTSU)
    if (ink > 0).mean() > 0.5:  # dark on light, as nearly all print is
        ink = 255 - ink
    heights: list[float] = []
    for first, last in _runs((ink > 0).sum(axis=1) > 0):
        row = last - first
        if row < _LEAST_PX:
            continue
        line = (ink[first:last] > 0).astype(np.uint8)
        found = _han(line) if standard is ZH else _pieces(line)
        heights += [h for h in found if _PARTS[0] * row <= h <= _PARTS[1] * row]
    if len(heights) < _LEAST_GLYPHS:
        return None
    return float(np.quantile(heights, 0.5 if standard is ZH else _FULL))


def _pieces(line: NDArray[np.uint8]) -> list[float]:
    _, _, stats, _ = cv2.connectedComponentsWithStats(line, connectivity=8)
    return [float(h) for h in stats[1:, cv2.CC_STAT_HEIGHT]]


def _han(line: NDArray[np.uint8]) -> list[float]:
    """Heights of columns of ink that are about as wide as the line is high."""
    found: list[float] = []
    for first, last in _runs(line.sum(axis=0) > 0):
        if last - first < 0.6 * len(line):
            continue
        rows = np.flatnonzero(line[:, first:last].sum(axis=1))
        found.append(float(rows[-1] - rows[0] + 1))
    return found


def _runs(inked: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """First and one past the last of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate(([0], inked.astype(np.int8), [0]))))
    return [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
