"""Glyphs to bitmaps with FreeType, many at a time.

Light hinting (vertical only) keeps the strokes of small Han characters apart; embedded bitmaps are
never used. A bitmap is read as one block of memory: through ctypes' structures, member by member,
reading costs more than drawing.
"""

from __future__ import annotations

import ctypes
import struct
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fonts.faces import Face
from renderers.arrays import Ints
from renderers.setting.shaping import RenderExtraMissing

PHASES = 4  # horizontal sub-pixel positions

# FT_LOAD_TARGET_LIGHT | FT_LOAD_NO_BITMAP, FT_LOAD_RENDER, FT_RENDER_MODE_NORMAL (freetype.h).
_LOAD, _LOAD_RENDER, _RENDER_MODE_NORMAL = 1 << 16 | 1 << 3, 1 << 2, 0
# FT_GlyphSlotRec from its member `bitmap` to `bitmap_top`: rows, width, pitch, buffer, grey levels,
# two modes, palette, left, top.
_BITMAP = struct.Struct("@IIiPHBBPii")


class GlyphFault(ValueError):
    """FreeType refuses a face or a glyph; the message names both."""


class _Opened(NamedTuple):
    """An open face, the address of its outline, and a view of its slot's bitmap record."""

    face: Face
    handle: Any
    slot: int
    outline: int
    record: Any


class Rasteriser:
    """Opens each face once and keeps it."""

    def __init__(self) -> None:
        # By identity, as in `Shaper`.
        self._faces: dict[int, _Opened] = {}
        self._library: Any = None
        self._handle: Any = None

    def bitmaps(
        self, wanted: Iterable[tuple[Face, int, int, int]]
    ) -> tuple[npt.NDArray[np.uint8], Ints]:
        """Draw (face, size in px, phase, glyph) in order; equal faces and sizes side by side.

        All bitmaps one after the other, `uint8[...]`, and for each its rows, width, pitch, and px
        from the origin right to its left and up to its top edge, `int32[n, 5]`.
        """
        if self._library is None:
            self._library, self._handle = _library()
        load, render = self._library.FT_Load_Glyph, self._library.FT_Render_Glyph
        copies: list[bytes] = []
        sizes: list[tuple[int, int, int, int, int]] = []
        current: tuple[int, int] | None = None
        for face, size_px, phase, glyph in wanted:
            if current != (id(face), size_px):
                current = (id(face), size_px)
                _, handle, slot, outline, record = self._set_size(face, size_px)
            if phase:
                fault = load(handle, glyph, _LOAD)
                if not fault:
                    self._library.FT_Outline_Translate(outline, phase * 64 // PHASES, 0)
                    fault = render(slot, _RENDER_MODE_NORMAL)
            else:
                fault = load(handle, glyph, _LOAD | _LOAD_RENDER)
            if fault:
                raise GlyphFault(
                    f"FreeType cannot draw glyph {glyph} of {face.name}: error {fault}"
                )
            rows, width, pitch, buffer, *_, left, top = _BITMAP.unpack(record)
            sizes.append((rows, width, pitch, left, top))
            if rows and width:
                copies.append(ctypes.string_at(buffer, rows * pitch))
        pixels = np.frombuffer(b"".join(copies), dtype=np.uint8)
        return pixels, np.array(sizes, dtype=np.int32).reshape(-1, 5)

    def _set_size(self, face: Face, size_px: int) -> _Opened:
        opened = self._faces.get(id(face))
        if opened is None:
            opened = self._faces[id(face)] = self._open(face)
        if self._library.FT_Set_Pixel_Sizes(opened.handle, 0, size_px):
            raise GlyphFault(f"{face.name} cannot be set at {size_px} px")
        return opened

    def _open(self, face: Face) -> _Opened:
        structs = _structs()
        handle = ctypes.c_void_p()
        fault = self._library.FT_New_Face(
            self._handle, str(face.path).encode(), face.index, ctypes.byref(handle)
        )
        if fault:
            raise GlyphFault(f"FreeType cannot open {face.path}: error {fault}")
        # FreeType has one slot per face, in the same place for as long as the face is open.
        record = structs.FT_FaceRec.from_address(handle.value or 0)
        slot = ctypes.cast(record.glyph, ctypes.c_void_p).value or 0
        rec = structs.FT_GlyphSlotRec
        return _Opened(
            face,
            handle.value,
            slot,
            slot + rec.outline.offset,
            (ctypes.c_char * _BITMAP.size).from_address(slot + rec.bitmap.offset),
        )


def _library() -> tuple[Any, Any]:
    """FreeType's functions and an open library."""
    try:
        from freetype import raw
    except ImportError:
        raise RenderExtraMissing("freetype-py") from None
    # PyDLL: letting go of the interpreter lock would cost more than most of these calls.
    library = ctypes.PyDLL(raw._lib._name, handle=raw._lib._handle)
    pointer, whole, long = ctypes.c_void_p, ctypes.c_int, ctypes.c_long
    for name, arguments in {
        "FT_Init_FreeType": [pointer],
        "FT_New_Face": [pointer, ctypes.c_char_p, long, pointer],
        "FT_Set_Pixel_Sizes": [pointer, ctypes.c_uint, ctypes.c_uint],
        "FT_Load_Glyph": [pointer, ctypes.c_uint, ctypes.c_int32],
        "FT_Outline_Translate": [pointer, long, long],
        "FT_Render_Glyph": [pointer, whole],
    }.items():
        getattr(library, name).argtypes = arguments
    handle = pointer()
    if fault := library.FT_Init_FreeType(ctypes.byref(handle)):
        raise GlyphFault(f"FreeType does not start: error {fault}")
    return library, handle


def _structs() -> Any:
    from freetype import ft_structs

    rec = ft_structs.FT_GlyphSlotRec
    assert rec.bitmap_top.offset + 4 - rec.bitmap.offset == _BITMAP.size
    return ft_structs
