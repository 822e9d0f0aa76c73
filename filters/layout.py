"""Layout: what tells two filled-in copies of one template apart, where only pixels are known.

All pages of a template have the same perceptual hash, so this looks closer: at 64 x 64 points of
the part of the picture that holds its detail. That part is found by where the edges are, which
re-encoding, scaling and cutting margins off leave where they were. A point holds how much brighter
it is than what is around it, blurred so far that half a pixel more or less, or another resolution,
changes little: another name in a form changes more.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from filters.ink import shows_text
from vae_corpus.scores import Column, Look, Score, always
from vae_corpus.words import DOCUMENT

# Raised when the same pixels would give another layout.
VERSION = "1"

POINTS = 64
LEVELS = 256

# All found on pages of six templates (see benchmarks/template_duplicates.py). More resolution
# tells more pages apart, and copies from each other as well.
_LONG_SIDE_PX = 768
_SEARCH_PX = 512
_EDGE_LEVELS = 10.0
_TAIL_SHARE = 0.03
_MARGIN_SHARE = 0.03
_LEAST_SHARE = 0.5
_CELLS = 128
_BLUR_CELLS = 32 / 15
_AROUND = (5, 5)
# One tone covers 0.6 and more of a page, 0.44 and more of a photographed one, and less of most
# photographs.
_TONE_LEVELS, _PLAIN_SHARE = 17, 0.4
# What a point may be brighter than its surroundings on account of copying: some levels of 255, and
# more beside strong edges.
_TOLERANCE_LEVELS = 6.0
_TOLERANCE_SHARE = 0.25
# Levels of a stored byte per tolerance.
_SCALE = 200

SCORE = Score(
    name="layout",
    columns=(
        Column(
            name="layout",
            type=pa.binary(),
            meaning="64 x 64 bytes: local contrast of the part with detail; text only",
            carried=False,
        ),
    ),
    prepare=always(VERSION, lambda look: _of_text(look)),
)


def layout(rgb: NDArray[np.uint8], *, page: bool = True) -> dict[str, Any]:
    """`layout`: 64 x 64 bytes, row by row, or None. `rgb` is uint8[H, W, 3] of any size.

    `page`: it is known to be one. Else it has a layout only if it is print on plain ground: nobody
    fills in photographs, and their fine texture, which copies lose, would make others of them.
    Layouts are compared by `differences`.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.float32)
    if max(grey.shape) > _LONG_SIDE_PX:
        grey = _resized(grey, _LONG_SIDE_PX)
    small = cv2.GaussianBlur(_resized(grey, _SEARCH_PX), (0, 0), 1)
    if not page and not _is_plain(small):
        return {"layout": None}
    cells = _cells(grey, *_frame(small, grey.shape))
    around = np.ones(_AROUND, np.uint8)
    spread = cv2.dilate(cells, around) - cv2.erode(cells, around)
    tolerance = _TOLERANCE_LEVELS + _TOLERANCE_SHARE * spread
    contrast = (cells - cv2.blur(cells, _AROUND)) / tolerance
    step = _CELLS // POINTS
    levels = np.rint(contrast[::step, ::step] * _SCALE) + LEVELS // 2
    return {"layout": np.clip(levels, 0, LEVELS - 1).astype(np.uint8).tobytes()}


def _of_text(look: Look) -> dict[str, Any]:
    return layout(look.rgb, page=look.content == DOCUMENT) if shows_text(look) else {}


def differences(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.float64]:
    """How far pairs differ in some place more than everywhere: float64[N] of two uint8[N, 4096].

    The largest difference less twice the root of the mean square. A poor copy differs a little all
    over the page, another name in one place.
    """
    apart = np.maximum(one, other) - np.minimum(one, other)
    squares = (apart.astype(np.uint32) ** 2).sum(axis=1)
    largest: NDArray[np.float64] = apart.max(axis=1) - 2 * np.sqrt(squares / apart.shape[1])
    return largest


def _resized(grey: NDArray[np.float32], side_px: int) -> NDArray[np.float32]:
    """The picture with a longer side of `side_px`."""
    height, width = grey.shape
    scale = side_px / max(height, width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    way = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    resized: NDArray[np.float32] = cv2.resize(grey, size, interpolation=way)
    return resized


def _is_plain(grey: NDArray[np.float32]) -> bool:
    counts = np.bincount(grey.astype(np.uint8).ravel(), minlength=LEVELS)
    return bool(np.convolve(counts, np.ones(_TONE_LEVELS)).max() >= _PLAIN_SHARE * grey.size)


def _frame(small: NDArray[np.float32], shape: tuple[int, ...]) -> tuple[float, float, float, float]:
    """Left, right, top and bottom of the detail, as shares of the sides of a `shape`."""
    edges = np.zeros_like(small)
    edges[:, 1:] += np.abs(np.diff(small, axis=1))
    edges[1:] += np.abs(np.diff(small, axis=0))
    edges = np.maximum(edges - _EDGE_LEVELS, 0)
    left, right = _ends(edges.sum(axis=0))
    top, bottom = _ends(edges.sum(axis=1))
    # A few lines on an empty page, looked at so closely, would not survive scaling.
    height, width = shape
    least = _LEAST_SHARE * max(height, width)
    return *_widened(left, right, least / width), *_widened(top, bottom, least / height)


def _widened(start: float, end: float, least: float) -> tuple[float, float]:
    more = max(0.0, least - (end - start)) / 2
    return start - more, end + more


def _ends(edges: NDArray[np.float32]) -> tuple[float, float]:
    """Where the outermost edges lie on average, and a margin.

    An average moves little when some edges come or go. Where the last edge is, or where a share of
    them ends, would jump over a gap between two paragraphs.
    """
    total = float(edges.sum())
    if not total:
        return 0.0, 1.0
    places = (np.arange(len(edges)) + 0.5) / len(edges)

    def outermost(edges: NDArray[np.float32], places: NDArray[np.float64]) -> float:
        shares = edges / total
        before = np.cumsum(shares) - shares
        weights = np.clip(_TAIL_SHARE - before, 0, shares)
        return float((weights * places).sum() / weights.sum())

    start, end = outermost(edges, places), outermost(edges[::-1], places[::-1])
    margin = _MARGIN_SHARE * (end - start)
    return start - margin, end + margin


def _cells(
    grey: NDArray[np.float32], left: float, right: float, top: float, bottom: float
) -> NDArray[np.float32]:
    """float32[128, 128]: the blurred picture at the middle of each cell of the frame."""
    height, width = grey.shape
    middles = (np.arange(_CELLS) + 0.5) / _CELLS
    x = (left + (right - left) * middles) * width - 0.5
    y = (top + (bottom - top) * middles) * height - 0.5
    blur_x, blur_y = (
        # A pixel is a blur of its own, which counts for more in a small picture.
        np.sqrt(max((_BLUR_CELLS * (places[1] - places[0])) ** 2 - 1 / 12, 0.01))
        for places in (x, y)
    )
    soft = cv2.GaussianBlur(
        grey, (0, 0), sigmaX=blur_x, sigmaY=blur_y, borderType=cv2.BORDER_REPLICATE
    )
    return _between(_between(soft, y).T, x).T


def _between(values: NDArray[np.float32], places: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rows of `values` at `places`, which lie between rows; beyond the last it is the last."""
    last = len(values) - 1
    places = np.clip(places, 0, last)
    below = np.minimum(places.astype(np.int64), max(last - 1, 0))
    share = (places - below).astype(np.float32)[:, None]
    mixed: NDArray[np.float32] = values[below] * (1 - share)
    mixed += values[np.minimum(below + 1, last)] * share
    return mixed
