"""A PDF file, and a page of it as pixels and characters, through pdfium.

Filled forms and annotations are drawn, also fields for which pdfium has to make the appearance
itself. Scripts never run and XFA forms are not read: the builds that pypdfium2 ships have neither.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from fonts.faces import Face
from renderers.documents.page import Box, DocumentFault, PageImage, Region, RendererMissing
from renderers.documents.pdf import fonts as pdf_fonts
from renderers.documents.pdf.characters import UNMAPPED, characters
from renderers.documents.pdf.fields import Filled, filled_in
from renderers.documents.pdf.glyphs import missing_glyphs
from renderers.documents.pdf.raw import pieces
from renderers.documents.pdf.regions import covering_images, pictures, regions
from renderers.documents.recipe import PageRecipe
from renderers.documents.scale import most_scale, page_scale
from renderers.documents.soundness import verified
from vae_corpus.characters import Characters
from vae_corpus.pictures.decode import Limits

# Raised when the same page would give other pixels, other characters or other regions.
VERSION = "3"

# Less than any page takes of its file.
_LEAST_PAGE_BYTES = 64
_LOOK_FOR_LOCK_BYTES = 64 * 1024**2


def render_version(fonts: pdf_fonts.PdfFonts) -> str:
    """Names all that decides a page's pixels beside the document: code, pdfium, fonts."""
    try:
        from pypdfium2.version import PDFIUM_INFO
    except ImportError:
        raise RendererMissing(
            "documents need pypdfium2: pip install 'vae-corpus[documents]'"
        ) from None
    parts = f"{VERSION} {PDFIUM_INFO.build} {fonts.digest}"
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def open_pdf(data: str | bytes | IO[bytes], size_bytes: int, fonts: pdf_fonts.PdfFonts) -> Pdf:
    """An open document: `data` are its bytes, its path, or a file from which parts can be read.

    pdfium of this process draws with `fonts` from now on: those of one set can be open at a time.
    DocumentFault when it is broken, locked or without pages.
    """
    import pypdfium2
    from pypdfium2.version import PDFIUM_INFO

    if not size_bytes:
        raise DocumentFault("empty", "no bytes at all")
    pdf_fonts.use(fonts)
    try:
        raw = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        # What pdfium says of the reason may be of the document before.
        slug = "locked_document" if _names_a_lock(data) else "broken_document"
        raise DocumentFault(slug, f"the file does not open: {error}") from None
    # Right after it is opened: pages that were loaded before would have no fields.
    raw.init_forms()
    if len(raw) == 0:
        raw.close()
        raise DocumentFault("broken_document", "the document has no pages")
    return Pdf(raw=raw, pages=_count(raw, size_bytes), build=str(PDFIUM_INFO.build))


@dataclass(frozen=True, kw_only=True)
class Pdf:
    """An open document; of `pages` all may be there, or the last stands for all that are not.

    `facts` are told with every page. Where another program set the text in the faces `written_by`,
    what none of them writes is missing, whatever that program put in its place.
    """

    raw: Any
    pages: int
    build: str
    facts: Mapping[str, Any] = field(default_factory=dict)
    written_by: tuple[Face, ...] = ()

    def render(self, number: int, recipe: PageRecipe, limits: Limits) -> PageImage:
        """See `Document.render`.

        DocumentFault `missing_glyphs` when a font is neither in the document nor among those it was
        opened with, and a character that the page should show would be left blank.
        """
        with self._page(number) as page, _text_page(page) as text_page:
            _refuse_missing(page, text_page, number)
            found = list(pieces(page))
            said, hidden = characters(text_page, covering_images(found))
            width, height = size = page.get_size()
            if not (0 < width < math.inf and 0 < height < math.inf):
                raise DocumentFault("broken_document", f"the page is {width} x {height} points")
            scale = page_scale(said, size, recipe, most=most_scale(size, limits))
            filled = filled_in(page)
            rgb = _pixels(page, scale)
            place = _Place.of(page, rgb)
            areas = [Region(r.kind, place.box(r.box)) for r in regions(page, found, said)]
            images = [place.box(box) for box in (*pictures(found), *filled.boxes)]
        seen, doubt = verified(replace(said, **place.characters(said)), rgb)
        self._refuse_unwritten(seen, number)
        return PageImage(
            rgb=rgb,
            characters=_with_filled(seen, filled),
            regions=tuple(areas),
            pictures=tuple(images),
            doubt=doubt,
            facts={
                "renderer": f"pdfium {self.build}",
                "scale": round(scale, 4),
                "hidden_characters": hidden,
                **self.facts,
            },
        )

    def _refuse_unwritten(self, seen: Characters, number: int) -> None:
        if not self.written_by:
            return
        inked = {c for c, has in zip(seen.text, seen.inked.tolist(), strict=True) if has}
        text = "".join(sorted(inked - {UNMAPPED}))
        written = np.zeros(len(text), bool)
        for face in self.written_by:
            written |= face.coverage.of_text(text)
        if lost := [c for c, has in zip(text, written.tolist(), strict=True) if not has]:
            raise _missing(lost, number)

    def close(self) -> None:
        """Let go of the file."""
        self.raw.close()

    @contextmanager
    def _page(self, number: int) -> Iterator[Any]:
        import pypdfium2

        try:
            page = self.raw[number]
            try:
                yield page
            finally:
                page.close()
        except (pypdfium2.PdfiumError, IndexError) as error:
            why = f"page {number + 1} does not render: {error}"
            raise DocumentFault("broken_document", why) from None


