"""Set texts in lines of a given length: left, justified, right, centred or ragged.

A page has hundreds of short texts, so they go through here in batches, as rows of numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fonts.coverage import code_points
from fonts.faces import Face
from renderers.arrays import Floats, Ints
from renderers.setting.line_breaks import CLASSES
from renderers.setting.lines import CENTER, JUSTIFY, LEFT, RIGHT, mark, set_texts
from renderers.setting.shaping import Shaper

# `int32[n, 3]`: begin and end of texts in the code points of their galley, number of their face.
Texts = Ints

_ALIGN = {"left": LEFT, "justify": JUSTIFY, "right": RIGHT, "center": CENTER}
_EVEN = np.ones(1)
_ALL = 1_000_000


class Lines(NamedTuple):
    """Set lines, in order: `rows int32[n]` of their galley, and of each line the text it is from.

    `of int64[n]` counts the texts of one call of `Galley.set`; `length_px float64[n]` is the way
    along the line (down, when it is vertical).
    """

    rows: Ints
    of: npt.NDArray[np.int64]
    length_px: Floats

    def where(self, which: npt.NDArray[np.bool_] | npt.NDArray[np.int64] | slice) -> Lines:
        """Some of the lines, by a mask, by number or as a slice."""
        return Lines(self.rows[which], self.of[which], self.length_px[which])

    def counts(self, texts: int) -> npt.NDArray[np.int64]:
        """How many lines each of `texts` texts has, `int64[texts]`."""
        return np.bincount(self.of, minlength=texts)

    def numbers(self) -> npt.NDArray[np.int64]:
        """The number of each line in its text, from 0, `int64[n]`."""
        every = np.arange(len(self.of))
        return every - np.maximum.accumulate(np.where(self.firsts(), every, 0))

    def firsts(self) -> npt.NDArray[np.bool_]:
        """Which lines are the first of their text, `bool[n]`."""
        first = np.ones(len(self.of), dtype=bool)
        first[1:] = self.of[1:] != self.of[:-1]
        return first


class Galley:
    """The text of one page and the lines set from it, in tables that grow.

    `faces[0]` is the body's face, `faces[1]` the heading's. `points uint32[...]` holds all texts,
    one after the other, `glyphs int32[..., 2]` the glyph ids of all lines and the place in `points`
    of the first character that each draws, `spots float64[..., 2]` their px from the start of their
    line's baseline to the right and down. `rows int32[..., 6]` are the lines: begin and end in
    `points`, first and last in `glyphs`, number of the face, em in px.

    `tracking_px` is put between all characters; `whole_px` rounds every advance to whole pixels, as
    text without sub-pixel positions has it.
    """

    def __init__(
        self,
        shaper: Shaper,
        faces: Sequence[Face],
        *,
        tracking_px: float = 0.0,
        whole_px: bool = True,
        room: int = 1 << 13,
    ) -> None:
        self.faces = tuple(faces)
        self.points = np.empty(room, dtype=np.uint32)
        self.flags = np.empty(room, dtype=np.uint8)
        self.glyphs = np.empty((room, 2), dtype=np.int32)
        self.spots = np.empty((room, 2))
        self.rows = np.empty((room // 8 + 1, 6), dtype=np.int32)
        self._ways = np.empty((room // 8 + 1, 2))
        self._written = self._used = self._lines = 0
        self._fonts = np.stack([shaper.font(face) for face in self.faces])
        self._heading = min(1, len(self.faces) - 1)
        self._covers = self.faces[self._heading].coverage.table
        self._tracking_px, self._whole_px = float(tracking_px), whole_px

    def write(self, texts: Sequence[str], faces: int | Sequence[int] | Ints = 0) -> Texts:
        """Add texts, in one face or in a face each."""
        points = code_points("".join(texts))
        ends = np.cumsum(list(map(len, texts)), dtype=np.int32)
        begin, end = self._written, self._written + len(points)
        while end > len(self.points):
            self.points, self.flags = _doubled(self.points), _doubled(self.flags)
        self.points[begin:end] = points
        self._written = end
        rows = np.empty((len(texts), 3), dtype=np.int32)
        rows[:, 1] = ends + begin
        rows[:1, 0] = begin
        rows[1:, 0] = rows[:-1, 1]
        rows[:, 2] = faces
        if len(rows) and not 0 <= rows[:, 2].min() <= rows[:, 2].max() < len(self.faces):
            raise ValueError(f"a text's face is one of 0 to {len(self.faces) - 1}; got {faces}")
        mark(self.points, rows[:, 1].copy(), CLASSES, self.flags, begin)
        return rows

    def text(self, begin: int, end: int) -> str:
        """What stands there."""
        return self.points[begin:end].tobytes().decode("utf-32-le", "surrogatepass")

    def set(
        self,
        texts: Texts,
        room: float | npt.NDArray[Any],
        *,
        size_px: int | Ints,
        align: str | Ints = "left",
        indent_px: float | Floats = 0.0,
        heading: bool | npt.NDArray[np.bool_] = False,
        vertical: bool = False,
        max_lines: int | Ints = _ALL,
        shares: Floats | None = None,
    ) -> Lines:
        """Set `texts` in lines of `room` px, of which line i takes `shares[i % len(shares)]`.

        The first line of a text is `indent_px` shorter. A `heading` is set in the heading's face if
        that covers it. `size_px` (the em), `align` (as LEFT, JUSTIFY, RIGHT, CENTER), `room`,
        `indent_px`, `heading` and `max_lines` may each be an array with an entry per text. A word
        longer than a line is broken where it must be. White space at the ends of a line is dropped.
        What does not fit in `max_lines` is left out.
        """
        texts = np.ascontiguousarray(texts, dtype=np.int32)
        styles = (
            _column(size_px, np.int32),
            _column(_ALIGN[align] if isinstance(align, str) else align, np.int32),
            np.where(_column(heading, np.bool_), self._heading, -1).astype(np.int32),
            _column(max_lines, np.int32),
        )
        rooms, indents = _column(room, np.float64), _column(indent_px, np.float64)
        first, done = self._lines, 0
        while True:
            done, self._used, self._lines = set_texts(
                self._fonts, self.points, self.flags, texts, styles, rooms, indents,
                _EVEN if shares is None else shares,
                self._covers, self._tracking_px, self._whole_px, vertical, done,
                (self.glyphs, self.spots, self.rows, self._ways), self._used, self._lines,
            )  # fmt: skip
            if done == len(texts):
                break
            self.glyphs, self.spots = _doubled(self.glyphs), _doubled(self.spots)
            self.rows, self._ways = _doubled(self.rows), _doubled(self._ways)
        ways = self._ways[first : self._lines]
        return Lines(
            np.arange(first, self._lines, dtype=np.int32),
            ways[:, 1].astype(np.int64),
            ways[:, 0].copy(),
        )


def _column(value: object, dtype: type) -> npt.NDArray[Any]:
    if isinstance(value, np.ndarray):
        return np.ascontiguousarray(value, dtype=dtype)
    return np.array([value], dtype=dtype)


def _doubled(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([array, np.empty_like(array)])
