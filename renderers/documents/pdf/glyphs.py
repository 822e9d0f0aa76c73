"""Which characters a page should show and no font here draws."""

from __future__ import annotations

import ctypes
import unicodedata
from typing import Any

from renderers.documents.pdf.raw import Piece, bounds, pieces, utf16

# Modes of drawing text: not at all (a scan's recognised text), or as a clip alone.
UNDRAWN = (3, 7)
_NO_INK = ("Z", "Cc", "Cf", "Cn", "Cs")
_WHITE = 250


def missing_glyphs(page: Any, text_page: Any) -> set[str]:
    """The characters that the page should show and pdfium has no outline for.

    Asked only of fonts that the document does not carry: what it carries is what its maker saw.
    Text that leaves no mark anyhow is passed over: undrawn, white, transparent, beside the page.
    """
    import pypdfium2.raw as pdfium

    missing: set[str] = set()
    embedded: dict[int, bool] = {}
    for piece in pieces(page):
        if piece.kind != pdfium.FPDF_PAGEOBJ_TEXT:
            continue
        font = pdfium.FPDFTextObj_GetFont(piece.raw)
        at = ctypes.cast(font, ctypes.c_void_p).value or 0
        if at not in embedded:
            embedded[at] = bool(pdfium.FPDFFont_GetIsEmbedded(font))
        if embedded[at]:
            continue
        said = set(utf16(pdfium.FPDFTextObj_GetText, piece.raw, text_page)) - missing
        lost = {c for c in said if has_ink(c) and not _has_outline(font, c)}
        if lost and leaves_mark(piece.raw) and _overlaps(piece, page):
            missing |= lost
    return missing


def has_ink(character: str) -> bool:
    """Whether a character is more than white space or a control."""
    return not unicodedata.category(character).startswith(_NO_INK)


def leaves_mark(item: Any, darkest: int = _WHITE) -> bool:
    """Whether a text object is drawn, and not in white or wholly transparent."""
    import pypdfium2.raw as pdfium

    if pdfium.FPDFTextObj_GetTextRenderMode(item) in UNDRAWN:
        return False
    rgba = [ctypes.c_uint() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetFillColor(item, *rgba):
        return True
    red, green, blue, alpha = (value.value for value in rgba)
    return alpha > 0 and min(red, green, blue) < darkest


def _has_outline(font: Any, character: str) -> bool:
    import pypdfium2.raw as pdfium

    outline = pdfium.FPDFFont_GetGlyphPath(font, ord(character), 1.0)
    return bool(pdfium.FPDFGlyphPath_CountGlyphSegments(outline) > 0)


def _overlaps(piece: Piece, page: Any) -> bool:
    if not piece.on_page:
        return True
    box = bounds(piece.raw)
    if box is None:
        return True
    left, bottom, right, top = box
    page_left, page_bottom, page_right, page_top = page.get_bbox()
    across = left < page_right and right > page_left
    return bool(across and bottom < page_top and top > page_bottom)
