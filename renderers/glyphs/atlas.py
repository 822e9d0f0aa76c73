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
from renderers.arrays import Ints
from renderers.compiled import EXACT
from renderers.glyphs.rasterise import PHASES, Rasteriser

Keys = npt.NDArray[np.int64]

# Coverage below this (3 %) is neither drawn nor boxed: no eye sees it, and boxes stay tight.
FAINT = 8
_LIMIT_BYTES = 128_000_000
# A key is (kind, phase, glyph) in so many bits, plus 1: glyph numbers have 16 in OpenType.
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
        # An open hash table from key to slot; key 0 is a free place.
        self._keys = np.zeros(1 << 12, dtype=np.int64)
        self._slots = np.zeros(1 << 12, dtype=np.int32)

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
        keys, slots, missing = _find(kinds, phases, glyphs, self._keys, self._slots)
        if missing:
            self._add(np.unique(keys[slots < 0]))
            _, slots, _ = _find(kinds, phases, glyphs, self._keys, self._slots)
        found: Ints = slots
        return found

    def _add(self, keys: Keys) -> None:
        # All at once: per glyph the array calls would cost more than FreeType does.
        glyphs = (keys - 1) & ((1 << _GLYPH_BITS) - 1)
        upper = (keys - 1) >> _GLYPH_BITS
        phases, kinds = upper & (PHASES - 1), upper >> _PHASE_BITS
        bitmaps, sizes = self._rasteriser.bitmaps(
            (*self._sources[kind], phase, glyph)
            for kind, phase, glyph in zip(
                kinds.tolist(), phases.tolist(), glyphs.tolist(), strict=True
            )
        )
        end = self._count + len(keys)
        while end > len(self.shapes):
            self.shapes = _doubled(self.shapes)
        while self._used + len(bitmaps) > len(self.pixels):
            self.pixels = _doubled(self.pixels)
        self._used = _pack(bitmaps, sizes, self.shapes[self._count : end], self.pixels, self._used)
        while 2 * end > len(self._keys):
            full, old = np.flatnonzero(self._keys), (self._keys, self._slots)
            self._keys = np.zeros(2 * len(self._keys), dtype=np.int64)
            self._slots = np.zeros(2 * len(self._slots), dtype=np.int32)
            _insert(old[0][full], old[1][full], self._keys, self._slots)
        new = np.arange(self._count, end, dtype=np.int32)
        _insert(keys, new, self._keys, self._slots)
        self._count = end


def _doubled(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([array, np.zeros_like(array)])


@njit(**EXACT)
def _home(key, size):  # type: ignore[no-untyped-def]
    """Where the search for a key begins in a table of `size` places, a power of two."""
    # Fibonacci hashing: the high bits of the product spread neighbouring keys.
    return np.int64((np.uint64(key) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)) & (size - 1)


@njit(**EXACT)
def _insert(keys, slots, table_keys, table_slots):  # type: ignore[no-untyped-def]
    """Enter keys that are not in the table yet."""
    mask = len(table_keys) - 1
    for i in range(len(keys)):
        at = _home(keys[i], mask + 1)
        while table_keys[at]:
            at = (at + 1) & mask
        table_keys[at], table_slots[at] = keys[i], slots[i]


@njit(**EXACT)
def _find(kinds, phases, glyphs, table_keys, table_slots):  # type: ignore[no-untyped-def]
    """The keys of glyphs, their slots (-1 for a new one), and how many are new."""
    mask = len(table_keys) - 1
    keys = np.empty(len(glyphs), np.int64)
    slots = np.empty(len(glyphs), np.int32)
    missing = 0
    for i in range(len(glyphs)):
        upper = (np.int64(kinds[i]) << _PHASE_BITS) | phases[i]
        key = ((upper << _GLYPH_BITS) | glyphs[i]) + 1
        at = _home(key, mask + 1)
        while table_keys[at] != key and table_keys[at] != 0:
            at = (at + 1) & mask
        keys[i], slots[i] = key, table_slots[at]
        if table_keys[at] == 0:
            slots[i] = -1
            missing += 1
    return keys, slots, missing


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
