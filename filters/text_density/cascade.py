"""The cascade of text density: a screen, then the detector of an OCR engine.

A small network of some 2 ms for 256 x 256 px (`screen`) finds where text is possible; the
detector of an OCR engine looks there, at 1.5 times the size, because letters of 6 px over a picture
are lost at 1. What a line looks like tells how many characters it has (`line`). Reading would cost
many times as much.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import OcrEngine, Polygons, Rgb
from filters.text_density import line as text_line
from filters.text_density import regions, screen
from filters.text_density.known import VERSION as KNOWN_VERSION
from filters.text_density.known import beside, known_scores, places_to_look, seen_before
from filters.text_density.shares import BIN_PX, fullest_window, quantile, script_of
from vae_corpus.score_types import Look

# Raised when a change here changes scores without changing a constant below.
_CODE_VERSION = 6

# The detector looks at parts of blocks; each line counts in the block it lies in.
_BLOCK_PX = 512
_SCALE = 1.5
# The chance of the screen from which on text is possible.
_POSSIBLE = 0.5
# The chance from which on a line that the detector found is taken for text.
_IS_TEXT = 0.9
# Parts of a line that the border of two blocks cut end at most so far from it.
_BORDER_PX = 8
# How much contrast is added where text is faint: CLAHE's limit, and its tiles across and down.
_CONTRAST, _CONTRAST_TILES = 3.0, (4, 4)


@dataclass(frozen=True)
class TextDensity:
    """Scores pictures with the detector of `engine`."""

    engine: OcrEngine

    @property
    def version(self) -> str:
        """Names all that the scores depend on: this code, the weights, the engine."""
        own = (
            _CODE_VERSION,
            KNOWN_VERSION,
            _BLOCK_PX,
            regions.MARGIN_PX,
            _SCALE,
            _POSSIBLE,
            _IS_TEXT,
        )
        weights = [w.sha256[:16] for w in (screen.load(), text_line.load())]
        return f"{own}; weights {weights}; {self.engine.engine_id}"

    def score(self, rgb: Rgb) -> dict[str, Any]:
        """Figures about the text in uint8[H, W, 3]; all are 0 where there is none.

        `chars_est`, `chars_per_mpx`: characters in all and per million pixels.
        `max_chars_per_256_tile`: those in the fullest window of 256 x 256 px (of a smaller picture:
        in all of it). `glyph_px_p50`, `glyph_px_min`: em in px that half and 5 % of the characters
        stay below. `text_area_share`: part of the picture under lines of text, in [0, 1].
        `script`: `latin` (any alphabet), `han` or `mixed`; None without text. `text_stage`: how far
        the cascade went, `screen` or `detect`. `text_lines`:
        the upright boxes of the lines in whole px and their characters, each a dict of x0, y0, x1,
        y1 and chars.
        """
        return self.score_with_lines(rgb)[0]

    def score_with_lines(self, rgb: Rgb) -> tuple[dict[str, Any], Polygons]:
        """As `score`, and the corners of the lines, float32[N, 4, 2] in px.

        A line across the border of two blocks of 512 px comes as two that meet there.
        """
        return self.look_for_lines(Look(rgb))

    def look_for_lines(self, look: Look) -> tuple[dict[str, Any], Polygons]:
        """As `score_with_lines`, with what other scores have computed already."""
        found = self._found(look.rgb)
        height, width = look.rgb.shape[:2]
        scores = _scores(found.lines, height, width) | {"text_stage": found.stage}
        corners = np.array([line.polygon for line in found.lines], np.float32)
        return scores, corners.reshape(-1, 4, 2)

    def measure(self, look: Look) -> dict[str, Any]:
        """The figures of `score`, by what is known of a page where that is to be trusted."""
        known = look.known
        if known is None or known.doubt:
            return self.look_for_lines(look)[0]
        height, width = look.rgb.shape[:2]
        more = []
        places = places_to_look(known, height, width)
        for number, (left, top, right, bottom) in enumerate(places):
            part = np.ascontiguousarray(look.rgb[top:bottom, left:right])
            for line in self._found(part).lines:
                (box,) = _boxes([line], bottom - top, right - left)
                box |= {"x0": box["x0"] + left, "x1": box["x1"] + left}
                box |= {"y0": box["y0"] + top, "y1": box["y1"] + top}
                if beside(box, known.characters) and not seen_before(box, places[:number]):
                    more.append(box | {"em_px": line.em_px, "han": line.han})
        return known_scores(known, more, height, width)

    def _found(self, rgb: Rgb) -> _Found:
        height, width = rgb.shape[:2]
        wanted = screen.chances(rgb) >= _POSSIBLE
        found: list[_Line] = []
        for (left, top, right, bottom), squares in _blocks(wanted, height, width):
            for x0, y0, x1, y1 in regions.around(squares, left, top, (width, height)):
                polygons = self._polygons(rgb[y0:y1, x0:x1], wanted, x0, y0)
                for polygon, (han, others, em_px, text) in zip(
                    polygons, text_line.estimate(rgb, polygons), strict=True
                ):
                    line = _Line.of(polygon, han, han + others, em_px)
                    points = line.points
                    after = (points >= (left, top)).all(axis=1)
                    inside = np.asarray(after & (points < (right, bottom)).all(axis=1))
                    if inside.any() and text >= _IS_TEXT:
                        found.append(line.part(inside))
        return _Found(found, "detect" if wanted.any() else "screen")

    def _polygons(self, rgb: Rgb, wanted: NDArray[np.bool_], x0: int, y0: int) -> Polygons:
        """Lines in a part of the picture that begins at (x0, y0), in px of the whole.

        Where the screen saw text and the detector finds none, it looks again with more contrast.
        """
        offset = np.array([x0, y0], np.float32)
        found = find_lines(self.engine, rgb) + offset
        left_over = regions.uncovered(wanted, found, (x0, y0), rgb.shape[:2])
        if left_over is None:
            return found
        x, y, right, bottom = left_over
        faint = find_lines(self.engine, contrasted(rgb[y - y0 : bottom - y0, x - x0 : right - x0]))
        faint = faint + np.array([x, y], np.float32)
        new = [line for line in faint if not _lies_in(line.mean(axis=0), found)]
        return np.concatenate([found, np.array(new, np.float32).reshape(-1, 4, 2)])


def find_lines(engine: OcrEngine, rgb: Rgb) -> Polygons:
    """Lines of text as the cascade finds them: at 1.5 times the size, float32[N, 4, 2] in px."""
    large = cv2.resize(rgb, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
    return engine.detect(large) / np.float32(_SCALE)


def contrasted(rgb: Rgb) -> Rgb:
    """Differences of lightness and of colour made larger, each by what is around it."""
    lab = cv2.cvtColor(rgb, cv2.COLOR_RGB2LAB)
    equaliser = cv2.createCLAHE(_CONTRAST, _CONTRAST_TILES)
    for channel in range(3):
        lab[:, :, channel] = equaliser.apply(np.ascontiguousarray(lab[:, :, channel]))
    return np.asarray(cv2.cvtColor(lab, cv2.COLOR_LAB2RGB))


def _lies_in(point: NDArray[np.float32], polygons: Polygons) -> bool:
    at = (float(point[0]), float(point[1]))
    return any(cv2.pointPolygonTest(polygon, at, False) >= 0 for polygon in polygons)


@dataclass(frozen=True)
class _Found:
    """Lines of a picture, and how far the cascade went to find them."""

    lines: list[_Line]
    stage: str


@dataclass(frozen=True)
class _Line:
    """A line: its corners, points along its middle, Han and all characters, em, area in px."""

    polygon: NDArray[np.float32]
    points: NDArray[np.float32]
    han: float
    chars: float
    em_px: float
    area: float

    @classmethod
    def of(cls, polygon: NDArray[np.float32], han: float, chars: float, em_px: float) -> _Line:
        across = float(np.linalg.norm(polygon[1] - polygon[0]))
        down = float(np.linalg.norm(polygon[3] - polygon[0]))
        ends = polygon[[3, 0, 1, 2]] if across >= down else polygon[[0, 1, 2, 3]]
        start, end = (ends[0] + ends[1]) / 2, (ends[2] + ends[3]) / 2
        # A point for some 8 px.
        count = 1 + int(max(across, down) / 8)
        share = ((np.arange(count) + 0.5) / count)[:, None]
        points = np.maximum(start + share * (end - start), 0).astype(np.float32)
        return cls(polygon, points, han, chars, em_px, across * down)

    def part(self, inside: NDArray[np.bool_]) -> _Line:
        """The line with those of its points that are inside."""
        share = float(inside.mean())
        where = np.flatnonzero(inside) / len(inside)
        return replace(
            self,
            polygon=_cut(self.polygon, where[0], where[-1] + 1 / len(inside)),
            points=self.points[inside],
            han=self.han * share,
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
    bins = np.zeros((-(-height // BIN_PX), -(-width // BIN_PX)))
    for line in lines:
        # A line at the very edge may have its middle on the edge.
        at = np.minimum((line.points // BIN_PX).astype(int), np.array(bins.shape[::-1]) - 1)
        np.add.at(bins, (at[:, 1], at[:, 0]), line.chars / len(line.points))
    chars = float(bins.sum())
    glyphs = [0.0, *(line.em_px for line in lines)]
    weights = [0.0, *(line.chars for line in lines)]
    return {
        "chars_est": chars,
        "chars_per_mpx": chars * 1e6 / (height * width),
        "max_chars_per_256_tile": fullest_window(bins),
        "glyph_px_p50": quantile(glyphs, weights, 0.5),
        "glyph_px_min": quantile(glyphs, weights, 0.05),
        "text_area_share": min(1.0, sum(line.area for line in lines) / (height * width)),
        "script": script_of(sum(line.han for line in lines), chars),
        "text_lines": _boxes(lines, height, width),
    }


def _blocks(
    wanted: NDArray[np.bool_], height: int, width: int
) -> Iterator[tuple[tuple[int, int, int, int], NDArray[np.bool_]]]:
    """Left, top, right, bottom in px of blocks of 512 px with wanted squares, and these."""
    step, square = _BLOCK_PX // screen.STRIDE_PX, screen.STRIDE_PX
    for row in range(0, wanted.shape[0], step):
        for column in range(0, wanted.shape[1], step):
            squares = wanted[row : row + step, column : column + step]
            if squares.any():
                x, y = column * square, row * square
                yield (x, y, min(x + _BLOCK_PX, width), min(y + _BLOCK_PX, height)), squares


def _boxes(lines: list[_Line], height: int, width: int) -> list[dict[str, Any]]:
    """Lines as boxes, those that the border of two blocks had cut joined again."""
    boxes: list[dict[str, Any]] = []
    for line in lines:
        low = np.floor(line.polygon.min(axis=0)).clip(0, (width, height)).astype(int).tolist()
        high = np.ceil(line.polygon.max(axis=0)).clip(0, (width, height)).astype(int).tolist()
        box = {"x0": low[0], "y0": low[1], "x1": high[0], "y1": high[1], "chars": line.chars}
        # Few lines begin at a border, and only those can go on from another.
        begins = _at_border(box["x0"]) or _at_border(box["y0"])
        for other in boxes if begins else ():
            if _continues(other, box, "x", "y") or _continues(other, box, "y", "x"):
                for name, choose in (("x0", min), ("y0", min), ("x1", max), ("y1", max)):
                    other[name] = choose(other[name], box[name])
                other["chars"] += box["chars"]
                break
        else:
            boxes.append(box)
    return boxes


def _continues(one: dict[str, Any], other: dict[str, Any], along: str, across: str) -> bool:
    """Whether a line goes on, over the border of two blocks, as another one beside it."""
    end, start = one[f"{along}1"], other[f"{along}0"]
    meet = _at_border(end) and _at_border(start) and abs(end - start) <= 2 * _BORDER_PX
    both = min(one[f"{across}1"], other[f"{across}1"]) - max(one[f"{across}0"], other[f"{across}0"])
    lower = min(box[f"{across}1"] - box[f"{across}0"] for box in (one, other))
    return bool(meet and both >= 0.5 * lower)


def _at_border(place: int) -> bool:
    border = round(place / _BLOCK_PX) * _BLOCK_PX
    return border > 0 and abs(place - border) <= _BORDER_PX
