"""Set text in lines of a given length: left, justified, right, centred or ragged.

A line is a `Strip`: glyphs with positions relative to the start of its baseline. Layouts only move
strips about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from fonts.coverage import code_points
from fonts.faces import Face
from renderers import set_text
from renderers.breaks import CLASSES
from renderers.shaping import Floats, Ints, Shaper

_ALIGN = {
    "left": set_text.LEFT,
    "justify": set_text.JUSTIFY,
    "right": set_text.RIGHT,
    "center": set_text.CENTER,
}
_NO_ROOMS = np.zeros(0)


class Setting(NamedTuple):
    """What the lines of one text have in common: where their glyphs are, their face and em."""

    galley: Galley
    face: Face
    size_px: int


class Strip(NamedTuple):
    """One set line: its text, and its glyphs, `first` to `last` in the tables of the galley.

    `length_px` is the way along the line (down, when it is vertical).
    """

    setting: Setting
    text: str
    first: int
    last: int
    length_px: float

    @property
    def face(self) -> Face:
        """The face of the line."""
        return self.setting.face

    @property
    def size_px(self) -> int:
        """The em."""
        return self.setting.size_px

    @property
    def glyphs(self) -> Ints:
        """Glyph ids, `int32[n]`."""
        return self.setting.galley.glyphs[self.first : self.last, 0]

    @property
    def clusters(self) -> Ints:
        """For each glyph the index in `text` of the first character that it draws."""
        return self.setting.galley.glyphs[self.first : self.last, 1]

    @property
    def x(self) -> Floats:
        """Px from the start of the baseline to the right."""
        return self.setting.galley.spots[self.first : self.last, 0]

    @property
    def y(self) -> Floats:
        """Px from the start of the baseline downwards."""
        return self.setting.galley.spots[self.first : self.last, 1]


class Galley:
    """The lines set for one page, with all their glyphs in two tables, one after the other.

    `glyphs int32[m, 2]` are glyph ids and the characters of their lines that they draw, `spots
    float64[m, 2]` their px from the start of the baseline to the right and down. `tracking_px` is
    put between all characters; `whole_px` rounds every advance to whole pixels, as text without
    sub-pixel positions has it.
    """

    def __init__(
        self, shaper: Shaper, *, tracking_px: float = 0.0, whole_px: bool = True, room: int = 8192
    ) -> None:
        self._shaper = shaper
        self._tracking_px, self._whole_px = float(tracking_px), whole_px
        self._used = 0
        self.glyphs = np.empty((room, 2), dtype=np.int32)
        self.spots = np.empty((room, 2))
        self._rows = np.empty((256, 4), dtype=np.int32)
        self._lengths = np.empty(256)

    def set(
        self,
        face: Face,
        text: str,
        size_px: int,
        lengths: float | Callable[[int], float],
        *,
        align: str = "left",
        indent_px: float = 0.0,
        vertical: bool = False,
        max_lines: int = 1_000_000,
    ) -> list[Strip]:
        """Set `text` in lines of `lengths` px, where that is a function of `lengths(i)` for line i.

        The first is `indent_px` shorter. A word longer than a line is broken where it must be.
        Leading and trailing white space of a line is dropped. At most `max_lines` come back: what
        does not fit in them is left out.
        """
        if not text:
            return []
        if callable(lengths):
            rooms = np.array([lengths(i) for i in range(min(max_lines, len(text)))], np.float64)
            length = rooms[0]
        else:
            length, rooms = lengths, _NO_ROOMS
        if len(text) > len(self._lengths):
            self._rows = np.empty((2 * len(text), 4), dtype=np.int32)
            self._lengths = np.empty(2 * len(text))
        font, points = self._shaper.font(face), code_points(text)
        if self._shaper.native:
            found = set_text.set_text(
                font.native, points, CLASSES, vertical, size_px, _ALIGN[align], float(indent_px),
                self._tracking_px, self._whole_px, float(length), rooms, max_lines,
                self.glyphs, self.spots, self._rows, self._lengths, self._used,
            )  # fmt: skip
        else:
            shaped = self._shaper.shape(font, text, vertical=vertical)
            found = set_text.set_shaped(
                *shaped, font.upem, points, CLASSES, vertical, size_px, _ALIGN[align],
                float(indent_px), self._tracking_px, self._whole_px,
                float(length), rooms, max_lines,
                self.glyphs, self.spots, self._rows, self._lengths, self._used,
            )  # fmt: skip
        used, lines, begin, stop, first, last, length_px = found
        if used < 0:
            self._make_room(-used)
            return self.set(
                face,
                text,
                size_px,
                lengths,
                align=align,
                indent_px=indent_px,
                vertical=vertical,
                max_lines=max_lines,
            )
        self._used = used
        setting = Setting(self, face, size_px)
        if lines == 1:
            return [Strip(setting, text[begin:stop], first, last, length_px)]
        rows, lengths_px = self._rows[:lines].tolist(), self._lengths[:lines].tolist()
        return [
            Strip(setting, text[begin:stop], first, last, length_px)
            for (begin, stop, first, last), length_px in zip(rows, lengths_px, strict=True)
        ]

    def _make_room(self, least: int) -> None:
        glyphs, spots = self.glyphs, self.spots
        self.glyphs = np.empty((2 * least, 2), dtype=np.int32)
        self.spots = np.empty((2 * least, 2))
        self.glyphs[: self._used], self.spots[: self._used] = (
            glyphs[: self._used],
            spots[: self._used],
        )
