"""The ink of a page as two maps, for effects and warped pages.

    ink = ink_of(glyphs, atlas, height, width)
    paint_ink(page, ink, colours)

gives the same bytes as `compose.paint_glyphs`, which keeps no maps and is faster; only a pixel that
two lines share belongs to the first of them here, and is blended once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from numba import njit

from renderers.arrays import Floats, Ints, Picture
from renderers.exact import EXACT
from renderers.glyphs.atlas import Atlas
from renderers.page.compose import Glyphs


class Ink(NamedTuple):
    """`covered uint8[H, W]` is how much of each pixel is ink, `owner int32[H, W]` whose line it is,
    the first where several share a pixel.

    `owner` means nothing where `covered` is 0.
    """

    covered: npt.NDArray[np.uint8]
    owner: Ints


class Placement(NamedTuple):
    """Where the glyphs of a page lie, flat or warped.

    `shapes int32[slots, 5]` are the ink boxes of their slots, as in `Atlas`. The others belong to
    warped pages: the ink; the corners of each line's flat ink box on the page, `quads
    float64[lines, 8]` (as in `warp.Quad`); and how much larger than on the sheet a line is in its
    middle, `scales float64[lines]`.
    """

    glyphs: Glyphs
    shapes: Ints
    ink: Ink | None = None
    quads: Floats | None = None
    scales: Floats | None = None


def blank(height: int, width: int) -> Ink:
    """A page without ink."""
    return Ink(np.zeros((height, width), dtype=np.uint8), np.zeros((height, width), dtype=np.int32))


def ink_of(glyphs: Glyphs, atlas: Atlas, height: int, width: int) -> Ink:
    """The ink of glyphs that lie inside the page; coverage of neighbours adds up."""
    ink = blank(height, width)
    counts = glyphs.rows[:, 1] - glyphs.rows[:, 0]
    _cover(*ink, counts, glyphs.slot, glyphs.x, glyphs.y, atlas.shapes, atlas.pixels)
    return ink


def paint_ink(page: Picture, ink: Ink, colours: Picture) -> None:
    """Blend the ink into `page`, in place, in sRGB; `colours uint8[lines, 3]`."""
    _paint(page, ink.covered, ink.owner, colours)


def paint_under(
    page: Picture,
    ink: Ink,
    tones: npt.NDArray[np.uint8],
    strength: float,
    spread: Callable[[Picture], Picture],
) -> None:
    """Blend `page` towards each line's tone where `spread` carries its ink, in place.

    `tones uint8[lines]` are grey levels, of which there should be few: each costs one pass.
    `spread` takes and gives `uint8[H, W]` of coverage. Lay the ink itself on top afterwards.
    """
    for tone in np.unique(tones):
        own = np.where((tones == tone)[ink.owner], ink.covered, 0).astype(np.uint8)
        alpha = np.round(spread(own) * strength).astype(np.uint8)
        _paint(page, alpha, np.zeros_like(ink.owner), np.full((1, 3), tone, dtype=np.uint8))


@njit(**EXACT)
def _cover(covered, owner, counts, slot, x, y, shapes, pixels):  # type: ignore[no-untyped-def]
    at = 0
    for row in range(len(counts)):
        for _ in range(counts[row]):
            shape = shapes[slot[at]]
            source = shape[0]
            for j in range(shape[4]):
                for i in range(shape[3]):
                    ink = np.int64(pixels[source + j * shape[3] + i])
                    if ink:
                        down, across = y[at] + shape[2] + j, x[at] + shape[1] + i
                        if not covered[down, across]:
                            owner[down, across] = row
                        covered[down, across] = min(255, ink + covered[down, across])
            at += 1


@njit(**EXACT)
def _paint(page, covered, owner, colours):  # type: ignore[no-untyped-def]
    for j in range(page.shape[0]):
        for i in range(page.shape[1]):
            alpha = np.uint32(covered[j, i])
            if alpha:
                rest = np.uint32(255) - alpha
                for c in range(3):
                    colour = np.uint32(colours[owner[j, i], c])
                    mixed = page[j, i, c] * rest + colour * alpha + np.uint32(127)
                    page[j, i, c] = mixed // np.uint32(255)
