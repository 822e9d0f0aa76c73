"""Text to glyphs with HarfBuzz: kerning, ligatures, marks, vertical forms.

Lengths come back in font units, so that one run serves every size. HarfBuzz is called from compiled
code, by the addresses of its functions: a page has hundreds of short texts, and through ctypes the
calls, through Python objects the reading glyph by glyph, cost more than the shaping.
"""

from __future__ import annotations

import ctypes
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from fonts.faces import Face
from renderers.compiled import EXACT

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

# hb_direction_t.
_LEFT_TO_RIGHT, _TOP_TO_BOTTOM = 4, 6
# hb_glyph_info_t (glyph, mask, cluster, 2 private) and hb_glyph_position_t (x and y advance, x and
# y offset, 1 private), each of 32-bit numbers.
_FIELDS = 5
_BYTES_EACH = 4


class RenderExtraMissing(ImportError):
    """A package of the `render` extra is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"drawing text needs {package}: pip install 'vae-corpus[render]'")


class Run(NamedTuple):
    """Shaped text, in reading order.

    `infos int32[n, 5]` are HarfBuzz' glyph infos: [:, 0] glyph ids, [:, 2] clusters, the index of
    the first character of `text` that each glyph draws, never decreasing. `places int32[n, 5]` are
    its positions: [:, :2] the advance and [:, 2:4] the offset in x and y, of which `upem` make an
    em; y points up.
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
        if self._library:
            self._buffer = int(self._library.hb_buffer_create())
            self._calls = _addresses(self._library)
        self._languages: dict[str, int] = {}

    def shape(self, face: Face, text: str, *, vertical: bool = False) -> Run:
        """Shape one line of `text` with `face`, left to right or top to bottom."""
        known = self._fonts.get(id(face))
        if known is None:
            known = self._fonts[id(face)] = self._open(face)
        _, font, upem = known
        # Chinese by declaration: without it a pan-CJK face may pick Japanese punctuation forms.
        language = "zh-hans" if "zh" in face.languages else "en"
        shape = self._shape_native if self._library else self._shape_portable
        infos, places = shape(font, text, language, vertical)
        return Run(text, face, vertical, infos, places, upem)

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
    ) -> tuple[Ints, Ints]:
        spoken = self._languages.get(language)
        if spoken is None:
            spoken = int(self._library.hb_language_from_string(language.encode(), -1))
            self._languages[language] = spoken
        points = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
        direction = _TOP_TO_BOTTOM if vertical else _LEFT_TO_RIGHT
        infos, places = _shape(self._calls, self._buffer, font, spoken, direction, points)
        return infos, places

    def _shape_portable(
        self, font: Any, text: str, language: str, vertical: bool
    ) -> tuple[Ints, Ints]:
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
        return infos, places


_SIGNATURES: dict[str, tuple[Any, list[Any]]] = {
    "hb_blob_create_from_file_or_fail": (ctypes.c_void_p, [ctypes.c_char_p]),
    "hb_face_create": (ctypes.c_void_p, [ctypes.c_void_p, ctypes.c_uint]),
    "hb_face_get_upem": (ctypes.c_uint, [ctypes.c_void_p]),
    "hb_font_create": (ctypes.c_void_p, [ctypes.c_void_p]),
    "hb_language_from_string": (ctypes.c_void_p, [ctypes.c_char_p, ctypes.c_int]),
    "hb_buffer_create": (ctypes.c_void_p, []),
}
# In the order in which `_shape` calls them.
_CALLS = (
    "hb_buffer_reset",
    "hb_buffer_add_utf32",
    "hb_buffer_guess_segment_properties",
    "hb_buffer_set_direction",
    "hb_buffer_set_language",
    "hb_shape",
    "hb_buffer_get_length",
    "hb_buffer_get_glyph_infos",
    "hb_buffer_get_glyph_positions",
)


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


def _addresses(library: Any) -> npt.NDArray[np.int64]:
    calls = (ctypes.cast(getattr(library, name), ctypes.c_void_p).value or 0 for name in _CALLS)
    return np.array(list(calls), dtype=np.int64)


@intrinsic
def _call(typing_context, address, arguments):  # type: ignore[no-untyped-def]
    """Call the C function at `address` with a tuple of int64: pointers and whole numbers.

    Returns int64, of which a function that returns less leaves the upper bits undefined.
    """

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        word = ir.IntType(64)
        where, packed = given
        words = [builder.extract_value(packed, i) for i in range(signature.args[1].count)]
        kind = ir.FunctionType(word, [word] * len(words))
        return builder.call(builder.inttoptr(where, kind.as_pointer()), words)

    return types.int64(types.int64, arguments), generate


@intrinsic
def _int32_at(typing_context, address):  # type: ignore[no-untyped-def]
    """The int32 at an address."""

    def generate(context, builder, signature, given):  # type: ignore[no-untyped-def]
        return builder.load(builder.inttoptr(given[0], ir.IntType(32).as_pointer()))

    return types.int32(types.int64), generate


@njit(**EXACT)
def _shape(calls, buffer, font, language, direction, points):  # type: ignore[no-untyped-def]
    """Glyph infos and positions, int32[n, 5] each, of uint32 code points."""
    count = np.int64(len(points))
    none = np.int64(0)
    _call(calls[0], (buffer,))
    _call(calls[1], (buffer, np.int64(points.ctypes.data), count, none, count))
    _call(calls[2], (buffer,))
    _call(calls[3], (buffer, direction))
    _call(calls[4], (buffer, language))
    _call(calls[5], (font, buffer, none, none))
    # An unsigned int: the upper half of the word is not set.
    glyphs = _call(calls[6], (buffer,)) & 0xFFFFFFFF
    return (
        _copied(_call(calls[7], (buffer, none)), glyphs),
        _copied(_call(calls[8], (buffer, none)), glyphs),
    )


@njit(**EXACT)
def _copied(address, rows):  # type: ignore[no-untyped-def]
    """int32[rows, _FIELDS] from an address."""
    table = np.empty((rows, _FIELDS), np.int32)
    flat = table.reshape(-1)
    for i in range(len(flat)):
        flat[i] = _int32_at(address + _BYTES_EACH * i)
    return table


def _harfbuzz() -> Any:
    try:
        import uharfbuzz
    except ImportError:
        raise RenderExtraMissing("uharfbuzz") from None
    return uharfbuzz
