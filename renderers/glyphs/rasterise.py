"""Glyphs to bitmaps with FreeType.

Light hinting (vertical only) keeps the strokes of small Han characters apart; embedded bitmaps are
never used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from fonts.faces import Face
from renderers.arrays import Ints
from renderers.optional import optional

PHASES = 4  # horizontal sub-pixel positions
_FRACTIONS = 64  # of a px, in which FreeType counts


class GlyphFault(ValueError):
    """FreeType refuses a face or a glyph; the message names both."""


class Rasteriser:
    """Opens each face once and keeps it."""

    def __init__(self) -> None:
        # By identity, as in `Shaper`; the face is kept, so that its id stays its own.
        self._faces: dict[int, tuple[Face, Any]] = {}

    def bitmaps(
        self, wanted: Iterable[tuple[Face, int, int, int]]
    ) -> tuple[npt.NDArray[np.uint8], Ints]:
        """Rasterise (face, size in px, phase, glyph) in order; equal faces and sizes side by side.

        All bitmaps one after the other, `uint8[...]`, and for each its rows, width, pitch, and px
        from the origin right to its left and up to its top edge, `int32[n, 5]`.
        """
        ft = optional("freetype")
        load = ft.FT_LOAD_TARGET_LIGHT | ft.FT_LOAD_NO_BITMAP
        copies: list[bytes] = []
        sizes: list[tuple[int, int, int, int, int]] = []
        current: tuple[int, int] | None = None
        for face, size_px, phase, glyph in wanted:
            if current != (id(face), size_px):
                current, opened = (id(face), size_px), self._opened(face, size_px)
            try:
                opened.load_glyph(glyph, load)
                slot = opened.glyph
                if phase:
                    outline = ctypes.byref(slot.outline._FT_Outline)
                    ft.FT_Outline_Translate(outline, phase * _FRACTIONS // PHASES, 0)
                slot.render(ft.FT_RENDER_MODE_NORMAL)
            except ft.FT_Exception as error:
                raise GlyphFault(
                    f"FreeType cannot draw glyph {glyph} of {face.name}: {error}"
                ) from None
            # Not `Bitmap.buffer`, a list that is made number by number.
            bitmap = slot.bitmap._FT_Bitmap
            rows, width, pitch = bitmap.rows, bitmap.width, bitmap.pitch
            sizes.append((rows, width, pitch, slot.bitmap_left, slot.bitmap_top))
            if rows and width:
                copies.append(ctypes.string_at(bitmap.buffer, rows * pitch))
        pixels = np.frombuffer(b"".join(copies), dtype=np.uint8)
        return pixels, np.array(sizes, dtype=np.int32).reshape(-1, 5)

    def _opened(self, face: Face, size_px: int) -> Any:
        ft = optional("freetype")
        try:
            if id(face) not in self._faces:
                self._faces[id(face)] = face, ft.Face(str(face.path), face.index)
            opened = self._faces[id(face)][1]
            opened.set_pixel_sizes(0, size_px)
        except ft.FT_Exception as error:
            raise GlyphFault(f"FreeType cannot open {face.path} at {size_px} px: {error}") from None
        return opened
