"""Faces opened in HarfBuzz, which turns text to glyphs: kerning, ligatures, marks, vertical forms.

Texts are shaped in compiled code (see `lines`), which calls HarfBuzz' C functions by their address
in the library of uharfbuzz. Shaping takes 0.2 ms a page; to read the glyphs one by one through
uharfbuzz' objects would take 1.9 ms more, about half as long as all the rest of a page in a tar.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any

import numpy as np

from fonts.faces import Face
from renderers.arrays import Longs
from renderers.optional import optional
from renderers.setting.lines import CALLS


class Shaper:
    """Opens each face once and keeps it."""

    def __init__(self) -> None:
        self._library = _library()
        self._buffer = int(self._library.hb_buffer_create())
        # By identity, far cheaper than to compare faces; the face is kept, so its id stays its own.
        self._fonts: dict[int, tuple[Face, Longs]] = {}

    def font(self, face: Face) -> Longs:
        """What compiled code needs of a face, `int64[lines.FONT]`; OSError for a bad file."""
        known = self._fonts.get(id(face))
        if known is None:
            known = self._fonts[id(face)] = face, self._open(face)
        return known[1]

    def _open(self, face: Face) -> Longs:
        lib = self._library
        blob = lib.hb_blob_create_from_file_or_fail(str(face.path).encode())
        if not blob:
            raise OSError(f"cannot read the font file {face.path}")
        opened = lib.hb_face_create(blob, face.index)
        font = lib.hb_font_create(opened)
        # Chinese by declaration: without it a pan-CJK face may pick Japanese punctuation forms.
        language = lib.hb_language_from_string(b"zh-hans" if "zh" in face.languages else b"en", -1)
        units_per_em = int(lib.hb_face_get_upem(opened))
        return np.array([*_addresses(lib), self._buffer, font, language, units_per_em], np.int64)


_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "hb_blob_create_from_file_or_fail": (ctypes.c_void_p, [ctypes.c_char_p]),
    "hb_face_create": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_uint]),
    "hb_face_get_upem": (ctypes.c_uint, [ctypes.c_void_p]),
    "hb_font_create": (ctypes.c_void_p, [ctypes.c_void_p]),
    "hb_language_from_string": (ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]),
    "hb_buffer_create": (ctypes.c_void_p, []),
}


@cache
def _library() -> Any:
    """HarfBuzz' C functions. ImportError where uharfbuzz is missing or does not export them."""
    file = optional("uharfbuzz")._harfbuzz.__file__
    library = ctypes.CDLL(file)
    try:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        _addresses(library)
    except AttributeError as error:
        raise ImportError(
            f"{file} does not export the functions of HarfBuzz ({error}): install "
            "uharfbuzz from its wheel for Linux"
        ) from None
    return library


def _addresses(library: Any) -> list[int]:
    return [ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in CALLS]
