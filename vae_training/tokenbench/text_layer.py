"""The text layer of a PDF page as characters with boxes, in the layer's own order."""

from __future__ import annotations

import ctypes
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from vae_training.tokenbench.standard import is_sound

# What pdfium says for a hyphen at the end of a line, in old and new builds.
_HYPHENS = ("\x02", "\ufffe")
_LIGATURES = dict(zip("ﬀﬁﬂﬃﬄﬅﬆ", ("ff", "fi", "fl", "ffi", "ffl", "st", "st"), strict=True))
_UNDRAWN = (3, 7)
_UPRIGHT = 0.02
_BIGGEST_PT = 1e5
_LEAST_DIFFERENT = 10


@dataclass(frozen=True, slots=True)
class Character:
    """One glyph: `box` is left, top, right, bottom of its ink, `em` its size of type, in points.

    y runs down from the top of the page as it is drawn. `baseline` is where it stands. `index` is
    its place in the layer, `spaced` tells that a space comes before it.
    """

    text: str
    box: tuple[float, float, float, float]
    baseline: float
    em: float
    index: int
    spaced: bool
    upright: bool
    sound: bool

    @property
    def height(self) -> float:
        return self.box[3] - self.box[1]


def characters(page: Any, text_page: Any) -> list[Character]:
    """All characters with ink, in the order of the layer; `page` and `text_page` are pypdfium2's.

    The numbers of pdfium have y upwards, from the origin of the page's own coordinates.
    """
    import pypdfium2.raw as pdfium

    left, _, _, top = page.get_bbox()
    found: list[Character] = []
    spaced = False
    sides = [ctypes.c_double() for _ in range(4)]
    x, y, matrix = ctypes.c_double(), ctypes.c_double(), pdfium.FS_MATRIX()
    for index in range(pdfium.FPDFText_CountChars(text_page)):
        said = _character(pdfium.FPDFText_GetUnicode(text_page, index))
        if said.isspace():
            spaced = True
            continue
        if pdfium.FPDFText_IsGenerated(text_page, index) == 1:
            continue
        pdfium.FPDFText_GetCharBox(text_page, index, *sides)
        pdfium.FPDFText_GetCharOrigin(text_page, index, x, y)
        pdfium.FPDFText_GetMatrix(text_page, index, matrix)
        x0, x1, y0, y1 = (side.value for side in sides)
        # Read backwards, a box that is not a number is not one of these either.
        if not (x0 < x1 and y0 < y1 and max(map(abs, (x0, x1, y0, y1))) < _BIGGEST_PT):
            continue
        size = pdfium.FPDFText_GetFontSize(text_page, index)
        angle = pdfium.FPDFText_GetCharAngle(text_page, index)
        found.append(
            Character(
                text=said,
                box=(x0 - left, top - y1, x1 - left, top - y0),
                baseline=top - y.value,
                em=abs(size * (matrix.c**2 + matrix.d**2) ** 0.5) or y1 - y0,
                index=index,
                spaced=spaced,
                upright=min(angle, 2 * 3.141593 - angle) < _UPRIGHT,
                sound=all(map(is_sound, said))
                and pdfium.FPDFText_HasUnicodeMapError(text_page, index) != 1,
            )
        )
        spaced = False
    return found


def distrusted(text_page: Any, kept: Sequence[Character]) -> str | None:
    """Why these characters may not be what is seen; None when they are drawn with their own font.

    Beyond Latin, pdfium draws with what fonts the machine has where the document carries none.
    """
    import pypdfium2.raw as pdfium

    for character in kept:
        item = pdfium.FPDFText_GetTextObject(text_page, character.index)
        if not item:
            continue
        if pdfium.FPDFTextObj_GetTextRenderMode(item) in _UNDRAWN:
            return "invisible_text"
        font = pdfium.FPDFTextObj_GetFont(item)
        if max(map(ord, character.text)) > 0xFF and not pdfium.FPDFFont_GetIsEmbedded(font):
            return "font_not_embedded"
    return None


def same_glyphs(kept: Sequence[Character]) -> bool:
    """Whether most of different characters have ink of one size: boxes for glyphs that are missing.

    A font may be embedded, and the text layer right, where it has none of the characters.
    """
    sizes = {}
    for c in kept:
        sides = (c.box[2] - c.box[0], c.box[3] - c.box[1])
        sizes[c.text] = tuple(round(side / c.em, 3) for side in sides)
    most = max(Counter(sizes.values()).values(), default=0)
    return len(sizes) >= _LEAST_DIFFERENT and most > len(sizes) / 2


def _character(code: int) -> str:
    said = chr(code) if code < 0x110000 else "\ufffd"
    return "-" if said in _HYPHENS else _LIGATURES.get(said, said)
