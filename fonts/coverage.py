"""Which characters a face can really draw: a glyph that is neither blank nor a placeholder box.

The character map alone lies: some fonts map whole blocks to an empty outline or to a copy of
`.notdef`. Every mapped glyph is therefore looked at once, through HarfBuzz (about 2 us each).
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

# Real fonts share a glyph between two or three code points (Latin A and Greek Alpha; a Han
# character and its compatibility twin). One that serves this many is a placeholder.
_PLACEHOLDER_CODE_POINTS = 16
# All white space of Unicode lies below U+3001.
_WHITE = frozenset(p for p in range(0x3001) if unicodedata.category(chr(p)) == "Zs")

# Left, top, width and height of a glyph's ink in font units.
Box = tuple[int, int, int, int]


def code_points(text: str) -> npt.NDArray[np.uint32]:
    """`uint32[len(text)]`."""
    # With its mark of byte order, left out here, it is encoded without a search for the codec:
    # half the time for short texts.
    return np.frombuffer(text.encode("utf-32", "surrogatepass"), np.uint32, -1, 4)


@dataclass(frozen=True)
class Coverage:
    """A set of code points, kept as sorted inclusive ranges."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, code_points: Iterable[int]) -> Coverage:
        """The set of these code points, in any order."""
        return cls(tuple(_ranges(sorted(set(code_points)))))

    @cached_property
    def table(self) -> npt.NDArray[np.bool_]:
        """`bool[...]` by code point; the last entry, always False, answers for all beyond it."""
        table = np.zeros(self.ranges[-1][1] + 2 if self.ranges else 1, dtype=bool)
        for first, last in self.ranges:
            table[first : last + 1] = True
        return table

    def of_text(self, text: str) -> npt.NDArray[np.bool_]:
        """`bool[len(text)]`: which characters of `text` are in the set."""
        points = code_points(text)
        return self.table.take(points, mode="clip")

    def covers(self, text: str) -> bool:
        """Whether every character of `text` is in the set."""
        if self._printable_ascii and text.isascii() and text.isprintable():
            return True
        # A search through bytes is several times as fast as numpy's `all` on so few.
        return b"\0" not in self.of_text(text).tobytes()

    def covers_each(self, texts: Sequence[str]) -> list[bool]:
        """`covers` of many texts, none of them empty, at the cost of one."""
        joined = "".join(texts)
        if not texts or self._printable_ascii and joined.isascii() and joined.isprintable():
            return [True] * len(texts)
        begins = np.cumsum([0, *map(len, texts[:-1])])
        whole: list[bool] = np.logical_and.reduceat(self.of_text(joined), begins).tolist()
        return whole

    @cached_property
    def _printable_ascii(self) -> bool:
        return bool(self.table[0x20:0x7F].sum() == 0x7F - 0x20)

    def __len__(self) -> int:
        return sum(last - first + 1 for first, last in self.ranges)


def _ranges(points: list[int]) -> Iterator[tuple[int, int]]:
    start = previous = None
    for point in points:
        if start is None or previous is None:
            start = point
        elif point != previous + 1:
            yield start, previous
            start = point
        previous = point
    if start is not None and previous is not None:
        yield start, previous


def drawable(font: Any, known: dict[int, Box | None] | None = None) -> Coverage:
    """The code points for which a `uharfbuzz.Font` has ink, or rightly none (white space).

    `known` keeps the boxes of glyphs for the next face with the same outlines: the ten faces of a
    pan-CJK collection share 65,535.
    """
    extents = {} if known is None else known
    glyphs = {point: font.get_nominal_glyph(point) for point in font.face.unicodes}
    shared = Counter(glyphs.values())
    for glyph in (0, *shared):
        if glyph not in extents:
            extents[glyph] = _extents(font, glyph)
    missing = extents[0]
    missing_outline = _outline(font, 0, missing) if missing else ()
    kept = []
    for point, glyph in glyphs.items():
        if not glyph:
            continue
        if point in _WHITE:
            kept.append(point)
            continue
        box = extents[glyph]
        if box is None or shared[glyph] >= _PLACEHOLDER_CODE_POINTS:
            continue
        if missing and box[2:] == missing[2:] and _outline(font, glyph, box) == missing_outline:
            continue
        kept.append(point)
    return Coverage.of(kept)


def _extents(font: Any, glyph: int) -> Box | None:
    box = font.get_glyph_extents(glyph)
    if box is None or not box.width or not box.height:
        return None
    return box.x_bearing, box.y_bearing, box.width, box.height


def _outline(font: Any, glyph: int, box: Box) -> tuple[Any, ...]:
    # Relative to the corner of its box: a copy may stand elsewhere in its advance.
    import uharfbuzz

    steps: list[Any] = []

    def step(*point: Any) -> None:
        places = zip(point[:-1:2], point[1:-1:2], strict=True)
        steps.append([(x - box[0], y - box[1]) for x, y in places])

    pen = uharfbuzz.DrawFuncs()
    pen.set_move_to_func(step)
    pen.set_line_to_func(step)
    pen.set_quadratic_to_func(step)
    pen.set_cubic_to_func(step)
    font.draw_glyph(glyph, pen)
    return tuple(map(tuple, steps))
