"""A PDF page as pixels and as text, through pdfium.

Filled forms and annotations are drawn, also fields for which pdfium has to make the appearance
itself. Scripts never run and XFA forms are not read: the builds that pypdfium2 ships have neither.
"""

from __future__ import annotations

import atexit
import ctypes
import hashlib
import math
import unicodedata
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.sources import pdf_fonts
from pipelines.sources.base import SourceError
from pipelines.sources.files import is_gone, read_bytes
from vae_corpus.pictures.decode import Limits

# Raised when the same page would give other pixels or another text.
VERSION = "2"

_POINTS_PER_INCH = 72
_MAX_OPEN = 4
# Modes of drawing text: not at all (a scan's recognised text), or as a clip alone.
_UNDRAWN = (3, 7)
_MAX_DEPTH = 8
_NO_INK = ("Z", "Cc", "Cf", "Cn", "Cs")
_WHITE = 250
# Less than any page takes of its file.
_LEAST_PAGE_BYTES = 64


class DocumentFault(SourceError):
    """A document or page that gives no image; its slug tells of which kind."""

    def __init__(self, slug: str, why: str) -> None:
        super().__init__(slug, why)
        self.slug, self.why = slug, why

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, kw_only=True)
class Document:
    """An open document; of `pages` all may be there, or the last stands for all that are not."""

    raw: Any
    pages: int


@dataclass(frozen=True, kw_only=True)
class Page:
    """An open page: draw it, or ask what it says."""

    number: int
    raw: Any

    def pixels(self, dpi: int, limits: Limits) -> NDArray[np.uint8]:
        """uint8[H, W, 3] RGB on white; DocumentFault when it is too large."""
        scale = dpi / _POINTS_PER_INCH
        width, height = (math.ceil(points * scale) for points in self.raw.get_size())
        _check_size(width, height, limits)
        bitmap = self.raw.render(scale=scale, rev_byteorder=True)
        pixels: NDArray[np.uint8] = bitmap.to_numpy()[:, :, :3].copy()
        bitmap.close()
        return pixels

    def text(self) -> str:
        """The text layer, then what is filled into fields and written into annotations.

        DocumentFault `missing_glyphs` when a font is neither in the document nor among those of the
        source, and a character that the page should show would be left blank.
        """
        text_page = self.raw.get_textpage()
        try:
            missing = sorted(_missing_glyphs(self.raw, text_page))
            if missing:
                shown = "".join(missing[:10])
                raise DocumentFault(
                    "missing_glyphs",
                    f"page {self.number + 1} has {len(missing)} characters that no font here draws"
                    f" ({shown}): name folders with such fonts in the source's `fonts`",
                )
            whole: str = text_page.get_text_range()
        finally:
            text_page.close()
        return "\n".join([whole, *_filled_in(self.raw)])


@contextmanager
def open_page(uri: str, number: int, fonts: pdf_fonts.PdfFonts) -> Iterator[Page]:
    """The page to draw with `fonts`; DocumentFault when it is broken."""
    document = get_document(uri, fonts)
    import pypdfium2

    try:
        raw = document.raw[number]
        try:
            yield Page(number=number, raw=raw)
        finally:
            raw.close()
    except pypdfium2.PdfiumError as error:
        why = f"page {number + 1} does not render: {error}"
        raise DocumentFault("broken_document", why) from None


def render_version(fonts: pdf_fonts.PdfFonts) -> str:
    """16 hex digits that name all that decides a page's pixels beside the document."""
    try:
        from pypdfium2.version import PDFIUM_INFO
    except ImportError:
        raise SourceError("documents need pypdfium2: pip install 'vae-corpus[documents]'") from None
    parts = f"{VERSION} {PDFIUM_INFO.build} {fonts.digest}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def count_pages(uri: str) -> int:
    """DocumentFault when the document is broken or locked, OSError when it cannot be read now."""
    document = _load(uri)
    document.raw.close()
    return document.pages


def _check_size(width: int, height: int, limits: Limits) -> None:
    # A page may announce any size; rendering it would take the memory at once.
    if max(width, height) > limits.max_side_px:
        why = f"the page is {width} x {height} px, a side may have {limits.max_side_px}"
        raise DocumentFault("side_too_long", why)
    if width * height > limits.max_pixels:
        why = f"the page is {width} x {height} px, {limits.max_pixels} pixels are allowed"
        raise DocumentFault("too_many_pixels", why)


def _missing_glyphs(page: Any, text_page: Any) -> set[str]:
    """The characters that the page should show and pdfium has no outline for.

    Asked only of fonts that the document does not carry: what it carries is what its maker saw.
    Text that leaves no mark anyhow is passed over: undrawn, white, transparent, beside the page.
    """
    import pypdfium2.raw as pdfium

    missing: set[str] = set()
    for item, on_page in _text_objects(page):
        font = pdfium.FPDFTextObj_GetFont(item)
        if pdfium.FPDFFont_GetIsEmbedded(font):
            continue
        said = set(_utf16(pdfium.FPDFTextObj_GetText, item, text_page)) - missing
        lost = {c for c in said if _has_ink(c) and not _has_outline(font, c)}
        if lost and _leaves_mark(item) and (not on_page or _overlaps(item, page)):
            missing |= lost
    return missing


