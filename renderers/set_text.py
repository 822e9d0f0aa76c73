"""The compiled way from text to set lines: shape, find breaks, set line after line, in one call.

A page has hundreds of short texts. For each of them the crossing from Python to compiled code and
the arrays that come back cost more than the work itself: so there is one crossing, numbers come
back, and what is set goes into tables that the caller keeps (see `typeset.Galley`).

HarfBuzz is called by the addresses of its functions: through ctypes the calls, through Python
objects the reading glyph by glyph, cost more than the shaping.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from renderers.compiled import EXACT

# Flags of a character. White space; what stands in a full square, as Han does; kinds of marks;
# and what is added to them in a text: a line may begin here.
SPACE, WIDE, CLOSER, OPENER, INSEPARABLE, HYPHEN, START = 1, 2, 4, 8, 16, 32, 64
LEFT, JUSTIFY, RIGHT, CENTER = range(4)

# A justified line is left as it is when its gaps would have to open wider than this, in em:
# between words, and between characters of a Chinese line.
_MAX_GAP_EM, _MAX_GAP_WIDE_EM = 0.9, 0.35
# hb_direction_t.
_LEFT_TO_RIGHT, _TOP_TO_BOTTOM = 4, 6
# hb_glyph_info_t (glyph, mask, cluster, 2 private) and hb_glyph_position_t (x and y advance, x and
# y offset, 1 private), each of 32-bit numbers.
FIELDS = 5
_BYTES_EACH = 4

# The functions of HarfBuzz in the order in which `_shape` calls them.
CALLS = (
    "hb_buffer_reset",
    "hb_buffer_add_utf32",
    "hb_buffer_guess_segment_properties",
    "hb_buffer_set_direction",
    "hb_buffer_set_language",
    "hb_shape",
    "hb_buffer_get_length",
    "hb_buffer_get_glyph_infos",
    "hb_buffer_get_glyph_positions",
)
# A font for compiled code, int64[FONT]: the addresses of CALLS, of a buffer, of HarfBuzz' font and
# of its language, and how many font units make an em.
FONT = len(CALLS) + 4
_BUFFER, _FONT, _LANGUAGE, _UPEM = range(len(CALLS), FONT)


@njit(**EXACT)
def set_text(  # type: ignore[no-untyped-def]
    font, points, classes, vertical, size, align, indent, tracking, whole, room, rooms, most,
    glyphs, spots, rows, lengths, used,
):  # fmt: skip
    """Shape `points uint32[n]` with a `font` (see FONT) and set them: the rest as `set_shaped`."""
    infos, places = _shape(font, points, vertical)
    return set_shaped(
        infos, places, font[_UPEM], points, classes, vertical,
        size, align, indent, tracking, whole, room, rooms, most,
        glyphs, spots, rows, lengths, used,
    )  # fmt: skip


@njit(**EXACT)
def set_shaped(  # type: ignore[no-untyped-def]
    infos, places, upem, points, classes, vertical,
    size, align, indent, tracking, whole, room, rooms, most,
    glyphs, spots, rows, lengths, used,
):  # fmt: skip
    """Set shaped text, `infos` and `places int32[n, FIELDS]`, in `most` lines at the most.

    Line i has `rooms[i]` px, the last of them all that follow; without `rooms` each has `room` px.
    Writes, behind the `used` glyphs that are set already, `glyphs int32[m, 2]` (glyph, character of
    its line) and `spots float64[m, 2]` (px from the line's start to the right and down); and `rows
    int32[lines, 4]` (begin and end in the text, first and last in `glyphs`) and `lengths
    float64[lines]` in px. Gives how many glyphs are then used, how many lines there are, and the
    row and length of the first, most often the only one. Where `glyphs` has no room it writes
    nothing, and the first number is negative: minus how many glyphs it has to have.
    """
    count = len(infos)
    if count == 0:
        return used, 0, 0, 0, 0, 0, 0.0
    if used + count > len(glyphs):
        return -(used + count), 0, 0, 0, 0, 0, 0.0
    lines = _set_lines(
        infos, places, upem, text_flags(points, classes), vertical,
        (size, tracking, whole, align), indent, room, rooms, most,
        spots[used : used + count], rows, lengths,
    )  # fmt: skip
    if lines == 0:
        return used, 0, 0, 0, 0, 0, 0.0
    for line in range(lines):
        for i in range(rows[line, 2], rows[line, 3]):
            glyphs[used + i, 0] = infos[i, 0]
            glyphs[used + i, 1] = infos[i, 2] - rows[line, 0]
        rows[line, 2] += used
        rows[line, 3] += used
    first = rows[0]
    return used + count, lines, first[0], first[1], first[2], first[3], lengths[0]


@intrinsic
def _call(typing_context, address, arguments):  # type: ignore[no-untyped-def]
    """Call the C function at `address` with a tuple of int64: pointers and whole numbers.

    Returns int64, of which a function that returns less leaves the upper bits undefined.
    """

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        word = ir.IntType(64)
        where, packed = given
        words = [builder.extract_value(packed, i) for i in range(signature.args[1].count)]
        kind = ir.FunctionType(word, [word] * len(words))
        return builder.call(builder.inttoptr(where, kind.as_pointer()), words)

    return types.int64(types.int64, arguments), generate


@intrinsic
def _int32_at(typing_context, address):  # type: ignore[no-untyped-def]
    """The int32 at an address."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        return builder.load(builder.inttoptr(given[0], ir.IntType(32).as_pointer()))

    return types.int32(types.int64), generate


@njit(**EXACT)
def _shape(font, points, vertical):  # type: ignore[no-untyped-def]
    """Glyph infos and positions, int32[n, FIELDS] each, of uint32 code points."""
    count = np.int64(len(points))
    none = np.int64(0)
    buffer = font[_BUFFER]
    _call(font[0], (buffer,))
    _call(font[1], (buffer, np.int64(points.ctypes.data), count, none, count))
    _call(font[2], (buffer,))
    _call(font[3], (buffer, np.int64(_TOP_TO_BOTTOM if vertical else _LEFT_TO_RIGHT)))
    _call(font[4], (buffer, font[_LANGUAGE]))
    _call(font[5], (font[_FONT], buffer, none, none))
    # An unsigned int: the upper half of the word is not set.
    glyphs = _call(font[6], (buffer,)) & 0xFFFFFFFF
    return (
        _copied(_call(font[7], (buffer, none)), glyphs),
        _copied(_call(font[8], (buffer, none)), glyphs),
    )


@njit(**EXACT)
def _copied(address, rows):  # type: ignore[no-untyped-def]
    """int32[rows, FIELDS] from an address."""
    table = np.empty((rows, FIELDS), np.int32)
    flat = table.reshape(-1)
    for i in range(len(flat)):
        flat[i] = _int32_at(address + _BYTES_EACH * i)
    return table


@njit(**EXACT)
def text_flags(points, classes):  # type: ignore[no-untyped-def]
    """uint8[n]: the class of each code point, and START where a line may begin before it."""
    flags = np.empty(len(points), np.uint8)
    before = np.uint8(0)
    for i in range(len(points)):
        after = classes[min(points[i], len(classes) - 1)]
        flags[i] = after
        # A comma of a Latin font after Han, or the other way round, still counts as Chinese: curly
        # quotes are shared by both scripts.
        wide = ((before | after) & WIDE) != 0
        hyphen = (before & HYPHEN) != 0 and after == 0
        if (
            i > 0
            and ((before & SPACE) != 0 or wide or hyphen)
            and after & (CLOSER | SPACE) == 0
            and before & OPENER == 0
            and before & after & INSEPARABLE == 0
        ):
            flags[i] |= START
        before = after
    return flags


@njit(**EXACT)
def break_starts(flags):  # type: ignore[no-untyped-def]
    """Where START is set, and the length of the text, int32[...]."""
    starts = np.empty(len(flags) + 1, np.int32)
    count = 0
    for i in range(len(flags)):
        if flags[i] & START:
            starts[count] = i
            count += 1
    starts[count] = len(flags)
    return starts[: count + 1]


@njit(**EXACT)
def _set_lines(  # type: ignore[no-untyped-def]
    infos, places, upem, flags, vertical, style, indent, room, rooms, most, out, rows, lengths
):  # fmt: skip
    """As `set_shaped`; glyphs are counted from the first in `infos`, `out` has their places."""
    size, tracking, whole, _ = style
    count, length = len(infos), len(flags)
    pen = np.empty(count + 1)
    pen[0] = 0.0
    for i in range(count):
        advance = (-places[i, 1] if vertical else places[i, 0]) / upem * size + tracking
        pen[i + 1] = pen[i] + (np.rint(advance) if whole else advance)
        # Fonts have y upwards.
        out[i, 0] = places[i, 2] / upem * size
        out[i, 1] = -places[i, 3] / upem * size
    every = room
    room = every - indent
    if pen[count] <= room and not flags[length - 1] & SPACE:
        # Most cells and phrases fit on one line: no breaks to look for.
        rows[0, 0], rows[0, 1], rows[0, 2], rows[0, 3] = 0, length, 0, count
        lengths[0] = _place(out, infos, flags, pen, rows[0], room, indent, True, vertical, style)
        return 1

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
        if not flags[character - 1] & SPACE:
            ink_end = character
        if character == length or flags[character] & START:
            last += 1
            starts[last], ends[last] = character, ink_end
            end_pens[last] = pen[glyph_of[ink_end]]

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
    return lines


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
    if align == RIGHT:
        shift = room - length
    elif align == CENTER:
        shift = (room - length) / 2
        if whole:
            shift = np.floor(shift)
    elif align == JUSTIFY and not final and room > length and last > first:
        # Latin lines open up at spaces, Chinese ones between all characters.
        wide = 0
        for i in range(first, last):
            wide += (flags[infos[i, 2]] & WIDE) != 0
        mostly_wide = 2 * wide > last - first
        gap_flag = WIDE if mostly_wide else SPACE
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
        out[i, along] = (place + shift + indent) + out[i, along]
    return length + moved + indent
