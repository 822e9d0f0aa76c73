"""What a line of text looks like: enough to count its characters and to tell its script, unread.

A line of w px with letters of h px holds about w / h characters times a constant, and the constant
is what differs: 1 for Han, over 2 for narrow Latin. How often ink begins along the line, how evenly
it fills the line's height and how wide the gaps are tell which.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from filters import trees

WEIGHTS = Path(__file__).with_name("line.json")
# Logarithms of characters over width/height and of em over height; log odds of being Han, and of
# being writing at all: the detector takes some fences and leaves for lines.
OUTPUTS = ("chars", "em", "han", "text")
# Lines are looked at this high, and at most so many times as long as high.
_HEIGHT_PX, _MAX_RATIO = 24, 60
_BANDS = 8

NAMES = (
    "height",
    "ratio",
    "ink",
    *(f"band{n}" for n in range(_BANDS)),
    "starts",
    "starts_middle",
    "starts_upper",
    "starts_down",
    "gaps",
    "gap_length",
    "run_length",
    "run_spread",
    "contrast",
)


def load() -> trees.Weights:
    return trees.load(WEIGHTS, NAMES, OUTPUTS, "`python benchmarks/fit_text_density.py`")


def estimate(
    grey: NDArray[np.uint8], polygons: Sequence[NDArray[np.float32]] | NDArray[np.float32]
) -> NDArray[np.float64]:
    """Characters, em in px, the chances of Han and of being text for each line: float64[N, 4]."""
    if not len(polygons):
        return np.zeros((0, 4))
    found = np.stack([looks(grey, polygon) for polygon in polygons])
    sums = load().trees.sums(found)
    height, ratio = found[:, 0], found[:, 1]
    han, text = 1 / (1 + np.exp(-np.clip(sums[:, 2:].T, -30, 30)))
    return np.stack([ratio * np.exp(sums[:, 0]), height * np.exp(sums[:, 1]), han, text], axis=1)


def looks(grey: NDArray[np.uint8], polygon: NDArray[np.float32]) -> NDArray[np.float32]:
    """float32[NAMES] of the line in float32[4, 2] corners of uint8[H, W] luma."""
    line = upright(grey, polygon)
    across, down = _sides(polygon)
    height, ratio = min(across, down), max(across, down) / max(1.0, min(across, down))
    high, low = np.percentile(line, (95, 5))
    level, _ = cv2.threshold(line, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    ink = line > level
    # Ink is what there is less of.
    if ink.mean() > 0.5:
        ink = ~ink
    per_row, any_ink = ink.mean(axis=1), ink.any(axis=0)
    bands = per_row.reshape(_BANDS, -1).mean(axis=1) / (per_row.mean() + 1e-3)
    begins = ink[:, 1:] & ~ink[:, :-1]
    ems = line.shape[1] / _HEIGHT_PX
    middle = _HEIGHT_PX // 2
    edges = np.flatnonzero(np.diff(np.concatenate([[0], any_ink.view(np.int8), [0]])))
    runs = (edges[1::2] - edges[::2]) / _HEIGHT_PX
    found = (
        height,
        ratio,
        ink.mean(),
        *bands,
        begins.sum(axis=1).mean() / ems,
        begins[middle - 3 : middle + 5].sum(axis=1).mean() / ems,
        begins[3 : middle - 3].sum(axis=1).mean() / ems,
        (ink[1:] & ~ink[:-1]).sum(axis=0).mean(),
        len(runs) / ems,
        1 - any_ink.mean(),
        runs.mean() if len(runs) else 0.0,
        runs.std() if len(runs) else 0.0,
        high - low,
    )
    return np.array(found, np.float32)


def upright(grey: NDArray[np.uint8], polygon: NDArray[np.float32]) -> NDArray[np.uint8]:
    """The line lying, uint8[24, W]; a column of text is turned."""
    across, down = _sides(polygon)
    corners = polygon if across >= down else np.roll(polygon, 1, axis=0)
    ratio = max(across, down) / max(1.0, min(across, down))
    width = max(8, round(_HEIGHT_PX * min(ratio, _MAX_RATIO)))
    to = np.array([[0, 0], [width, 0], [0, _HEIGHT_PX]], np.float32)
    matrix = cv2.getAffineTransform(np.ascontiguousarray(corners[[0, 1, 3]], np.float32), to)
    return np.asarray(
        cv2.warpAffine(grey, matrix, (width, _HEIGHT_PX), borderMode=cv2.BORDER_REPLICATE)
    )


def _sides(polygon: NDArray[np.float32]) -> tuple[float, float]:
    """How long the first side of a line is, and the one after it, in px."""
    return (
        float(np.linalg.norm(polygon[1] - polygon[0])),
        float(np.linalg.norm(polygon[3] - polygon[0])),
    )