def _text_objects(page: Any) -> Iterator[tuple[Any, bool]]:
    """Every piece of text, and whether it stands on the page itself or inside a form."""
    import pypdfium2.raw as pdfium

    count, get = pdfium.FPDFPage_CountObjects, pdfium.FPDFPage_GetObject
    waiting = [(get(page, i), 0) for i in reversed(range(count(page)))]
    while waiting:
        item, depth = waiting.pop()
        kind = pdfium.FPDFPageObj_GetType(item)
        if kind == pdfium.FPDF_PAGEOBJ_TEXT:
            yield item, depth == 0
        elif kind == pdfium.FPDF_PAGEOBJ_FORM and depth < _MAX_DEPTH:
            inside = range(pdfium.FPDFFormObj_CountObjects(item))
            waiting += [(pdfium.FPDFFormObj_GetObject(item, i), depth + 1) for i in inside]


def _has_ink(character: str) -> bool:
    return not unicodedata.category(character).startswith(_NO_INK)


def _has_outline(font: Any, character: str) -> bool:
    import pypdfium2.raw as pdfium

    outline = pdfium.FPDFFont_GetGlyphPath(font, ord(character), 1.0)
    return bool(pdfium.FPDFGlyphPath_CountGlyphSegments(outline) > 0)


def _leaves_mark(item: Any) -> bool:
    import pypdfium2.raw as pdfium

    if pdfium.FPDFTextObj_GetTextRenderMode(item) in _UNDRAWN:
        return False
    rgba = [ctypes.c_uint() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetFillColor(item, *rgba):
        return True
    red, green, blue, alpha = (value.value for value in rgba)
    return alpha > 0 and min(red, green, blue) < _WHITE


def _overlaps(item: Any, page: Any) -> bool:
    import pypdfium2.raw as pdfium

    sides = [ctypes.c_float() for _ in range(4)]
    if not pdfium.FPDFPageObj_GetBounds(item, *sides):
        return True
    left, bottom, right, top = (side.value for side in sides)
    page_left, page_bottom, page_right, page_top = page.get_bbox()
    across = left < page_right and right > page_left
    return bool(across and bottom < page_top and top > page_bottom)


def _filled_in(page: Any) -> Iterator[str]:
    """What stands in the page's fields and annotations, field by field."""
    import pypdfium2.raw as pdfium

    form = page.formenv
    for place in range(pdfium.FPDFPage_GetAnnotCount(page)):
        annotation = pdfium.FPDFPage_GetAnnot(page, place)
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        if kind == pdfium.FPDF_ANNOT_WIDGET and form:
            if pdfium.FPDFAnnot_IsChecked(form, annotation):
                yield f"[{place}]"
            yield _utf16(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation)
        elif kind in (pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP):
            yield _utf16(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents")
        pdfium.FPDFPage_CloseAnnot(annotation)


def _utf16(ask: Any, *about: Any) -> str:
    import pypdfium2.raw as pdfium

    size = ask(*about, None, 0)
    buffer = ctypes.create_string_buffer(size)
    ask(*about, ctypes.cast(buffer, ctypes.POINTER(pdfium.FPDF_WCHAR)), size)
    return buffer.raw.decode("utf-16-le", "replace").rstrip("\0")


def _load(uri: str) -> Document:
    """The open document, to be closed by the caller; DocumentFault when it is broken or locked."""
    import pypdfium2

    try:
        data = read_bytes(uri)
    except OSError as error:
        if not is_gone(error):
            raise
        raise DocumentFault("unreadable", str(error.strerror or error)) from None
    if not data:
        raise DocumentFault("empty", "no bytes at all")
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise DocumentFault("broken_document", f"the file does not open: {error}") from None
    # Right after it is opened: pages that were loaded before would have no fields.
    document.init_forms()
    if len(document) == 0:
        document.close()
        raise DocumentFault("broken_document", "the document has no pages")
    return Document(raw=document, pages=_count(document, len(data)))


def _count(document: Any, size_bytes: int) -> int:
    """How many pages to ask for: a file of a line may announce a million.

    Of more than fit into the file those are counted that load, and one for the rest.
    """
    count = len(document)
    if count * _LEAST_PAGE_BYTES <= size_bytes or _loads(document, count - 1):
        return count
    low, high = 0, count - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (middle + 1, high) if _loads(document, middle) else (low, middle)
    return low + 1


def _loads(document: Any, number: int) -> bool:
    import pypdfium2

    try:
        document[number].close()
    except pypdfium2.PdfiumError:
        return False
    return True


class _OpenDocuments:
    """The documents last used, most recent last. Each holds its whole file in memory."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Document] = OrderedDict()
        self._fonts: str | None = None
        self._at_exit = False

    def get(self, uri: str, fonts: pdf_fonts.PdfFonts) -> Document:
        if self._fonts != fonts.digest:
            self.close()
            pdf_fonts.install(fonts)
            self._fonts = fonts.digest
        if uri not in self._open:
            self._open[uri] = _load(uri)
            if not self._at_exit:
                # pdfium must find all documents closed when it ends itself at exit. Now that it is
                # loaded, what is registered last runs first.
                atexit.register(self.close)
                self._at_exit = True
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)[1].raw.close()
        self._open.move_to_end(uri)
        return self._open[uri]

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].raw.close()


_documents = _OpenDocuments()
get_document = _documents.get
close_documents = _documents.close
