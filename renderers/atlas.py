"""Glyphs as lists of inked pixels, rasterised once by FreeType and kept.

Only pixels with ink are stored: at 6 px a Han character has some 30 of them, and drawing a page is
then one scatter over all its characters. Light hinting (vertical only) keeps the strokes of small
Han characters apart; embedded bitmaps are never used.
"""

from __future__ import annotations

import ctypes
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fonts.faces import Face
from renderers.shaping import Ints, RenderExtraMissing

Bools = npt.NDArray[np.bool_]

PHASES = 4  # horizontal sub-pixel positions
# Coverage below this (3 %) is neither drawn nor boxed: no eye sees it, and boxes stay tight.
FAINT = 8
_LIMIT_PIXELS = 48_000_000

# FT_LOAD_TARGET_LIGHT, FT_LOAD_NO_BITMAP, FT_RENDER_MODE_NORMAL (freetype.h).
_LOAD_TARGET_LIGHT, _LOAD_NO_BITMAP, _RENDER_MODE_NORMAL = 1 << 16, 1 << 3, 0


class GlyphFault(ValueError):
    """FreeType refuses a face or a glyph; the message names both."""


@dataclass(frozen=True)
class Inked:
    """Inked pixels of many glyphs: where each lies from its glyph's origin, and its coverage."""

    glyph: Ints
    dx: npt.NDArray[np.int32]
    dy: npt.NDArray[np.int32]
    coverage: npt.NDArray[np.uint8]


class _Bitmap(NamedTuple):
    """`coverage uint8[rows, columns]`; px from the origin right to its left, up to its top edge."""

    coverage: npt.NDArray[np.uint8]
    left: int
    top: int


