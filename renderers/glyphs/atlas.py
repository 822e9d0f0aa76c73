"""The cache of glyphs: small pictures of coverage, rasterised once and kept.

All bitmaps lie one after the other in one flat array, cut to their ink; a table says where each
begins, how large it is and where it lies from its glyph's origin.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from fonts.faces import Face
from renderers.arrays import Ints, Longs
from renderers.exact import EXACT
from renderers.glyphs.rasterise import PHASES, Rasteriser

# Coverage below this (3 %) is neither drawn nor boxed: no eye sees it, and boxes stay tight.
FAINT = 8
_LIMIT_BYTES = 128_000_000
# A key is (kind, phase, glyph) in so many bits: glyph numbers have 16 in OpenType.
_GLYPH_BITS, _PHASE_BITS = 16, 2
assert PHASES == 1 << _PHASE_BITS


class Atlas:
    """Slots stay valid until `trim`, which empties the atlas when it has grown too large.

    `shapes int32[slots, 5]` holds for each slot where its bitmap begins in `pixels uint8[...]`, px
    from the glyph's origin to the left and top edge (y downwards), width and height. A glyph
    without ink has width 0.
    """

    def __init__(self) -> None:
        self._rasteriser = Rasteriser()
        # By identity, as in `Shaper`.
        self._kinds: dict[tuple[int, int], int] = {}
        self._sources: list[tuple[Face, int]] = []
        self._reset()

    def _reset(self) -> None:
        self._count = self._used = 0
        self.shapes = np.zeros((1024, 5), dtype=np.int32)
        self.pixels = np.zeros(1 << 18, dtype=np.uint8)
        self._slots: dict[int, int] = {}

    def trim(self) -> None:
        """Start afresh when some 128 MB are used. Drops every slot given out so far."""
        if self._used > _LIMIT_BYTES:
            self._reset()

    def kind(self, face: Face, size_px: int) -> int:
        """The number by which `slots` knows a face at a size."""
        kind = self._kinds.get((id(face), size_px))
        if kind is None:
            kind = self._kinds[id(face), size_px] = len(self._sources)
            self._sources.append((face, size_px))
        return kind

    def slots(self, kinds: Ints, phases: Ints, glyphs: Ints) -> Ints:
        """Slot numbers, `int32[n]`, of glyphs, which are rasterised now if they are new.

        A phase moves the glyph right by phase / PHASES px. All three are `int32[n]`.
        """
        keys = _keys(kinds, phases, glyphs).tolist()
        known = self._slots
        try:
            return np.fromiter(map(known.__getitem__, keys), np.int32, len(keys))
        except KeyError:
            self._add(sorted(set(keys) - known.keys()))
            return np.fromiter(map(known.__getitem__, keys), np.int32, len(keys))

    def _add(self, keys: list[int]) -> None:
        # All at once: per glyph the array calls would cost more than FreeType does.
        bitmaps, sizes = self._rasteriser.bitmaps(
            (*self._sources[kind], phase, glyph) for kind, phase, glyph in map(_parts, keys)
        )
        end = self._count + len(keys)
        while end > len(self.shapes):
            self.shapes = _doubled(self.shapes)
        while self._used + len(bitmaps) > len(self.pixels):
            self.pixels = _doubled(self.pixels)
        self._used = _pack(bitmaps, sizes, self.shapes[self._count : end], self.pixels, self._used)
        self._slots.update(zip(keys, range(self._count, end), strict=True))
        self._count = end


def _doubled(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([array, np.zeros_like(array)])


def _keys(kinds: Ints, phases: Ints, glyphs: Ints) -> Longs:
    upper = kinds.astype(np.int64) << _PHASE_BITS | phases
    return upper << _GLYPH_BITS | glyphs


def _parts(key: int) -> tuple[int, int, int]:
    """Kind, phase and glyph of a key."""
    upper, glyph = divmod(key, 1 << _GLYPH_BITS)
    return (*divmod(upper, PHASES), glyph)


@njit(**EXACT)
def _pack(bitmaps, sizes, shapes, pixels, used):  # type: ignore[no-untyped-def]
    """Cut bitmaps to their ink, copy them behind `used` pixels, and fill their rows of `shapes`."""
    start = 0
    for i in range(len(sizes)):
        rows, width, pitch = sizes[i, 0], sizes[i, 1], sizes[i, 2]
        least = FAINT
        x0, y0, x1, y1 = width, rows, 0, 0
        for attempt in range(2):
            for y in range(rows):
                for x in range(width):
                    if bitmaps[start + y * pitch + x] >= least:
                        x0, x1 = min(x0, x), max(x1, x + 1)
                        y0, y1 = min(y0, y), y + 1
            if x1 > 0 or attempt:
                break
            # A glyph that is pale all over keeps what ink it has.
            least = 1
        shapes[i, 0] = used
        if x1 > 0:
            shapes[i, 1], shapes[i, 2] = sizes[i, 3] + x0, y0 - sizes[i, 4]
            shapes[i, 3], shapes[i, 4] = x1 - x0, y1 - y0
            for y in range(y0, y1):
                for x in range(x0, x1):
                    value = bitmaps[start + y * pitch + x]
                    pixels[used] = value if value >= least else 0
                    used += 1
        if width > 0:
            start += rows * pitch
    return used
