"""Paint set lines onto a background, and measure the ink box of each character.

Blending is done in sRGB, in whole numbers: blending in linear light washes out small dark text.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.arrays import Ints, Picture
from renderers.exact import EXACT
from renderers.glyphs import rasterise
from renderers.glyphs.atlas import Atlas
from renderers.layout.sheet import Mark, Placed

_PHASES = 4
assert _PHASES == rasterise.PHASES
_MOST_PX = 1 << 12  # more than any em


@dataclass(frozen=True, slots=True)
class Glyphs:
    """All glyphs of a page, line after line.

    `rows int32[lines, 6]`: first and last glyph in the galley, end of the text in its points, px of
    the baseline's start right and down, kind of face and size. `clusters` are places in its points.
    `slot`, `x`, `y` say where each glyph's origin lies in px of the page, and `line_boxes
    int32[lines, 4]` is the ink of each line: x0, y0, x1, y1, half open; x1 < x0 for a line
    without ink.
    """

    rows: Ints
    clusters: Ints
    slot: Ints
    x: Ints
    y: Ints
    line_boxes: Ints


def place_glyphs(lines: Placed, atlas: Atlas, phases: int, *, scale: int = 1) -> Glyphs:
    """Round every glyph of `lines` to the pixel grid and rasterise the new.

    `scale` makes everything so many times as large: sizes, places and boxes.
    """
    galley, lined = lines.galley, lines.table()
    # Face and em of each line as one number: a page has few pairs.
    pairs, which = np.unique(lined[:, 4] * _MOST_PX + lined[:, 5], return_inverse=True)
    kinds_of = [
        atlas.kind(galley.faces[pair // _MOST_PX], pair % _MOST_PX * scale)
        for pair in pairs.tolist()
    ]
    table = np.empty((len(lined), 6), dtype=np.int32)
    table[:, :2], table[:, 2] = lined[:, 2:4], lined[:, 1]
    table[:, 3], table[:, 4] = lines.x, lines.y
    table[:, 5] = np.array(kinds_of, dtype=np.int32)[which]
    glyphs, clusters, kinds, x, y, phase = _locate(
        table, galley.glyphs, galley.spots, phases, scale
    )
    slot = atlas.slots(kinds, phase, glyphs)
    return Glyphs(table, clusters, slot, x, y, _line_boxes(table, slot, x, y, atlas.shapes))


def place_characters(lines: Placed, glyphs: Glyphs, shapes: Ints) -> Ints:
    """A box for each character of each line, line after line: x0, y0, x1, y1, `int32[n, 4]`.

    In px, half open. `Labels.to_json` says what boxes spaces, ligatures and marks have.
    """
    g, begins = glyphs, lines.table()[:, 0]
    boxes: Ints = _character_boxes(
        begins, g.rows, g.clusters, g.slot, g.x, g.y, g.line_boxes, shapes
    )
    return boxes


def crop_background(
    background: Picture,
    crop: tuple[float, float],
    size: tuple[int, int],
    wash: tuple[float, int],
) -> Picture:
    """Cut `size` (width, height) px out of `background` and blend it towards a grey tone.

    ValueError when the background is smaller than that or not `uint8[H, W, 3]`.
    """
    width, height = size
    if background.ndim != 3 or background.shape[2] != 3 or background.dtype != np.uint8:
        raise ValueError(
            f"a background is uint8[H, W, 3]; got {background.dtype}{list(background.shape)}"
        )
    rows, columns = background.shape[:2]
    if columns < width or rows < height:
        raise ValueError(
            f"the background is {columns}x{rows} px, smaller than the page of {width}x{height} px: "
            "give a larger picture or a smaller canvas"
        )
    left = int(crop[0] * (columns - width) + 0.5)
    top = int(crop[1] * (rows - height) + 0.5)
    page = background[top : top + height, left : left + width].copy()
    strength, tone = wash
    if strength:
        _wash(page.reshape(height, -1), np.array([[0, 0, 0, width, height]]), _towards(wash, wash))
    return page


def paint_marks(
    page: Picture, marks: Sequence[Mark], plate: float, tone: int, rule_tone: int
) -> None:
    """Paint plates (when `plate` > 0) and rules onto `page`, in place."""
    drawn = [(kind == "rule", *sides) for kind, *sides in marks if plate or kind == "rule"]
    if drawn:
        _wash(
            page.reshape(len(page), -1),
            np.array(drawn, dtype=np.int64),
            _towards((plate, tone), (0.6, rule_tone)),
        )


def _towards(*washes: tuple[float, int]) -> npt.NDArray[np.uint16]:
    """For each (strength, tone) the factor of a value and what is added, in 256ths; `[n, 2]`."""
    keep = [round(256 * (1 - strength)) for strength, _ in washes]
    added = [tone * (256 - k) + 128 for k, (_, tone) in zip(keep, washes, strict=True)]
    return np.array([keep, added], dtype=np.uint16).T.copy()


def paint_glyphs(page: Picture, glyphs: Glyphs, atlas: Atlas, colours: Picture) -> None:
    """Blend the glyphs into `page`, in place; `colours uint8[lines, 3]`.

    All ink lies inside the page and inside the boxes of its lines. Where two lines share a pixel,
    the later one lies on top.
    """
    _blend(
        page.reshape(len(page), -1),
        glyphs.rows,
        glyphs.slot,
        glyphs.x,
        glyphs.y,
        glyphs.line_boxes,
        atlas.shapes,
        atlas.pixels,
        colours,
    )


@njit(**EXACT)
def _locate(rows, glyph_table, spots, phases, scale):  # type: ignore[no-untyped-def]
    """Glyph, cluster, kind, column, row and phase of every glyph of every line, int32[n] each."""
    count = 0
    for row in range(len(rows)):
        count += rows[row, 1] - rows[row, 0]
    glyphs, clusters = np.empty(count, np.int32), np.empty(count, np.int32)
    kinds, phase = np.empty(count, np.int32), np.zeros(count, np.int32)
    x, y = np.empty(count, np.int32), np.empty(count, np.int32)
    at = 0
    for row in range(len(rows)):
        left, top, kind = rows[row, 3], rows[row, 4], rows[row, 5]
        for i in range(rows[row, 0], rows[row, 1]):
            glyphs[at], clusters[at], kinds[at] = glyph_table[i, 0], glyph_table[i, 1], kind
            across = (spots[i, 0] + left) * scale
            if phases == 1:
                x[at] = np.floor(across + 0.5)
            else:
                quarter = np.int64(np.floor(across * _PHASES + 0.5))
                x[at], phase[at] = quarter // _PHASES, quarter % _PHASES
            y[at] = np.floor((spots[i, 1] + top) * scale + 0.5)
            at += 1
    return glyphs, clusters, kinds, x, y, phase


@njit(**EXACT)
def _line_boxes(rows, slot, x, y, shapes):  # type: ignore[no-untyped-def]
    """The box around the ink of each line, int32[lines, 4]."""
    far = 1 << 20
    boxes = np.empty((len(rows), 4), np.int32)
    at = 0
    for row in range(len(rows)):
        x0, y0, x1, y1 = far, far, -far, -far
        for _ in range(rows[row, 1] - rows[row, 0]):
            shape = shapes[slot[at]]
            if shape[3] > 0:
                left, top = x[at] + shape[1], y[at] + shape[2]
                x0, y0 = min(x0, left), min(y0, top)
                x1, y1 = max(x1, left + shape[3]), max(y1, top + shape[4])
            at += 1
        boxes[row, 0], boxes[row, 1], boxes[row, 2], boxes[row, 3] = x0, y0, x1, y1
    return boxes


@njit(**EXACT)
def _character_boxes(begins, rows, clusters, slot, x, y, line_boxes, shapes):  # type: ignore[no-untyped-def]
    """`place_characters`, row by row."""
    length = 0
    for row in range(len(rows)):
        length += rows[row, 2] - begins[row]
    boxes = np.empty((length, 4), np.int32)
    far = 1 << 20
    count = at = 0
    for row in range(len(rows)):
        last = at + rows[row, 1] - rows[row, 0]
        right, bottom = line_boxes[row, 0], line_boxes[row, 1]
        cluster = begins[row]
        while cluster < rows[row, 2]:
            x0, y0, x1, y1 = far, far, -far, -far
            while at < last and clusters[at] <= cluster:
                shape = shapes[slot[at]]
                if shape[3] > 0:
                    left, top = x[at] + shape[1], y[at] + shape[2]
                    x0, y0 = min(x0, left), min(y0, top)
                    x1, y1 = max(x1, left + shape[3]), max(y1, top + shape[4])
                at += 1
            following = clusters[at] if at < last else rows[row, 2]
            parts = following - cluster
            for k in range(parts):
                if x1 > x0:
                    # The columns that a share touches, so that none is empty.
                    boxes[count, 0] = x0 + (x1 - x0) * k // parts
                    boxes[count, 2] = x0 + ((x1 - x0) * (k + 1) + parts - 1) // parts
                    boxes[count, 1], boxes[count, 3] = y0, y1
                    right, bottom = boxes[count, 2], y1
                else:
                    boxes[count, 0], boxes[count, 1] = right, bottom
                    boxes[count, 2], boxes[count, 3] = right, bottom
                count += 1
            cluster = following
        at = last
    return boxes


@njit(**EXACT)
def _wash(page, rectangles, towards):  # type: ignore[no-untyped-def]
    """Blends rectangles of `page uint8[H, W * 3]` towards a tone.

    `rectangles int64[n, 5]` are a row of `towards`, left, top, right and bottom.
    """
    for n in range(len(rectangles)):
        kind, x0, y0, x1, y1 = rectangles[n]
        keep, added = towards[kind, 0], towards[kind, 1]
        for j in range(y0, y1):
            row = page[j, 3 * x0 : 3 * x1]
            for i in range(len(row)):
                row[i] = (np.uint16(row[i]) * keep + added) >> np.uint16(8)


@njit(**EXACT)
def _blend(page, rows, slot, x, y, boxes, shapes, pixels, colours):  # type: ignore[no-untyped-def]
    """Line by line: adds up its coverage, then blends its box into `page uint8[H, W * 3]`.

    A line's box is small enough to stay in the nearest cache, and is blended without a branch: a
    pixel without ink comes out as it went in.
    """
    # Unsigned numbers throughout: a signed index may count from the end, which costs a check per
    # pixel. What lies outside the page never gets here.
    one, two, three = np.uint64(1), np.uint64(2), np.uint64(3)
    half, eight, full = np.uint16(128), np.uint16(8), np.uint16(255)
    most = 0
    for row in range(len(rows)):
        if boxes[row, 2] > boxes[row, 0]:
            most = max(most, (boxes[row, 2] - boxes[row, 0]) * (boxes[row, 3] - boxes[row, 1]))
    covered, spread = np.empty(most, np.uint8), np.empty(3 * most, np.uint8)
    tones = np.empty(page.shape[1], np.uint16)
    n = 0
    for row in range(len(rows)):
        left, top, right, bottom = boxes[row]
        if right <= left:
            n += rows[row, 1] - rows[row, 0]
            continue
        width = np.uint64(right - left)
        area = width * np.uint64(bottom - top)
        covered[:area] = 0
        for _ in range(rows[row, 1] - rows[row, 0]):
            shape = shapes[slot[n]]
            source, across = np.uint64(shape[0]), np.uint64(shape[3])
            down = np.uint64(y[n] + shape[2] - top)
            place = down * width + np.uint64(x[n] + shape[1] - left)
            n += 1
            for _ in range(shape[4]):
                for i in range(across):
                    # Neighbours may share an antialiased pixel: their coverage adds up.
                    ink = np.uint16(pixels[source + i]) + np.uint16(covered[place + i])
                    covered[place + i] = min(ink, full)
                source += across
                place += width
        # Coverage and colour by channel, so that the loop below is one over plain bytes.
        for i in range(area):
            at, alpha = three * i, covered[i]
            spread[at], spread[at + one], spread[at + two] = alpha, alpha, alpha
        for i in range(width):
            at = three * i
            tones[at], tones[at + one], tones[at + two] = (
                colours[row, 0], colours[row, 1], colours[row, 2]
            )  # fmt: skip
        at = np.uint64(0)
        for j in range(top, bottom):
            under = page[j, 3 * left :]
            for i in range(three * width):
                alpha = np.uint16(spread[at + i])
                mixed = np.uint16(under[i] * np.uint16(full - alpha) + tones[i] * alpha + half)
                # Divides by 255 and rounds.
                under[i] = np.uint16(mixed + (mixed >> eight)) >> eight
            at += three * width
