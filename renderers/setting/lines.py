"""From texts to set lines in one compiled call: shape, find breaks, set line after line.

A page has hundreds of short texts. For each of them a call from Python and the arrays that it
returns would cost more than the work itself: so a call sets many texts, and writes the lines into
tables that the caller keeps (see `typesetting.Galley`).

HarfBuzz' functions are called by address: `shaping` says why.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import carray, njit, types
from numba.extending import intrinsic

from renderers.exact import EXACT

# Flags of a character: white space; full width, as Han; closing and opening punctuation; dashes and
# ellipses, which stay whole; hyphens; a line may begin here; no phrase begins or ends with it.
SPACE, WIDE, CLOSER, OPENER, INSEPARABLE, HYPHEN, START, EDGE = 1, 2, 4, 8, 16, 32, 64, 128
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
def mark(points, ends, classes, flags, begin):  # type: ignore[no-untyped-def]
    """Write the flags of texts, `uint8[...]`, that stand in `points` from `begin` on.

    They end at `ends int32[n]`. A flag is the class of its code point, and START where a line may
    begin before it.
    """
    at = begin
    for text in range(len(ends)):
        before = np.uint8(0)
        first = at
        while at < ends[text]:
            after = classes[min(points[at], len(classes) - 1)]
            flags[at] = after
            # A comma of a Latin font after Han, or the other way round, still counts as Chinese:
            # curly quotes are shared by both scripts.
            wide = ((before | after) & WIDE) != 0
            hyphen = (before & HYPHEN) != 0 and after & ~EDGE == 0
            if (
                at > first
                and ((before & SPACE) != 0 or wide or hyphen)
                and after & (CLOSER | SPACE) == 0
                and before & OPENER == 0
                and before & after & INSEPARABLE == 0
            ):
                flags[at] |= START
            before = after
            at += 1


@njit(**EXACT)
def set_texts(  # type: ignore[no-untyped-def]
    fonts, points, flags, texts, styles, rooms, indents, shares, covers, tracking, whole, vertical,
    done, tables, used, lines,
):  # fmt: skip
    """Shape and set `texts int32[n, 3]`, of which `done` are set: begin and end in `points`, font.

    Of `fonts int64[m, FONT]`. `styles` are four int32 arrays: em, alignment, the font that is to be
    used where `covers bool[...]` says that it can (of a heading; else -1), how many lines at the
    most. `rooms` and `indents` are float64 arrays in px. All six have an entry per text, or one
    for all. Line i of a text has `shares[i % len(shares)]` of its room.

    Writes, behind `used` glyphs and `lines` lines that are set already, the four `tables`: `glyphs
    int32[..., 2]` (glyph, place in `points`), `spots float64[..., 2]` (px from the line's start to
    the right and down), `rows int32[..., 6]` (begin and end in `points`, first and last in
    `glyphs`, font, em), `ways float64[..., 2]` (px along the line, number of its text). Returns how
    many texts are done, glyphs used and lines set: fewer than there are where tables are full.
    """
    sizes, aligns, headings, mosts = styles
    for i in range(done, len(texts)):
        font = _font_of(points, texts[i], headings[i % len(headings)], covers)
        infos, places = _shape(fonts[font], points, texts[i, 0], texts[i, 1], vertical)
        style = (
            sizes[i % len(sizes)], aligns[i % len(aligns)], mosts[i % len(mosts)],
            rooms[i % len(rooms)], indents[i % len(indents)], tracking, whole, vertical,
        )  # fmt: skip
        after = _set_shaped(
            infos, places, fonts[font, _UPEM], flags, texts[i], i, font, style, shares,
            tables, used, lines,
        )  # fmt: skip
        if after[0] < 0:
            return i, used, lines
        used, lines = after
    return len(texts), used, lines


@njit(**EXACT)
def _font_of(points, text, heading, covers):  # type: ignore[no-untyped-def]
    """The number of the font for a text: its own, or `heading` where that is one and covers it."""
    if heading < 0:
        return np.int64(text[2])
    for i in range(text[0], text[1]):
        if not covers[min(points[i], len(covers) - 1)]:
            return np.int64(text[2])
    return np.int64(heading)


@njit(**EXACT)
def _set_shaped(  # type: ignore[no-untyped-def]
    infos, places, upem, flags, text, number, font, style, shares, tables, used, lines
):  # fmt: skip
    """Set one shaped text, `infos` and `places int32[n, FIELDS]`; the rest as in `set_texts`.

    Returns how many glyphs and lines there are then, or (-1, -1) when a table is full.
    """
    size, align, most, room, indent, tracking, whole, vertical = style
    glyphs, spots, rows, ways = tables
    count, begin = len(infos), text[0]
    if count == 0:
        return used, lines
    length = text[1] - begin
    if used + count > len(glyphs) or lines + min(most, length) > len(rows):
        return -1, -1
    new = _set_lines(
        infos, places, upem, flags[begin : text[1]], vertical,
        (size, tracking, whole, align), indent, room, shares, most,
        spots[used : used + count], rows[lines:], ways[lines:],
    )  # fmt: skip
    for line in range(lines, lines + new):
        for i in range(rows[line, 2], rows[line, 3]):
            glyphs[used + i, 0] = infos[i, 0]
            glyphs[used + i, 1] = infos[i, 2] + begin
        rows[line, 0] += begin
        rows[line, 1] += begin
        rows[line, 2] += used
        rows[line, 3] += used
        rows[line, 4], rows[line, 5] = font, size
        ways[line, 1] = number
    return used + count, lines + new


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
def _ints_at(typing_context, address):  # type: ignore[no-untyped-def]
    """A pointer to int32 out of an address."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        return builder.inttoptr(given[0], ir.IntType(32).as_pointer())

    return types.CPointer(types.int32)(types.int64), generate


