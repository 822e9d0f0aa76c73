"""The fonts that pdfium draws with where a document does not carry its own.

Left to itself, pdfium takes whatever fonts the node has, so the same page would have other bytes on
another node. Here it knows its built-in Latin faces and the named folders, nothing else. Which face
stands in is decided by what the faces are (names, weight, characters), never by where they lie.
"""

from __future__ import annotations

import ctypes
import functools
import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fonts.charsets import GB2312_LEVEL_1
from fonts.faces import Face, discover
from renderers.documents.page import RendererMissing

_REGULAR = 400
# pdfium's character sets (those of Windows): what a face must draw, and what the families call
# themselves that were drawn for it, best first.
_CHARSETS = {
    134: (GB2312_LEVEL_1, ("sc", "cn", "gb")),
    136: ("國學書點體", ("tc", "tw", "hk", "big5")),
    128: ("あいうアイウ日本", ("jp", "j", "japanese")),
    129: ("가나다한글", ("kr", "k", "korean")),
}
_SANS = re.compile(r"sans|hei|gothic|arial|helvetica", re.IGNORECASE)
_SERIF = re.compile(r"song|sung|ming|mincho|batang|myeongjo|serif|times", re.IGNORECASE)
_ROMAN_PITCH = 1 << 4
_ANSI = 0
_WHOLE_FILE = 0
_COLLECTION = int.from_bytes(b"ttcf", "big")


@dataclass(frozen=True, kw_only=True)
class PdfFonts:
    """The faces of some folders. `digest` is over the bytes of their files: it names what is drawn.

    Of variable fonts pdfium draws the default instance alone, so each stands here once.
    """

    faces: tuple[Face, ...]
    digest: str

    def choose(self, weight: int, italic: bool, charset: int, pitch: int, name: str) -> int | None:
        """The place in `faces` of what stands in for `name`; None: a built-in face does."""
        named = [i for i, f in enumerate(self.faces) if _plain(name) in _plain_names(f)]
        if charset in _CHARSETS:
            sample, regions = _CHARSETS[charset]
            able = [i for i, f in enumerate(self.faces) if f.covers(sample)]
            pool = [i for i in named if i in able] or able
        else:
            pool, regions = named, ()
        serif = _is_serif(name, bool(pitch & _ROMAN_PITCH))

        def distance(i: int) -> tuple[Any, ...]:
            face = self.faces[i]
            words = re.split(r"[\s_-]+", face.family.lower())
            region = next((n for n, word in enumerate(regions) if word in words), len(regions))
            slanted = bool(re.search("italic|oblique", face.style, re.IGNORECASE))
            return (
                region,
                face.monospaced and bool(regions),
                bool(regions) and _is_serif(face.family, False) != serif,
                abs(face.weight - (weight or _REGULAR)),
                slanted != italic,
                i,
            )

        return min(pool, key=distance, default=None)


@functools.cache
def pdf_fonts(folders: tuple[str, ...]) -> PdfFonts:
    """The usable faces in `folders`, in an order that depends on their bytes alone."""
    try:
        found = discover([Path(folder) for folder in folders])
    except FileNotFoundError as error:
        raise RendererMissing(f"fonts of documents: {error}; every node needs it") from None
    except ImportError as error:
        raise RendererMissing(f"fonts of documents: {error}") from None
    once = {(face.digest, face.index & 0xFFFF): face for face in reversed(found)}
    faces = sorted(once.values(), key=lambda f: (f.family, f.style, f.digest, f.index))
    whole = " ".join(sorted({face.digest for face in faces}))
    return PdfFonts(faces=tuple(faces), digest=hashlib.sha256(whole.encode()).hexdigest()[:16])


def use(fonts: PdfFonts) -> None:
    """Make pdfium of this process draw with `fonts` alone; if others were, none may be open.

    pdfium remembers what it chose for a name, so it is ended and begun anew: a face of the fonts
    before would otherwise live on.
    """
    import pypdfium2.raw as pdfium

    global _in_use, _digest
    if _digest == fonts.digest:
        return
    _digest = fonts.digest
    pdfium.FPDF_DestroyLibrary()
    pdfium.FPDF_InitLibraryWithConfig(pdfium.FPDF_LIBRARY_CONFIG(version=2))
    _in_use = _interface(fonts)  # pdfium keeps the address until its end
    pdfium.FPDF_SetSystemFontInfo(_in_use)


_in_use: Any = None
_digest: str | None = None


def _interface(fonts: PdfFonts) -> Any:
    """The functions that pdfium asks for fonts, in C. A handle is a face's place, from 1."""
    import pypdfium2.raw as pdfium

    kinds = dict(pdfium.FPDF_SYSFONTINFO._fields_)
    families = sorted({face.family for face in fonts.faces})

    def enumerate_fonts(_this: Any, mapper: Any) -> None:
        for family in families:
            pdfium.FPDF_AddInstalledFont(mapper, family.encode(), _ANSI)

    def map_font(
        _this: Any, weight: int, italic: int, charset: int, pitch: int, name: Any, _exact: Any
    ) -> int | None:
        text = ctypes.cast(name, ctypes.c_char_p).value or b""
        chosen = fonts.choose(weight, bool(italic), charset, pitch, text.decode("latin-1"))
        return None if chosen is None else chosen + 1

    def get_font_data(_this: Any, handle: int, table: int, buffer: Any, size: int) -> int:
        face = fonts.faces[handle - 1]
        data = _bytes(face.path)
        in_collection = data[:4] == b"ttcf"
        if table == _WHOLE_FILE and in_collection:
            # pdfium finds the face in its collection by how many bytes follow its start.
            place = 12 + 4 * (face.index & 0xFFFF)
            return len(data) - int.from_bytes(data[place : place + 4], "big")
        if table != (_COLLECTION if in_collection else _WHOLE_FILE):
            return 0
        if buffer:
            ctypes.memmove(buffer, data, min(size, len(data)))
        return len(data)

    functions: dict[str, Callable[..., Any]] = {
        "EnumFonts": enumerate_fonts,
        "MapFont": map_font,
        "GetFontData": get_font_data,
    }
    made = {name: kinds[name](function) for name, function in functions.items()}
    return pdfium.FPDF_SYSFONTINFO(version=1, **made)


@functools.lru_cache(maxsize=4)
def _bytes(path: Path) -> bytes:
    return path.read_bytes()


def _is_serif(name: str, otherwise: bool) -> bool:
    """What the name says; what the document says of a font may be wrong, and is often left out."""
    if _SANS.search(name):
        return False
    return bool(_SERIF.search(name)) or otherwise


def _plain(name: str) -> str:
    return re.sub(r"[\s,_-]", "", name).lower()


def _plain_names(face: Face) -> tuple[str, ...]:
    return _plain(face.family), _plain(face.name)
