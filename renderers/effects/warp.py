"""Pages seen at an angle: rotated or in perspective, with boxes that follow.

The glyphs are warped, not the finished picture: each one is rasterised four times as large and
every pixel of the page adds up what its 16 sub-pixels see of it. So letters keep edges as sharp as
on a flat page and the photograph under them stays untouched; resampling the page would soften both.
The boxes come from the ink that lands on the page, glyph by glyph, as on a flat page.

A sheet of `sheet_size(quad)` px is laid out flat and carried to the four corners of its quad, with
sums and quotients only, so that the bytes are the same on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.arrays import Floats, Picture
from renderers.exact import EXACT
from renderers.glyphs.atlas import FAINT, Atlas
from renderers.layout.sheet import Mark, Placed
from renderers.page.compose import Glyphs, place_glyphs
from renderers.page.ink_maps import Ink, Placement, blank, paint_under

# x and y of the corners in px of the page: top left, top right, bottom right, bottom left.
Quad = tuple[tuple[float, float], ...]

MAX_TILT_DEGREES, MAX_PERSPECTIVE = 45.0, 0.5
# Sub-pixels per pixel and side, and how much larger than drawn glyphs are rasterised.
_FINE = 4
# As the compiled loop knows it.
_FAINT = 8
assert _FAINT == FAINT


def sample_quad(
    rng: np.random.Generator, width: int, height: int, *, tilt_degrees: float, perspective: float
) -> Quad:
    """Sample where the corners of a sheet lie on a page of `width` x `height` px.

    The sheet is turned by up to `tilt_degrees` to either side, each corner is pulled in by up to
    half of `perspective` of the page's sides, and the whole is made to fit into the page.
    """
    angle = math.radians(float(rng.uniform(-tilt_degrees, tilt_degrees)))
    pulled = 0.5 - 0.5 * rng.uniform(0, 1, (4, 2)) * perspective
    signs = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    x, y = (signs * pulled * (width, height)).T
    turned = np.stack(
        [x * math.cos(angle) - y * math.sin(angle), x * math.sin(angle) + y * math.cos(angle)]
    )
    low, high = turned.min(axis=1), turned.max(axis=1)
    fit = min(1.0, width / (high[0] - low[0]), height / (high[1] - low[1]))
    centre = np.array([width / 2, height / 2]) - fit * (low + high) / 2
    corners = fit * turned + centre[:, None]
    inside = np.clip(np.round(corners, 2).T, 0, (width, height))
    return tuple((float(across), float(down)) for across, down in inside)


def sheet_size(quad: Quad) -> tuple[int, int]:
    """Width and height in px of the flat sheet for a quad: the means of its opposite sides.

    So an em of the sheet is about an em of the page; nearer parts come out larger.
    """
    sides = [math.dist(quad[i], quad[(i + 1) % 4]) for i in range(4)]
    return round((sides[0] + sides[2]) / 2), round((sides[1] + sides[3]) / 2)


def matrix(quad: Quad) -> Floats:
    """`float64[3, 3]`: homogeneous px of the sheet to px of the page. ValueError if not convex.

    Heckbert, Fundamentals of Texture Mapping and Image Warping (1989), section 2.2.3.
    """
    if len(quad) != 4 or min(_turn(*(quad[(i + k) % 4] for k in range(3))) for i in range(4)) <= 0:
        raise ValueError(f"a sheet needs four corners, convex and clockwise; got {quad}")
    (x0, y0), (x1, y1), (x2, y2), (x3, y3) = quad
    width, height = sheet_size(quad)
    ax, ay, bx, by = x1 - x2, y1 - y2, x3 - x2, y3 - y2
    sx, sy = x0 - x1 + x2 - x3, y0 - y1 + y2 - y3
    area = ax * by - bx * ay
    g, h = (sx * by - bx * sy) / area, (ax * sy - sx * ay) / area
    return np.array(
        [
            [(x1 - x0 + g * x1) / width, (x3 - x0 + h * x3) / height, x0],
            [(y1 - y0 + g * y1) / width, (y3 - y0 + h * y3) / height, y0],
            [g / width, h / height, 1.0],
        ]
    )


def _turn(a: tuple[float, float], b: tuple[float, float], c: tuple[float, float]) -> float:
    return (b[0] - a[0]) * (c[1] - b[1]) - (b[1] - a[1]) * (c[0] - b[0])


def _inverse(m: Floats) -> Floats:
    # The adjugate: homogeneous coordinates need no division by the determinant.
    (a, b, c), (d, e, f), (g, h, i) = m
    return np.array(
        [
            [e * i - f * h, c * h - b * i, b * f - c * e],
            [f * g - d * i, a * i - c * g, c * d - a * f],
            [d * h - e * g, b * g - a * h, a * e - b * d],
        ]
    )


def warp_glyphs(lines: Placed, atlas: Atlas, quad: Quad, height: int, width: int) -> Placement:
    """Warp the glyphs of `lines`, set on the flat sheet, to a page of `height` x `width` px.

    Each glyph has a slot of its own. A line that is not wholly inside the page leaves no ink; its
    box shows that.
    """
    forward = matrix(quad)
    fine = place_glyphs(lines, atlas, 1, scale=_FINE)
    counts = fine.rows[:, 1] - fine.rows[:, 0]
    ink = blank(height, width)
    inverse, maps = _inverse(forward), (ink.covered, ink.owner)
    placed = (counts, fine.slot, fine.x, fine.y, atlas.shapes, atlas.pixels)
    boxes, line_boxes = _project(*maps, *placed, forward, inverse)
    shapes = np.zeros((len(boxes), 5), dtype=np.int32)
    shapes[:, 1:3] = boxes[:, :2]
    shapes[:, 3:] = np.maximum(boxes[:, 2:] - boxes[:, :2], 0)
    origin = np.zeros(len(boxes), dtype=np.int32)
    slot = np.arange(len(boxes), dtype=np.int32)
    glyphs = Glyphs(fine.rows, fine.clusters, slot, origin, origin, line_boxes)
    x0, y0, x1, y1 = fine.line_boxes.T / _FINE
    corners = [_points(forward, x, y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    scales = _scales(forward, (x0 + x1) / 2, (y0 + y1) / 2)
    return Placement(glyphs, shapes, ink, np.hstack(corners), scales)


def paint_warped_marks(
    page: Picture, marks: Sequence[Mark], plate: float, tone: int, rule_tone: int, *, quad: Quad
) -> None:
    """As `compose.paint_marks`, for marks on the sheet of `quad`; their edges are antialiased."""
    forward = matrix(quad)
    inverse = _inverse(forward)
    for kind, *sides in marks:
        strength, level = (0.6, rule_tone) if kind == "rule" else (plate, tone)
        if not strength:
            continue
        x0, y0, x1, y1 = np.array(sides, dtype=np.float64)
        corners = _points(forward, np.array([x0, x1, x1, x0]), np.array([y0, y0, y1, y1]))
        left, top = np.maximum(np.floor(corners.min(axis=0)).astype(int), 0).tolist()
        right, bottom = np.ceil(corners.max(axis=0)).astype(int).tolist()
        part = page[top:bottom, left:right]
        covered = _rectangle(*part.shape[:2], left, top, x0, y0, x1, y1, inverse)
        ink = Ink(covered, np.zeros(covered.shape, dtype=np.int32))
        paint_under(part, ink, np.array([level], dtype=np.uint8), strength, lambda mask: mask)


def _points(m: Floats, x: Floats, y: Floats) -> Floats:
    below = m[2, 0] * x + m[2, 1] * y + m[2, 2]
    across = (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / below
    down = (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / below
    return np.stack([across, down], axis=1)


def _scales(m: Floats, x: Floats, y: Floats) -> Floats:
    # The determinant of a homography's Jacobian is det(M) over the cube of the denominator.
    (a, b, c), (d, e, f), (g, h, i) = m
    det = a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
    below = g * x + h * y + i
    scales: npt.NDArray[np.float64] = np.sqrt(np.abs(det / below**3))
    return scales


@njit(**EXACT)
def _at(m, x, y):  # type: ignore[no-untyped-def]
    below = m[2, 0] * x + m[2, 1] * y + m[2, 2]
    return (
        (m[0, 0] * x + m[0, 1] * y + m[0, 2]) / below,
        (m[1, 0] * x + m[1, 1] * y + m[1, 2]) / below,
    )


@njit(**EXACT)
def _project(covered, owner, counts, slot, x, y, shapes, pixels, forward, inverse):  # type: ignore[no-untyped-def]
    """The ink boxes int32[n, 4] of all glyphs and int32[lines, 4] of all lines; fills both maps."""
    far = 1 << 20
    height, width = covered.shape
    boxes = np.empty((len(slot), 4), np.int32)
    line_boxes = np.empty((len(counts), 4), np.int32)
    at = 0
    for row in range(len(counts)):
        first, last = at, at + counts[row]
        a, b, c, d = far, far, -far, -far
        for n in range(first, last):
            shape = shapes[slot[n]]
            boxes[n, 0], boxes[n, 1], boxes[n, 2], boxes[n, 3] = 0, 0, 0, 0
            if shape[3] == 0:
                continue
            left, top = (x[n] + shape[1]) / _FINE, (y[n] + shape[2]) / _FINE
            right, bottom = left + shape[3] / _FINE, top + shape[4] / _FINE
            x0, y0 = _at(forward, left, top)
            x1, y1 = x0, y0
            for k in range(1, 4):
                across, down = _at(forward, right if k & 1 else left, bottom if k & 2 else top)
                x0, x1 = min(x0, across), max(x1, across)
                y0, y1 = min(y0, down), max(y1, down)
            boxes[n, 0], boxes[n, 1] = np.floor(x0), np.floor(y0)
            boxes[n, 2], boxes[n, 3] = np.ceil(x1), np.ceil(y1)
            a, b = min(a, boxes[n, 0]), min(b, boxes[n, 1])
            c, d = max(c, boxes[n, 2]), max(d, boxes[n, 3])
        if a >= 0 and b >= 0 and c <= width and d <= height and c > a:
            a, b, c, d = far, far, -far, -far
            for n in range(first, last):
                if boxes[n, 2] > 0:
                    _see(
                        covered, owner, row, boxes[n], x[n], y[n], shapes[slot[n]], pixels, inverse
                    )
                if boxes[n, 2] > boxes[n, 0]:
                    a, b = min(a, boxes[n, 0]), min(b, boxes[n, 1])
                    c, d = max(c, boxes[n, 2]), max(d, boxes[n, 3])
        line_boxes[row, 0], line_boxes[row, 1], line_boxes[row, 2], line_boxes[row, 3] = a, b, c, d
        at = last
    return boxes, line_boxes


@njit(**EXACT)
def _see(covered, owner, row, box, x, y, shape, pixels, inverse):  # type: ignore[no-untyped-def]
    """Add one glyph to the maps and cut its box to the ink that it leaves there."""
    far = 1 << 20
    source, across, down = shape[0], shape[3], shape[4]
    left, top = x + shape[1], y + shape[2]
    a, b, c, d = far, far, -far, -far
    for j in range(box[1], box[3]):
        for i in range(box[0], box[2]):
            total = np.int64(0)
            for v in range(_FINE):
                for u in range(_FINE):
                    column, line = _at(inverse, i + (u + 0.5) / _FINE, j + (v + 0.5) / _FINE)
                    column, line = column * _FINE - left, line * _FINE - top
                    if 0 <= column < across and 0 <= line < down:
                        total += pixels[source + np.int64(line) * across + np.int64(column)]
            seen = (total + _FINE * _FINE // 2) // (_FINE * _FINE)
            if seen >= _FAINT:
                a, b, c, d = min(a, i), min(b, j), max(c, i + 1), max(d, j + 1)
                if not covered[j, i]:
                    owner[j, i] = row
                covered[j, i] = min(255, seen + covered[j, i])
    if c < a:
        a, b, c, d = 0, 0, 0, 0
    box[0], box[1], box[2], box[3] = a, b, c, d


@njit(**EXACT)
def _rectangle(height, width, left, top, x0, y0, x1, y1, inverse):  # type: ignore[no-untyped-def]
    """How much of each pixel of a part of the page a rectangle of the sheet covers, uint8[H, W]."""
    covered = np.zeros((height, width), np.uint8)
    for j in range(height):
        for i in range(width):
            seen = 0
            for v in range(_FINE):
                for u in range(_FINE):
                    across, down = left + i + (u + 0.5) / _FINE, top + j + (v + 0.5) / _FINE
                    x, y = _at(inverse, across, down)
                    seen += x0 <= x < x1 and y0 <= y < y1
            covered[j, i] = seen * 255 // (_FINE * _FINE)
    return covered