@njit(**EXACT)
def _shape(font, points, begin, end, vertical):  # type: ignore[no-untyped-def]
    """Glyph infos and positions, int32[n, FIELDS] each, of a text in uint32 code points.

    Both lie in HarfBuzz' buffer, until the next text is shaped.
    """
    count = np.int64(end - begin)
    none = np.int64(0)
    buffer = font[_BUFFER]
    _call(font[0], (buffer,))
    place = np.int64(points.ctypes.data) + _BYTES_EACH * begin
    _call(font[1], (buffer, place, count, none, count))
    _call(font[2], (buffer,))
    _call(font[3], (buffer, np.int64(_TOP_TO_BOTTOM if vertical else _LEFT_TO_RIGHT)))
    _call(font[4], (buffer, font[_LANGUAGE]))
    _call(font[5], (font[_FONT], buffer, none, none))
    # An unsigned int: the upper half of the word is not set.
    glyphs = _call(font[6], (buffer,)) & 0xFFFFFFFF
    return (
        carray(_ints_at(_call(font[7], (buffer, none))), (glyphs, FIELDS)),
        carray(_ints_at(_call(font[8], (buffer, none))), (glyphs, FIELDS)),
    )


@njit(**EXACT)
def _set_lines(  # type: ignore[no-untyped-def]
    infos, places, upem, flags, vertical, style, indent, room, shares, most, out, rows, ways
):  # fmt: skip
    """As `_set_shaped`; glyphs are counted from the first in `infos`, characters from the text."""
    size, tracking, whole, _ = style
    count, length = len(infos), len(flags)
    pen = np.empty(count + 1)
    pen[0] = 0.0
    for i in range(count):
        advance = (-places[i, 1] if vertical else places[i, 0]) / upem * size
        if _ends_cluster(infos, i, count):
            advance += tracking
        pen[i + 1] = pen[i] + (np.rint(advance) if whole else advance)
        # Fonts have y upwards.
        out[i, 0] = places[i, 2] / upem * size
        out[i, 1] = -places[i, 3] / upem * size
    every = room
    room = every * shares[0] - indent
    if pen[count] <= room and not flags[length - 1] & SPACE:
        # Most cells and phrases fit on one line: no breaks to look for.
        rows[0, 0], rows[0, 1], rows[0, 2], rows[0, 3] = 0, length, 0, count
        ways[0, 0] = _place(out, infos, flags, pen, rows[0], room, indent, True, vertical, style)
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
        # Where shaping made one of what stands before and after, as of a letter and its mark, a
        # break would leave the second without ink.
        glyph = glyph_of[character]
        whole_cluster = glyph < count and infos[glyph, 2] == character
        if character == length or (flags[character] & START and whole_cluster):
            last += 1
            starts[last], ends[last] = character, ink_end
            end_pens[last] = pen[glyph_of[ink_end]]

    lines = position = k = 0  # position: the character at which the next line starts
    while position < length and lines < most:
        own_indent = indent if lines == 0 else 0.0
        room = every * shares[lines % len(shares)] - own_indent
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
            ways[lines, 0] = _place(
                out, infos, flags, pen, rows[lines], room, own_indent, final, vertical, style
            )
            lines += 1
        position = following
    return lines


@njit(**EXACT)
def _ends_cluster(infos, i, last):  # type: ignore[no-untyped-def]
    """Whether glyph i is the last of those that belong together, as a letter and its marks do."""
    return i + 1 >= last or infos[i + 1, 2] != infos[i, 2]


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
            gaps += (flags[infos[i, 2]] & gap_flag) != 0 and _ends_cluster(infos, i, last)
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
            passed += (flags[infos[i, 2]] & gap_flag) != 0 and _ends_cluster(infos, i, last)
        place = (pen[i] - pen[first]) + moved
        out[i, along] = (place + shift + indent) + out[i, along]
    return length + moved + indent