@contextmanager
def _text_page(page: Any) -> Iterator[Any]:
    text_page = page.get_textpage()
    try:
        yield text_page
    finally:
        text_page.close()


def _refuse_missing(page: Any, text_page: Any, number: int) -> None:
    missing = sorted(missing_glyphs(page, text_page))
    if missing:
        raise _missing(missing, number)


def _missing(characters: list[str], number: int) -> DocumentFault:
    return DocumentFault(
        "missing_glyphs",
        f"page {number + 1} has {len(characters)} characters that no font here draws"
        f" ({''.join(characters[:10])}): name folders with such fonts in the source's `fonts`",
    )


def _pixels(page: Any, scale: float) -> NDArray[np.uint8]:
    bitmap = page.render(scale=scale, rev_byteorder=True)
    pixels: NDArray[np.uint8] = bitmap.to_numpy()[:, :, :3].copy()
    bitmap.close()
    return pixels


def _with_filled(said: Characters, filled: Filled) -> Characters:
    """What is filled in comes last, without places."""
    more = "".join(f"\n{text}" for text in filled.texts)
    if not more:
        return said
    count = len(more)
    last = int(said.line[-1]) if len(said.line) else 0
    return replace(
        said,
        text=said.text + more,
        boxes=np.concatenate([said.boxes, np.zeros((count, 4), np.float32)]),
        em_px=np.concatenate([said.em_px, np.zeros(count, np.float32)]),
        line=np.concatenate([said.line, np.full(count, last, np.int32)]),
        font=np.concatenate([said.font, np.zeros(count, np.int32)]),
        fonts=said.fonts or ("",),
    )


@dataclass(frozen=True)
class _Place:
    """How points of a page, whose vertical axis points up, become px of its picture."""

    left: float
    bottom: float
    right: float
    top: float
    turns: int
    across: float
    down: float

    @classmethod
    def of(cls, page: Any, rgb: NDArray[np.uint8]) -> _Place:
        left, bottom, right, top = page.get_bbox()
        width, height = page.get_size()
        return cls(
            left,
            bottom,
            right,
            top,
            page.get_rotation() // 90 % 4,
            rgb.shape[1] / width,
            rgb.shape[0] / height,
        )

    def box(self, box: Box) -> Box:
        x0, y0, x1, y1 = self.boxes(np.array([box], np.float32))[0].tolist()
        return x0, y0, x1, y1

    def boxes(self, boxes: NDArray[np.float32]) -> NDArray[np.float32]:
        """Left, bottom, right, top in points to left, top, right, bottom in px."""
        x0, y0, x1, y1 = boxes.T
        turned = (
            (x0 - self.left, self.top - y1, x1 - self.left, self.top - y0),
            (y0 - self.bottom, x0 - self.left, y1 - self.bottom, x1 - self.left),
            (self.right - x1, y0 - self.bottom, self.right - x0, y1 - self.bottom),
            (self.top - y1, self.right - x1, self.top - y0, self.right - x0),
        )[self.turns]
        scale = np.array([self.across, self.down, self.across, self.down], np.float32)
        placed: NDArray[np.float32] = np.stack(turned, axis=1).astype(np.float32) * scale
        return placed

    def characters(self, said: Characters) -> dict[str, Any]:
        boxes = self.boxes(said.boxes)
        boxes[~said.inked] = 0
        return {"boxes": boxes, "em_px": said.em_px * np.float32((self.across + self.down) / 2)}


def _names_a_lock(data: str | bytes | IO[bytes]) -> bool:
    if isinstance(data, bytes):
        return b"/Encrypt" in data
    if isinstance(data, str):
        with open(data, "rb") as file:
            return b"/Encrypt" in file.read(_LOOK_FOR_LOCK_BYTES)
    data.seek(0)
    return b"/Encrypt" in data.read(_LOOK_FOR_LOCK_BYTES)


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
