"""Faces opened in HarfBuzz, which turns text to glyphs: kerning, ligatures, marks, vertical forms.

Lengths come in font units. Texts are shaped in compiled code where HarfBuzz' own functions can be
reached (see `lines`), and through the objects of uharfbuzz where they cannot.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fonts.faces import Face
from renderers.arrays import Ints
from renderers.setting.lines import CALLS, FIELDS


class RenderExtraMissing(ImportError):
    """A package of the `render` extra is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"drawing text needs {package}: pip install 'vae-corpus[render]'")


class Font(NamedTuple):
    """An opened face, and the face, so that its id stays its own.

    `native int64[lines.FONT]` is what compiled code needs of it; `opened` a font of uharfbuzz,
    only where there is no compiled way. `upem` font units make an em.
    """

    face: Face
    native: npt.NDArray[np.int64]
    opened: Any
    upem: int


class Shaper:
    """Opens each face once and keeps it.

    A `native` one hands out fonts for `lines.set_texts`. Where HarfBuzz' functions cannot be
    reached, or on request, it is not native: then `shape` reads through Python objects.
    """

    def __init__(self, *, native: bool = True) -> None:
        # By identity, which is far cheaper than to compare faces.
        self._fonts: dict[int, Font] = {}
        self._library: Any = _library() if native else None
        self.native = bool(self._library)
        self._buffer = int(self._library.hb_buffer_create()) if self._library else 0

    def font(self, face: Face) -> Font:
        """The face, opened now if it is new. OSError when its file cannot be read."""
        known = self._fonts.get(id(face))
        if known is None:
            known = self._fonts[id(face)] = self._open(face)
        return known

    def shape(self, font: Font, text: str, *, vertical: bool) -> tuple[Ints, Ints]:
        """HarfBuzz' glyph infos and positions, `int32[n, FIELDS]` each, of a line of text.

        Of the infos [:, 0] are glyph ids and [:, 2] clusters: the first character that a glyph
        draws, never decreasing. Of the positions [:, :2] are the advance and [:, 2:4] the offset
        in x and y, in font units, y upwards.
        """
        hb = _harfbuzz()
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "ttb" if vertical else "ltr"
        buffer.language = _language(font.face)
        hb.shape(font.opened, buffer, {})
        infos = np.zeros((len(buffer.glyph_infos), FIELDS), dtype=np.int32)
        places = np.zeros_like(infos)
        for row, info in enumerate(buffer.glyph_infos):
            infos[row, 0], infos[row, 2] = info.codepoint, info.cluster
        for row, place in enumerate(buffer.glyph_positions or ()):
            # (x offset, y offset, x advance, y advance)
            places[row, [2, 3, 0, 1]] = place.position
        return infos, places

    def _open(self, face: Face) -> Font:
        if not self.native:
            hb = _harfbuzz()
            opened = hb.Font(hb.Face(hb.Blob.from_file_path(str(face.path)), face.index))
            return Font(face, np.zeros(0, dtype=np.int64), opened, opened.face.upem)
        lib = self._library
        blob = lib.hb_blob_create_from_file_or_fail(str(face.path).encode())
        if not blob:
            raise OSError(f"cannot read the font file {face.path}")
        opened = lib.hb_face_create(blob, face.index)
        font = lib.hb_font_create(opened)
        language = lib.hb_language_from_string(_language(face).encode(), -1)
        upem = int(lib.hb_face_get_upem(opened))
        known = [*_addresses(lib), self._buffer, font, language, upem]
        return Font(face, np.array(known, dtype=np.int64), None, upem)


def _language(face: Face) -> str:
    # Chinese by declaration: without it a pan-CJK face may pick Japanese punctuation forms.
    return "zh-hans" if "zh" in face.languages else "en"


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
    """HarfBuzz' C functions out of uharfbuzz' own library; None where it does not export them."""
    library = ctypes.CDLL(_harfbuzz()._harfbuzz.__file__)
    try:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
        _addresses(library)
    except AttributeError:
        return None
    return library


def _addresses(library: Any) -> list[int]:
    return [ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in CALLS]


def _harfbuzz() -> Any:
    try:
        import uharfbuzz
    except ImportError:
        raise RenderExtraMissing("uharfbuzz") from None
    return uharfbuzz
