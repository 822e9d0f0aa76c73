"""Break a shaped run into lines of a given length and set each one: left, justified or ragged.

A line is a `Strip`: glyphs with positions relative to the start of its baseline. Layouts only move
strips about.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numba import njit

from fonts.faces import Face
from renderers import breaks
from renderers.compiled import EXACT
from renderers.shaping import Floats, Ints, Run

# A justified line is left as it is when its gaps would have to open wider than this, in em:
# between words, and between characters of a Chinese line.
_MAX_GAP_EM, _MAX_GAP_WIDE_EM = 0.9, 0.35
# The flags of `breaks` and the alignments, as the compiled loops know them.
_SPACE, _WIDE, _START = 1, 2, 64
_LEFT, _JUSTIFY, _RIGHT, _CENTER = range(4)
_NO_ROOMS = np.zeros(0)
_ALIGN = {"left": _LEFT, "justify": _JUSTIFY, "right": _RIGHT, "center": _CENTER}


class Setting(NamedTuple):
    """A run at one size. `places float64[2, n]` are x and y px of each glyph from its line's start.

    Glyphs of white space between two lines have no place of their own.
    """

    run: Run
    size_px: int
    places: Floats


class Strip(NamedTuple):
    """One set line: characters `begin` to `stop` and glyphs `first` to `last` of a setting.

    `length_px` is the way along the line (down, when the run is vertical).
    """

    setting: Setting
    begin: int
    stop: int
    first: int
    last: int
    length_px: float

    @property
    def text(self) -> str:
        """The characters of the line."""
        return self.setting.run.text[self.begin : self.stop]

    @property
    def face(self) -> Face:
        """The face of the run."""
        return self.setting.run.face

    @property
    def size_px(self) -> int:
        """The em."""
        return self.setting.size_px

    @property
    def glyphs(self) -> Ints:
        """Glyph ids, `int32[n]`."""
        return self.setting.run.glyphs[self.first : self.last]

    @property
    def clusters(self) -> Ints:
        """For each glyph the index in `text` of the first character that it draws."""
        return self.setting.run.clusters[self.first : self.last] - np.int32(self.begin)

    @property
    def x(self) -> Floats:
        """Px from the start of the baseline to the right."""
        return self.setting.places[0, self.first : self.last]

    @property
    def y(self) -> Floats:
        """Px from the start of the baseline downwards."""
        return self.setting.places[1, self.first : self.last]


class Style(NamedTuple):
    """How a paragraph is set. Lengths in px.

    `whole_px` rounds every advance to whole pixels, as text without sub-pixel positions has it.
    """

    size_px: int
    align: str = "left"
    indent_px: float = 0.0
    tracking_px: float = 0.0
    whole_px: bool = True


def set_lines(
    run: Run,
    style: Style,
    lengths: float | Callable[[int], float],
    *,
    max_lines: int = 1_000_000,
) -> list[Strip]:
    """Set `run` in lines of `lengths` px; where that is a function, line i is `lengths(i)` px long.

    A word longer than a line is broken where it must be. Leading and trailing white space of a line
    is dropped. At most `max_lines` come back: what does not fit in them is left out.
    """
    if not len(run.infos):
        return []
    if callable(lengths):
        own = [lengths(i) for i in range(min(max_lines, len(run.text)))]
        length, rooms = own[0], np.array(own, dtype=np.float64)
    else:
        length, rooms = lengths, _NO_ROOMS
    size_px, align, indent_px, tracking_px, whole_px = style
    places, rows, lengths_px = _set_lines(
        run.infos,
        run.places,
        breaks.classify(run.text),
        run.upem,
        run.vertical,
        (size_px, float(tracking_px), whole_px, _ALIGN[align]),
        float(indent_px),
        float(length),
        rooms,
        max_lines,
    )
    setting = Setting(run, size_px, places)
    return [
        Strip(setting, begin, stop, first, last, length)
        for (begin, stop, first, last), length in zip(
            rows.tolist(), lengths_px.tolist(), strict=True
        )
    ]


@njit(**EXACT)
def _set_lines(infos, places, flags, upem, vertical, style, indent, room, rooms, most):  # type: ignore[no-untyped-def]
    """Places float64[2, n], rows int32[lines, 4] of begin, stop, first, last; lengths in px.

    Line i has `rooms[i]` px, the last of them all that follow; without `rooms` each has `room` px.
    """
    size, tracking, whole, _ = style
    count, length = len(infos), len(flags)
    pen = np.empty(count + 1)
    pen[0] = 0.0
    out = np.zeros((2, count))
    for i in range(count):
        advance = (-places[i, 1] if vertical else places[i, 0]) / upem * size + tracking
        pen[i + 1] = pen[i] + (np.rint(advance) if whole else advance)
        # Fonts have y upwards.
        out[0, i] = places[i, 2] / upem * size
        out[1, i] = -places[i, 3] / upem * size
    every = room
    room = every - indent
    rows = np.empty((1, 4), np.int32)
    lengths = np.empty(1)
    if pen[count] <= room and not flags[length - 1] & _SPACE:
        # Most cells and phrases fit on one line: no breaks to look for.
        rows[0, 0], rows[0, 1], rows[0, 2], rows[0, 3] = 0, length, 0, count
        lengths[0] = _place(out, infos, flags, pen, rows[0], room, indent, True, vertical, style)
        return out, rows, lengths

    # For each place where a line may start: that character, the end of the text before it without
    # its trailing space, and the pen there.
    starts, ends, end_pens = (
        np.empty(length, np.int32),
        np.empty(length, np.int32),
        np.empty(length),
    )
    # The first glyph of each character; of one that an earlier glyph draws, the next glyph.
    glyph_of = np.empty(length + 1, np.int32)
    glyph = 0
    for character in range(length + 1):
        while glyph < count and infos[glyph, 2] < character:
            glyph += 1
        glyph_of[character] = glyph
    last, ink_end = -1, 0
    for character in range(1, length + 1):
        if not flags[character - 1] & _SPACE:
            ink_end = character
        if character == length or flags[character] & _START:
            last += 1
            starts[last], ends[last] = character, ink_end
            end_pens[last] = pen[glyph_of[ink_end]]

    rows = np.empty((length, 4), np.int32)
    lengths = np.empty(length)
    lines = position = k = 0  # position: the character at which the next line starts
    while position < length and lines < most:
        own_indent = indent if lines == 0 else 0.0
        room = (rooms[min(lines, len(rooms) - 1)] if len(rooms) else every) - own_indent
        first = glyph_of[position]
        reach = pen[first] + room + 1e-6
        low, high = k, last + 1
        while low < high:
            middle = (low + high) // 2
            if reach < end_pens[middle]:
                high = middle
            else:
                low = middle + 1
        fits = low - 1
        if fits >= k:
            stop, following = ends[fits], starts[fits]
            k = fits + 1
        else:
            stop = following = _forced_break(infos, pen, first, reach, starts[k], length)
            if following == starts[k]:
                k += 1
        if stop > position:
            final = fits >= last or following >= length
            rows[lines, 0], rows[lines, 1] = position, stop
            rows[lines, 2], rows[lines, 3] = first, glyph_of[stop]
            lengths[lines] = _place(
                out, infos, flags, pen, rows[lines], room, own_indent, final, vertical, style
            )
            lines += 1
        position = following
    return out, rows[:lines], lengths[:lines]


@njit(**EXACT)
def _forced_break(infos, pen, first, reach, limit, length):  # type: ignore[no-untyped-def]
    # No allowed break fits: stop at the last cluster that does, after one at the least.
    count = len(infos)
    if first >= count:
        return limit
    glyph = np.searchsorted(pen, reach, side="right") - 1
    character = infos[glyph, 2] if glyph < count else length
    if character <= infos[first, 2]:
        character = length
        for later in range(first, count):
            if infos[later, 2] > infos[first, 2]:
                character = infos[later, 2]
                break
    return min(character, limit)


@njit(**EXACT)
def _place(out, infos, flags, pen, row, room, indent, final, vertical, style):  # type: ignore[no-untyped-def]
    """Moves the glyphs of a line to their places along it; returns the length of the line in px."""
    size, tracking, whole, align = style
    first, last = row[2], row[3]
    length = pen[last] - pen[first] - tracking
    shift = gap = 0.0
    gap_flag = 0
    if align == _RIGHT:
        shift = room - length
    elif align == _CENTER:
        shift = (room - length) / 2
        if whole:
            shift = np.floor(shift)
    elif align == _JUSTIFY and not final and room > length and last > first:
        # Latin lines open up at spaces, Chinese ones between all characters.
        wide = 0
        for i in range(first, last):
            wide += (flags[infos[i, 2]] & _WIDE) != 0
        mostly_wide = 2 * wide > last - first
        gap_flag = _WIDE if mostly_wide else _SPACE
        gaps = 0
        for i in range(first, last - 1):
            gaps += (flags[infos[i, 2]] & gap_flag) != 0
        most = (_MAX_GAP_WIDE_EM if mostly_wide else _MAX_GAP_EM) * size
        if gaps and room - length <= gaps * most:
            gap = (room - length) / gaps
        else:
            gap_flag = 0
    along = 1 if vertical else 0
    passed, moved = 0, 0.0
    for i in range(first, last):
        if gap_flag:
            moved = passed * gap
            if whole:
                moved = np.floor(moved + 1e-9)
            passed += (flags[infos[i, 2]] & gap_flag) != 0
        place = (pen[i] - pen[first]) + moved
        out[along, i] = (place + shift + indent) + out[along, i]
    return length + moved + indent


assert (_SPACE, _WIDE, _START) == (breaks.SPACE, breaks.WIDE, breaks.START)