class Atlas:
    """The cache. Slots stay valid until `trim`, which empties it when it has grown too large."""

    def __init__(self) -> None:
        self._library: Any = None
        self._faces: dict[str, Any] = {}
        self._slots: dict[tuple[str, int, int], npt.NDArray[np.int32]] = {}
        self._reset()

    def _reset(self) -> None:
        self._slots.clear()
        self._glyphs = 0
        self._pixels = 0
        self._start = np.zeros(1024, dtype=np.int64)
        self._count = np.zeros(1024, dtype=np.int32)
        self._boxes = np.zeros((1024, 4), dtype=np.int16)
        self._dx = np.zeros(1 << 16, dtype=np.int16)
        self._dy = np.zeros(1 << 16, dtype=np.int16)
        self._coverage = np.zeros(1 << 16, dtype=np.uint8)

    def trim(self) -> None:
        """Start afresh when some 250 MB are used. Drops every slot given out so far."""
        if self._pixels > _LIMIT_PIXELS:
            self._reset()

    def slots(self, face: Face, size_px: int, phase: int, glyphs: Ints) -> Ints:
        """Slot numbers of `glyphs`, which are rasterised now if they are new.

        `phase` moves the glyph right by phase / PHASES px.
        """
        key = (face.key, size_px, phase)
        highest = int(glyphs.max(initial=0))
        table = self._slots.get(key)
        if table is None or len(table) <= highest:
            longer = np.full(highest + 512, -1, dtype=np.int32)
            if table is not None:
                longer[: len(table)] = table
            table = self._slots[key] = longer
        found: Ints = table[glyphs]
        if (found < 0).any():
            handle = self._open(face, size_px)
            new = np.unique(glyphs[found < 0])
            table[new] = self._add(
                [_rasterise(handle, glyph, phase, face) for glyph in new.tolist()]
            )
            found = table[glyphs]
        return found

    def boxes(self, slots: Ints) -> npt.NDArray[np.int16]:
        """`int16[n, 4]`: x0, y0, x1, y1 of the ink from the origin; all zero for a blank glyph."""
        boxes: npt.NDArray[np.int16] = self._boxes[slots]
        return boxes

    def inked(self, slots: Ints) -> Inked:
        """All inked pixels of `slots`, glyph after glyph; `glyph` counts in `slots`."""
        counts = self._count[slots]
        glyph = np.repeat(np.arange(len(slots), dtype=np.int32), counts)
        ends = np.cumsum(counts, dtype=np.int64)
        source = np.arange(len(glyph), dtype=np.int64)
        source += np.repeat(self._start[slots] - (ends - counts), counts)
        return Inked(
            glyph=glyph,
            dx=self._dx[source].astype(np.int32),
            dy=self._dy[source].astype(np.int32),
            coverage=self._coverage[source],
        )

    def _add(self, bitmaps: list[_Bitmap]) -> Ints:
        # All at once: per glyph the array calls would cost more than FreeType does.
        # A blank glyph has no pixels at all; one empty row spares a special case.
        rows = max(1, *(bitmap.coverage.shape[0] for bitmap in bitmaps))
        columns = max(1, *(bitmap.coverage.shape[1] for bitmap in bitmaps))
        stack = np.zeros((len(bitmaps), rows, columns), dtype=np.uint8)
        for layer, bitmap in zip(stack, bitmaps, strict=True):
            layer[: bitmap.coverage.shape[0], : bitmap.coverage.shape[1]] = bitmap.coverage
        left = np.array([bitmap.left for bitmap in bitmaps])
        top = np.array([bitmap.top for bitmap in bitmaps])
        ink = stack >= FAINT
        pale = ~ink.any(axis=(1, 2))
        ink[pale] = stack[pale] > 0
        glyph, row, column = np.nonzero(ink)
        counts = np.bincount(glyph, minlength=len(bitmaps))
        first_slot, first_pixel = self._glyphs, self._pixels
        self._glyphs += len(bitmaps)
        self._pixels += len(glyph)
        self._reserve()
        slots = slice(first_slot, self._glyphs)
        pixels = slice(first_pixel, self._pixels)
        self._start[slots] = first_pixel + np.cumsum(counts) - counts
        self._count[slots] = counts
        self._dx[pixels], self._dy[pixels] = column + left[glyph], row - top[glyph]
        self._coverage[pixels] = stack[ink]
        inked_columns: Bools = np.asarray(ink.any(axis=1))
        inked_rows: Bools = np.asarray(ink.any(axis=2))
        boxes = np.stack(
            [
                inked_columns.argmax(axis=1) + left,
                inked_rows.argmax(axis=1) - top,
                columns - inked_columns[:, ::-1].argmax(axis=1) + left,
                rows - inked_rows[:, ::-1].argmax(axis=1) - top,
            ],
            axis=1,
        )
        self._boxes[slots] = np.where(counts[:, None] > 0, boxes, 0)
        return np.arange(first_slot, self._glyphs, dtype=np.int32)

    def _reserve(self) -> None:
        while self._glyphs > len(self._start):
            self._start, self._count = _doubled(self._start), _doubled(self._count)
            self._boxes = _doubled(self._boxes)
        while self._pixels > len(self._dx):
            self._dx, self._dy = _doubled(self._dx), _doubled(self._dy)
            self._coverage = _doubled(self._coverage)

    def _open(self, face: Face, size_px: int) -> Any:
        raw = _freetype()
        if self._library is None:
            self._library = raw.FT_Library()
            raw.FT_Init_FreeType(ctypes.byref(self._library))
        handle = self._faces.get(face.key)
        if handle is None:
            handle = raw.FT_Face()
            fault = raw.FT_New_Face(
                self._library, str(face.path).encode(), face.index, ctypes.byref(handle)
            )
            if fault:
                raise GlyphFault(f"FreeType cannot open {face.path}: error {fault}")
            self._faces[face.key] = handle
        if raw.FT_Set_Pixel_Sizes(handle, 0, size_px):
            raise GlyphFault(f"{face.name} cannot be set at {size_px} px")
        return handle


def _rasterise(handle: Any, glyph: int, phase: int, face: Face) -> _Bitmap:
    raw = _freetype()
    fault = raw.FT_Load_Glyph(handle, glyph, _LOAD_TARGET_LIGHT | _LOAD_NO_BITMAP)
    slot = handle.contents.glyph
    if not fault and phase:
        raw.FT_Outline_Translate(ctypes.byref(slot.contents.outline), phase * 64 // PHASES, 0)
    fault = fault or raw.FT_Render_Glyph(slot, _RENDER_MODE_NORMAL)
    if fault:
        raise GlyphFault(f"FreeType cannot draw glyph {glyph} of {face.name}: error {fault}")
    bitmap = slot.contents.bitmap
    if not bitmap.rows or not bitmap.width:
        return _Bitmap(np.zeros((0, 0), dtype=np.uint8), 0, 0)
    data = ctypes.string_at(bitmap.buffer, bitmap.rows * bitmap.pitch)
    rows = np.frombuffer(data, dtype=np.uint8).reshape(bitmap.rows, bitmap.pitch)
    return _Bitmap(rows[:, : bitmap.width], slot.contents.bitmap_left, slot.contents.bitmap_top)


def _doubled(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    return np.concatenate([array, np.zeros_like(array)])


def _freetype() -> Any:
    try:
        from freetype import raw
    except ImportError:
        raise RenderExtraMissing("freetype-py") from None
    return raw
