"""The cascade of text density: a screen, a glance, the detector of an OCR engine.

A screen of about half a millisecond a cell (`screen`) finds where text is possible; the
detector of an OCR engine looks there, at 1.5 times the size, because letters of 6 px over a picture
are lost at 1. Where text is merely possible it looks at the plain size first, and goes on only if
it finds a line. What a line looks like tells how many characters it has (`line`). Reading would
cost many times as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.clarity import texture
from filters.ocr.engine import OcrEngine, Polygons, Rgb
from filters.text_density import line as text_line
from filters.text_density import screen
from vae_corpus.score_types import Look

# Raised when a change here changes scores without changing a constant below.
_CODE_VERSION = 3

CELL_PX = 256
# The detector looks at blocks and a margin around them; each line counts in the block it lies in.
_BLOCK_PX, _MARGIN_PX = 512, 32
_SCALE = 1.5
# Chances of the screen: below the first there is no text, from the second on there is.
_POSSIBLE, _LIKELY = 0.2, 0.8
# The chance from which on a line that the detector found is taken for text.
_IS_TEXT = 0.4
# Characters are laid into bins of this side, and windows of 256 px slide over them.
_BIN_PX = 64
# A picture is of one script when it has so large a share of the characters.
_MAIN_SHARE = 0.85


@dataclass(frozen=True)
class TextDensity:
    """Scores pictures with the detector of `engine`."""

    engine: OcrEngine

    @property
    def version(self) -> str:
        """Names all that the scores depend on: this code, the weights, the engine."""
        own = (_CODE_VERSION, _BLOCK_PX, _MARGIN_PX, _SCALE, _POSSIBLE, _LIKELY, _IS_TEXT)
        weights = [w.sha256[:16] for w in (*screen.load(), text_line.load())]
        return f"{own}; weights {weights}; {self.engine.engine_id}"

    def score(self, rgb: Rgb) -> dict[str, Any]:
        """Figures about the text in uint8[H, W, 3]; all are 0 where there is none.

        `chars_est`, `chars_per_mpx`: characters in all and per million pixels.
        `max_chars_per_256_tile`: those in the fullest window of 256 x 256 px (of a smaller picture:
        in all of it). `glyph_px_p50`, `glyph_px_min`: em in px that half and 5 % of the characters
        stay below. `text_area_share`: part of the picture under lines of text, in [0, 1].
        `script`: `latin` (any alphabet), `han` or `mixed`; None without text. `text_stage`: how far
        the cascade went, `screen`, `glance` (at the plain size) or `detect`. `text_cells`:
        characters in each cell of a grid of 256 px, row by row, ceil(H/256) * ceil(W/256).
        """
        return self.score_with_lines(rgb)[0]

    def score_with_lines(self, rgb: Rgb) -> tuple[dict[str, Any], Polygons]:
        """As `score`, and the corners of the lines, float32[N, 4, 2] in px.

        A line across the border of two blocks of 512 px comes as two that meet there.
        """
        return self.look_for_lines(Look(rgb))

    def look_for_lines(self, look: Look) -> tuple[dict[str, Any], Polygons]:
        """As `score_with_lines`, with what other scores have computed already."""
        rgb, luma = look.rgb, look.luma
        height, width = luma.shape
        chances = screen.chances(luma, CELL_PX, lambda: texture(look))
        wanted = chances >= _LIKELY
        possible = np.argwhere((chances >= _POSSIBLE) & ~wanted)
        for row, column in possible:
            wanted[row, column] = self._glance(rgb, luma, int(row) * CELL_PX, int(column) * CELL_PX)
        found: list[_Line] = []
        for left, top, right, bottom in _blocks(wanted, height, width):
            x0, y0 = max(left - _MARGIN_PX, 0), max(top - _MARGIN_PX, 0)
            seen = np.ascontiguousarray(rgb[y0 : bottom + _MARGIN_PX, x0 : right + _MARGIN_PX])
            polygons = find_lines(self.engine, seen) + np.array([x0, y0], np.float32)
            for polygon, (chars, em_px, han, text) in zip(
                polygons, text_line.estimate(luma, polygons), strict=True
            ):
                line = _Line.of(polygon, chars, em_px, han)
                points = line.points
                after = (points >= (left, top)).all(axis=1)
                inside = np.asarray(after & (points < (right, bottom)).all(axis=1))
                if inside.any() and text >= _IS_TEXT:
                    found.append(line.part(inside))
        stage = "detect" if wanted.any() else "glance" if len(possible) else "screen"
        scores = _scores(found, height, width) | {"text_stage": stage}
        corners = np.array([line.polygon for line in found], np.float32)
        return scores, corners.reshape(-1, 4, 2)

    def _glance(self, rgb: Rgb, luma: NDArray[np.uint8], top: int, left: int) -> bool:
        """Whether there is a line of text in a cell, looked at in its own size."""
        cell = np.ascontiguousarray(rgb[top : top + CELL_PX, left : left + CELL_PX])
        there = luma[top : top + CELL_PX, left : left + CELL_PX]
        lines = text_line.estimate(there, self.engine.detect(cell))
        return bool((lines[:, 3] >= _IS_TEXT).any())


def find_lines(engine: OcrEngine, rgb: Rgb) -> Polygons:
    """Lines of text as the cascade finds them: at 1.5 times the size, float32[N, 4, 2] in px."""
    large = cv2.resize(rgb, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
    return engine.detect(large) / np.float32(_SCALE)


@dataclass(frozen=True)
class _Line:
    """A line: its corners, points along its middle, characters, em, chance of Han, area in px."""

    polygon: NDArray[np.float32]
    points: NDArray[np.float32]
    chars: float
    em_px: float
    han: float
    area: float

    @classmethod
    def of(cls, polygon: NDArray[np.float32], chars: float, em_px: float, han: float) -> _Line:
        across = float(np.linalg.norm(polygon[1] - polygon[0]))
        down = float(np.linalg.norm(polygon[3] - polygon[0]))
        ends = polygon[[3, 0, 1, 2]] if across >= down else polygon[[0, 1, 2, 3]]
        start, end = (ends[0] + ends[1]) / 2, (ends[2] + ends[3]) / 2
        # A point for some 8 px.
        count = 1 + int(max(across, down) / 8)
        share = ((np.arange(count) + 0.5) / count)[:, None]
        points = np.maximum(start + share * (end - start), 0).astype(np.float32)
        return cls(polygon, points, chars, em_px, han, across * down)

    def part(self, inside: NDArray[np.bool_]) -> _Line:
        """The line with those of its points that are inside."""
        share = float(inside.mean())
        where = np.flatnonzero(inside) / len(inside)
        return replace(
            self,
            polygon=_cut(self.polygon, where[0], where[-1] + 1 / len(inside)),
            points=self.points[inside],
            chars=self.chars * share,
            area=self.area * share,
        )


def _cut(polygon: NDArray[np.float32], start: float, stop: float) -> NDArray[np.float32]:
    """The part of a line between two shares of its length."""
    across = np.linalg.norm(polygon[1] - polygon[0]) >= np.linalg.norm(polygon[3] - polygon[0])
    # From the first corner to the second, and from the fourth to the third, is along the line.
    a, b, c, d = polygon if across else np.roll(polygon, -1, axis=0)
    along, below = b - a, c - d
    ends = [a + start * along, a + stop * along, d + stop * below, d + start * below]
    cut = np.array(ends, np.float32)
    return cut if across else np.roll(cut, 1, axis=0)


def _scores(lines: list[_Line], height: int, width: int) -> dict[str, Any]:
    bins = np.zeros((-(-height // _BIN_PX), -(-width // _BIN_PX)))
    for line in lines:
        # A line at the very edge may have its middle on the edge.
        at = np.minimum((line.points // _BIN_PX).astype(int), np.array(bins.shape[::-1]) - 1)
        np.add.at(bins, (at[:, 1], at[:, 0]), line.chars / len(line.points))
    chars = float(bins.sum())
    glyphs = [0.0, *(line.em_px for line in lines)]
    weights = [0.0, *(line.chars for line in lines)]
    return {
        "chars_est": chars,
        "chars_per_mpx": chars * 1e6 / (height * width),
        "max_chars_per_256_tile": _fullest_window(bins),
        "glyph_px_p50": _quantile(glyphs, weights, 0.5),
        "glyph_px_min": _quantile(glyphs, weights, 0.05),
        "text_area_share": min(1.0, sum(line.area for line in lines) / (height * width)),
        "script": _script(lines, chars),
        "text_cells": _sum_bins(bins, CELL_PX // _BIN_PX).ravel().tolist(),
    }


def _script(lines: list[_Line], chars: float) -> str | None:
    if chars == 0:
        return None
    share = sum(line.chars for line in lines if line.han > 0.5) / chars
    if share >= _MAIN_SHARE:
        return "han"
    return "latin" if share <= 1 - _MAIN_SHARE else "mixed"


def _blocks(
    wanted: NDArray[np.bool_], height: int, width: int
) -> Iterator[tuple[int, int, int, int]]:
    """Left, top, right, bottom in px of blocks that hold wanted cells, cropped to these."""
    step = _BLOCK_PX // CELL_PX
    for row in range(0, wanted.shape[0], step):
        for column in range(0, wanted.shape[1], step):
            rows, columns = np.nonzero(wanted[row : row + step, column : column + step])
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
