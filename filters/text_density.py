"""Text density: how many characters a picture shows, how small, and where; without reading them.

A cascade. A screen of a few milliseconds (`text_screen`) finds the blocks where text is possible;
the detector of an OCR engine looks at these, at their own size. A line of text that is w px long
with letters of h px holds about w / h characters, times a constant of the script. Reading would
cost many times as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters import text_screen
from filters.ocr.engine import OcrEngine, Rgb

# Raised when a change here changes scores without changing a constant below.
_CODE_VERSION = 1

CELL_PX = 256
# The detector looks at blocks and a margin around them; each line counts in the block it lies in.
_BLOCK_PX, _MARGIN_PX = 512, 64
# A detected line is this much longer and higher than its letters' em, whatever their size (the
# detector finds cores that are grown back; measured on PDF pages with letters of 6 to 20 px).
_GROWTH_PX = 5.0
_MIN_GLYPH_PX = 3.0
# Characters per em of line: 1.75 in English, 1.0 in Chinese; pages of Chinese about software have
# 1.3. Our choice is the middle, because the screen does not tell scripts apart.
_CHARS_PER_EM = 1.6
# Characters are laid into bins of this side, and windows of 256 px slide over them.
_BIN_PX = 64


@dataclass(frozen=True)
class TextDensity:
    """Scores pictures with the detector of `engine`."""

    engine: OcrEngine

    @property
    def version(self) -> str:
        """Names all that the scores depend on: this code, the screen, the engine."""
        own = (_CODE_VERSION, _BLOCK_PX, _MARGIN_PX, _GROWTH_PX, _MIN_GLYPH_PX, _CHARS_PER_EM)
        return f"{own}; screen {text_screen.VERSION}; {self.engine.engine_id}"

    def score(self, rgb: Rgb) -> dict[str, Any]:
        """Figures about the text in uint8[H, W, 3]; all are 0 where there is none.

        `chars_est`, `chars_per_mpx`: characters in all and per million pixels.
        `max_chars_per_256_tile`: those in the fullest window of 256 x 256 px (of a smaller picture:
        in all of it). `glyph_px_p50`, `glyph_px_min`: em in px that half and 5 % of the characters
        stay below. `text_area_share`: part of the picture under lines of text, in [0, 1].
        `text_stage`: `screen` when no block came past the screen, else `detect`. `text_cells`:
        characters in each cell of a grid of 256 px, row by row, ceil(H/256) * ceil(W/256).
        """
        height, width = rgb.shape[:2]
        bins = np.zeros((-(-height // _BIN_PX), -(-width // _BIN_PX)))
        glyphs, weights, area, stage = [0.0], [0.0], 0.0, "screen"
        for left, top, right, bottom in _blocks(text_screen.candidates(rgb, CELL_PX), rgb):
            stage = "detect"
            x0, y0 = max(left - _MARGIN_PX, 0), max(top - _MARGIN_PX, 0)
            seen = rgb[y0 : bottom + _MARGIN_PX, x0 : right + _MARGIN_PX]
            for polygon in self.engine.detect(np.ascontiguousarray(seen)):
                line = _Line.of(polygon + np.array([x0, y0], np.float32))
                points = line.points()
                inside = (points >= (left, top)).all(1) & (points < (right, bottom)).all(1)
                chars = line.chars * inside.mean()
                if chars:
                    at = (points[inside] // _BIN_PX).astype(int)
                    np.add.at(bins, (at[:, 1], at[:, 0]), line.chars / len(points))
                    glyphs.append(line.glyph_px)
                    weights.append(chars)
                    area += line.area * inside.mean()
        chars = float(bins.sum())
        return {
            "chars_est": chars,
            "chars_per_mpx": chars * 1e6 / (height * width),
            "max_chars_per_256_tile": _fullest_window(bins),
            "glyph_px_p50": _quantile(glyphs, weights, 0.5),
            "glyph_px_min": _quantile(glyphs, weights, 0.05),
            "text_area_share": min(1.0, area / (height * width)),
            "text_stage": stage,
            "text_cells": _sum_bins(bins, CELL_PX // _BIN_PX).ravel().tolist(),
        }


@dataclass(frozen=True)
class _Line:
    """A detected line: the ends of its middle, its em and its length in px."""

    start: NDArray[np.float32]
    end: NDArray[np.float32]
    glyph_px: float
    length_px: float
    area: float

    @classmethod
    def of(cls, polygon: NDArray[np.float32]) -> _Line:
        across = float(np.linalg.norm(polygon[1] - polygon[0]))
        down = float(np.linalg.norm(polygon[3] - polygon[0]))
        ends = polygon[[3, 0, 1, 2]] if across >= down else polygon[[0, 1, 2, 3]]
        start, end = (ends[0] + ends[1]) / 2, (ends[2] + ends[3]) / 2
        glyph = max(min(across, down) - _GROWTH_PX, _MIN_GLYPH_PX)
        length = max(max(across, down) - _GROWTH_PX, glyph)
        return cls(start, end, glyph, length, across * down)

    @property
    def chars(self) -> float:
        return _CHARS_PER_EM * self.length_px / self.glyph_px

    def points(self) -> NDArray[np.float32]:
        """Evenly spread points on the middle of the line, float32[N, 2], one for some 8 px."""
        count = 1 + int(self.length_px / 8)
        share = ((np.arange(count) + 0.5) / count)[:, None]
        points: NDArray[np.float32] = (self.start + share * (self.end - self.start)).astype(
            np.float32
        )
        return np.maximum(points, 0)


def _blocks(cells: NDArray[np.bool_], rgb: Rgb) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right, bottom of the blocks that hold a candidate, cropped to candidate cells."""
    height, width = rgb.shape[:2]
    step = _BLOCK_PX // CELL_PX
    for row in range(0, cells.shape[0], step):
        for column in range(0, cells.shape[1], step):
            rows, columns = np.nonzero(cells[row : row + step, column : column + step])
            if len(rows):
                yield (
                    (column + int(columns.min())) * CELL_PX,
                    (row + int(rows.min())) * CELL_PX,
                    min((column + int(columns.max()) + 1) * CELL_PX, width),
                    min((row + int(rows.max()) + 1) * CELL_PX, height),
                )


def _sum_bins(bins: NDArray[np.float64], step: int) -> NDArray[np.float64]:
    rows = np.add.reduceat(bins, np.arange(0, bins.shape[0], step), axis=0)
    sums: NDArray[np.float64] = np.add.reduceat(rows, np.arange(0, bins.shape[1], step), axis=1)
    return sums


def _fullest_window(bins: NDArray[np.float64]) -> float:
    size = CELL_PX // _BIN_PX
    window = (min(size, bins.shape[0]), min(size, bins.shape[1]))
    views = np.lib.stride_tricks.sliding_window_view(bins, window)
    return float(views.sum(axis=(2, 3)).max())


def _quantile(values: list[float], weights: list[float], share: float) -> float:
    """The value that `share` of the weight lies at or below; 0 where there is no weight."""
    order = np.argsort(values)
    below = np.cumsum(np.asarray(weights)[order])
    at = int(np.searchsorted(below, share * below[-1]))
    return float(np.asarray(values)[order][min(at, len(order) - 1)])
