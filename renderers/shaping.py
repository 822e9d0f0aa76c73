"""Text to glyphs with HarfBuzz: kerning, ligatures, marks, vertical forms.

Lengths come back in font units, so that one run serves every size. What HarfBuzz hands out per
glyph is read as one block of memory: through Python objects, glyph by glyph, reading costs several
times as much as shaping.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from fonts.faces import Face

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

# hb_direction_t.
_LEFT_TO_RIGHT, _TOP_TO_BOTTOM = 4, 6
# hb_glyph_info_t (glyph, mask, cluster, 2 private) and hb_glyph_position_t (x and y advance, x and
# y offset, 1 private), each of 32-bit numbers.
_FIELDS = 5
_BYTES = 4 * _FIELDS


class RenderExtraMissing(ImportError):
    """A package of the `render` extra is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"drawing text needs {package}: pip install 'vae-corpus[render]'")


class Run(NamedTuple):
    """Shaped text, in reading order.

    `infos int32[n, 5]` are HarfBuzz' glyph infos: [:, 0] glyph ids, [:, 2] clusters, the index of
    the first character of `text` that each glyph draws, never decreasing. `places int32[n, 5]` are
    its positions: [:, :2] the advance and [:, 2:4] the offset in x and y, of which `upem` make an
    em; y points up. Both are read-only.
    """

    text: str
    face: Face
    vertical: bool
    infos: Ints
    places: Ints
    upem: int

    @property
    def glyphs(self) -> Ints:
        """Glyph ids, `int32[n]`."""
        return self.infos[:, 0]

    @property
    def clusters(self) -> Ints:
        """First characters, `int32[n]`."""
        return self.infos[:, 2]


class Shaper:
    """Opens each face once and keeps it. `native` False reads through Python objects."""

    def __init__(self, *, native: bool = True) -> None:
        # By identity, which is far cheaper than to compare faces; the face is kept with its font
        # so that its id stays its own.
        self._fonts: dict[int, tuple[Face, Any, int]] = {}
        self._library: Any = _library() if native else None
        self._buffer: Any = self._library.hb_buffer_create() if self._library else None
        self._count = ctypes.c_uint(0)
        self._languages: dict[str, Any] = {}

    def shape(self, face: Face, text: str, *, vertical: bool = False) -> Run:
        """Shape one line of `text` with `face`, left to right or top to bottom."""
        known = self._fonts.get(id(face))
        if known is None:
            known = self._fonts[id(face)] = self._open(face)
        _, font, upem = known
        # Chinese by declaration: without it a pan-CJK face may pick Japanese punctuation forms.
        language = "zh-hans" if "zh" in face.languages else "en"
        read = self._shape_native if self._library else self._shape_portable
        infos, places = read(font, text, language, vertical)
        return Run(text, face, vertical, _table(infos), _table(places), upem)

    def _open(self, face: Face) -> tuple[Face, Any, int]:
        if self._library is None:
            hb = _harfbuzz()
            font = hb.Font(hb.Face(hb.Blob.from_file_path(str(face.path)), face.index))
            return face, font, font.face.upem
        lib = self._library
        blob = lib.hb_blob_create_from_file_or_fail(str(face.path).encode())
        if not blob:
            raise OSError(f"cannot read the font file {face.path}")
        opened = lib.hb_face_create(blob, face.index)
        return face, lib.hb_font_create(opened), int(lib.hb_face_get_upem(opened))

    def _shape_native(
        self, font: Any, text: str, language: str, vertical: bool
    ) -> tuple[bytes, bytes]:
        lib, buffer = self._library, self._buffer
        lib.hb_buffer_reset(buffer)
        lib.hb_buffer_add_utf32(
            buffer, text.encode("utf-32-le", "surrogatepass"), len(text), 0, len(text)
        )
        lib.hb_buffer_guess_segment_properties(buffer)
        lib.hb_buffer_set_direction(buffer, _TOP_TO_BOTTOM if vertical else _LEFT_TO_RIGHT)
        spoken = self._languages.get(language)
        if spoken is None:
            spoken = lib.hb_language_from_string(language.encode(), -1)
            self._languages[language] = spoken
        lib.hb_buffer_set_language(buffer, spoken)
        lib.hb_shape(font, buffer, None, 0)
        infos = lib.hb_buffer_get_glyph_infos(buffer, ctypes.byref(self._count))
        places = lib.hb_buffer_get_glyph_positions(buffer, None)
        size = self._count.value * _BYTES
        return ctypes.string_at(infos, size), ctypes.string_at(places, size)

    def _shape_portable(
        self, font: Any, text: str, language: str, vertical: bool
    ) -> tuple[bytes, bytes]:
        hb = _harfbuzz()
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "ttb" if vertical else "ltr"
        buffer.language = language
        hb.shape(font, buffer, {})
        infos = np.zeros((len(buffer.glyph_infos), _FIELDS), dtype=np.int32)
        places = np.zeros_like(infos)
        for row, info in enumerate(buffer.glyph_infos):
            infos[row, 0], infos[row, 2] = info.codepoint, info.cluster
        for row, place in enumerate(buffer.glyph_positions or ()):
            # (x offset, y offset, x advance, y advance)
            places[row, [2, 3, 0, 1]] = place.position
        return infos.tobytes(), places.tobytes()


def _table(data: bytes) -> Ints:
    return np.ndarray((len(data) // _BYTES, _FIELDS), np.int32, data)


_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "hb_blob_create_from_file_or_fail": (ctypes.c_void_p, [ctypes.c_char_p]),
    "hb_face_create": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_uint]),
    "hb_face_get_upem": (ctypes.c_uint, [ctypes.c_void_p]),
    "hb_font_create": (ctypes.c_void_p, [ctypes.c_void_p]),
    "hb_language_from_string": (ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]),
    "hb_buffer_create": (ctypes.c_void_p, []),
    "hb_buffer_reset": (None, [ctypes.c_void_p]),
    "hb_buffer_add_utf32": (
        None,
        [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int, ctypes.c_uint, ctypes.c_int],
    ),
    "hb_buffer_guess_segment_properties": (None, [ctypes.c_void_p]),
    "hb_buffer_set_direction": (None, [ctypes.c_void_p, ctypes.c_int]),
    "hb_buffer_set_language": (None, [ctypes.c_void_p, ctypes.c_void_p]),
    "hb_shape": (None, [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_uint]),
    "hb_buffer_get_glyph_infos": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_void_p]),
    "hb_buffer_get_glyph_positions": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_void_p]),
}


@cache
def _library() -> Any:
    """HarfBuzz' C functions out of uharfbuzz' own library; None where it does not export them."""
    # PyDLL: letting go of the interpreter lock would cost more than most of these calls.
    library = ctypes.PyDLL(_harfbuzz()._harfbuzz.__file__)
    try:
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, name)
            function.restype, function.argtypes = result, arguments
    except AttributeError:
        return None
    return library


def _harfbuzz() -> Any:
    try:
        import uharfbuzz
    except ImportError:
        raise RenderExtraMissing("uharfbuzz") from None
    return uharfbuzz
