"""Break a shaped run into lines of a given length and set each one: left, justified or ragged.

A line is a `Strip`: glyphs with positions relative to the start of its baseline. Layouts only move
strips about.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from fonts.faces import Face
from renderers.breaks import classify, is_space, is_wide, opportunities
from renderers.shaping import Floats, Ints, Run

# A justified line is left as it is when its gaps would have to open wider than this, in em:
# between words, and between characters of a Chinese line.
_MAX_GAP_EM, _MAX_GAP_WIDE_EM = 0.9, 0.35


@dataclass(frozen=True)
class Strip:
    """One set line. Glyph `i` has its origin at (x[i], y[i]) px from the start of the baseline.

    `clusters[i]` is the index in `text` of the first character that glyph draws. `length_px` is the
    way along the line (down, when `vertical`).
    """

    text: str
    face: Face
    size_px: int
    vertical: bool
    glyphs: Ints
    clusters: Ints
    x: Floats
    y: Floats
    length_px: float


@dataclass(frozen=True, kw_only=True)
class Style:
    """How a paragraph is set. Lengths in px.

    `whole_px` rounds every advance to whole pixels, as text without sub-pixel positions has it.
    """

    size_px: int
    align: str = "left"
    indent_px: float = 0.0
    tracking_px: float = 0.0
    whole_px: bool = True


def set_lines(
    run: Run, style: Style, lengths: Callable[[int], float], *, max_lines: int = 1_000_000
) -> list[Strip]:
    """Set `run` in lines; line number i may be `lengths(i)` px long.

    A word longer than a line is broken where it must be. Leading and trailing white space of a line
    is dropped. At most `max_lines` come back: what does not fit in them is left out.
    """
    if not len(run.glyphs):
        return []
    advance = run.advance * style.size_px + style.tracking_px
    if style.whole_px:
        advance = np.round(advance)
    pen = np.concatenate([[0.0], np.cumsum(advance)])
    room = lengths(0) - style.indent_px
    if pen[-1] <= room and not run.text.endswith(" "):
        # Most cells and phrases fit on one line: no breaks to look for.
        return [_strip(run, style, pen, None, (0, len(run.text)), style.indent_px, room, True)]
    classes = classify(run.text)
    starts, ends, end_pens = _break_table(run, classes, pen)
    strips: list[Strip] = []
    position = 0  # the character at which the next line starts
    last = len(starts) - 1
    k = 0
    while position < len(run.text) and len(strips) < max_lines:
        indent = style.indent_px if not strips else 0.0
        room = lengths(len(strips)) - indent
        first = _glyph_at(run.clusters, position)
        fits = bisect_right(end_pens, float(pen[first]) + room + 1e-6, lo=k) - 1
        if fits >= k:
            stop, following = ends[fits], starts[fits]
            k = fits + 1
        else:
            stop = following = _forced_break(run, pen, first, room, starts[k])
            if following == starts[k]:
                k += 1
        if stop > position:
            final = fits >= last or following >= len(run.text)
            strips.append(_strip(run, style, pen, classes, (position, stop), indent, room, final))
        position = following
    return strips


def _break_table(
    run: Run, classes: npt.NDArray[np.uint8], pen: Floats
) -> tuple[list[int], list[int], list[float]]:
    # For each place where a line may start: that character, the end of the text before it without
    # its trailing space, and the pen there.
    starts = opportunities(classes)
    ink_ends = np.maximum.accumulate(np.where(is_space(classes), 0, np.arange(1, len(classes) + 1)))
    ends = ink_ends[starts - 1]
    pens = pen[np.searchsorted(run.clusters, ends)]
    return starts.tolist(), ends.tolist(), pens.tolist()


def _glyph_at(clusters: Ints, character: int) -> int:
    return int(np.searchsorted(clusters, character))


def _forced_break(run: Run, pen: Floats, first: int, room: float, limit: int) -> int:
    # No allowed break fits: stop at the last cluster that does, after one at the least.
    glyph = int(np.searchsorted(pen, pen[first] + room + 1e-6, side="right")) - 1
    character = int(run.clusters[glyph]) if glyph < len(run.clusters) else len(run.text)
    if character <= run.clusters[first]:
        later = run.clusters[run.clusters > run.clusters[first]]
        character = int(later[0]) if len(later) else len(run.text)
    return min(character, limit)


def _strip(
    run: Run,
    style: Style,
    pen: Floats,
    classes: npt.NDArray[np.uint8] | None,
    span: tuple[int, int],
    indent: float,
    room: float,
    final: bool,
) -> Strip:
    begin, stop = span
    a, b = _glyph_at(run.clusters, begin), _glyph_at(run.clusters, stop)
    along = pen[a:b] - pen[a]
    length = float(pen[b] - pen[a]) - style.tracking_px
    clusters = run.clusters[a:b] - begin
    if style.align == "justify" and classes is not None and not final and room > length:
        moved = _stretch(classes[begin:stop], clusters, room - length, style)
        along, length = along + moved, length + float(moved[-1])
    elif style.align == "right":
        along = along + (room - length)
    elif style.align == "center":
        shift = (room - length) / 2
        along = along + (np.floor(shift) if style.whole_px else shift)
    along = along + indent
    size = style.size_px
    across, down = run.dx[a:b] * size, run.dy[a:b] * size
    return Strip(
        text=run.text[begin:stop],
        face=run.face,
        size_px=size,
        vertical=run.vertical,
        glyphs=run.glyphs[a:b],
        clusters=clusters,
        x=across if run.vertical else along + across,
        y=along + down if run.vertical else down,
        length_px=length + indent,
    )


def _stretch(classes: npt.NDArray[np.uint8], clusters: Ints, extra: float, style: Style) -> Floats:
    # How far each glyph moves. Latin lines open up at spaces, Chinese ones between all characters.
    wide = is_wide(classes)[clusters]
    mostly_wide = 2 * int(wide.sum()) > len(clusters)
    gaps = wide if mostly_wide else is_space(classes)[clusters]
    gaps[-1] = False
    count = int(gaps.sum())
    limit = (_MAX_GAP_WIDE_EM if mostly_wide else _MAX_GAP_EM) * style.size_px
    if not count or extra > count * limit:
        return np.zeros(len(clusters))
    passed = np.concatenate([[0], np.cumsum(gaps)[:-1]])
    shift: Floats = passed * (extra / count)
    return np.floor(shift + 1e-9) if style.whole_px else shift
