"""Pages of PDF documents as images: born-digital text at native sharpness."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field, PrivateAttr, field_validator

from pipelines.sources import pdf
from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.files import find_files
from pipelines.sources.pdf_fonts import PdfFonts, pdf_fonts
from vae_corpus import storage
from vae_corpus.pictures.decode import Limits

# A page full of text costs as much as so many bytes of photographs, however small its file: 2.6 s
# on the demo with the look for text.
_PAGE_BYTES = 16_000_000


class DocumentSource(Source):
    """PDF files; a unit is a range of pages, an item is one page as a PNG.

    Pages take the resolutions of `dpi` in turn, so that the same 10-point text appears as
    7, 10, 14 and 20 px characters. 72 dpi makes one point one pixel.
    """

    is_rendered: ClassVar[bool] = True
    _limits: Limits = PrivateAttr(default_factory=Limits)

    type: Literal["documents"] = "documents"
    content: Literal["auto", "document"] = "document"
    dpi: tuple[int, ...] = Field(
        (50, 72, 100, 144), description="resolutions that pages take in turn"
    )
    pages_per_unit: int = Field(100, ge=1, description="pages that one task renders")
    max_pages: int | None = Field(None, ge=1, description="N pages spread over each file")
    fonts: tuple[str, ...] = Field(
        (),
        description="folders, on every node, of the fonts for text whose own font is not in its"
        " document; none: Latin alone can be drawn, and other such pages are rejected as"
        " missing_glyphs. The fonts of the system are never used",
    )

    @field_validator("dpi")
    @classmethod
    def _sane_dpi(cls, dpi: tuple[int, ...]) -> tuple[int, ...]:
        if not dpi or not all(20 <= d <= 600 for d in dpi):
            raise ValueError("dpi takes at least one value, each from 20 to 600")
        return dpi

    @field_validator("fonts")
    @classmethod
    def _absolute_fonts(cls, fonts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(os.path.abspath(os.path.expanduser(folder)) for folder in fonts)

    def limited(self, limits: Limits) -> DocumentSource:
        source = self.model_copy()
        source._limits = limits
        return source

    def units(self) -> Iterator[Unit]:
        """`start` and `stop` count the pages to take. A broken file is one unit of one item.

        A unit's one member names pdfium and the fonts: what they draw is part of what it is.
        """
        drawn_by = self._drawn_by()
        for file in find_files(self.uri, suffix=".pdf"):
            try:
                count = pdf.count_pages(file.uri)
            except pdf.DocumentFault:
                count = 1
            except OSError as error:
                raise SourceError(f"cannot read {file.uri}: {error.strerror or error}") from None
            pages = len(self._pages(count))
            for start in range(0, pages, self.pages_per_unit):
                stop = min(start + self.pages_per_unit, pages)
                yield Unit(
                    unit_id=self._unit_id(
                        file.uri, file.bytes, file.version, self.dpi, pages, start, stop, drawn_by
                    ),
                    source=self.name,
                    uri=file.uri,
                    start=start,
                    stop=stop,
                    bytes=file.bytes * (stop - start) // pages,
                    members=(drawn_by,),
                )

    def read(self, unit: Unit) -> Iterator[Item]:
        if unit.members != (self._drawn_by(),):
            raise SourceError(
                f"source {self.name}: this node has another pypdfium2, or other fonts in"
                f" {list(self.fonts)}, than the one that listed the source: its pages would be"
                " others. Install the same on all nodes"
            )
        name = unit.uri.rsplit("/", 1)[-1]
        try:
            pages = self._pages(pdf.get_document(unit.uri, self._pdf_fonts()).pages)
        except pdf.DocumentFault:
            pages = range(1)
        for page in pages[unit.start : unit.stop]:
            member = f"{name}#page={page + 1}"
            try:
                with pdf.open_page(unit.uri, page, self._pdf_fonts()) as opened:
                    text = opened.text()
                    data = self._png(opened)
            except pdf.DocumentFault as error:
                fault = (error.slug, error.why)
                yield Item(member=member, uri=unit.uri, offset=page, data=b"", fault=fault)
            else:
                yield Item(member=member, uri=unit.uri, offset=page, data=data, text=text)

    def behind(self, unit: Unit, count: int) -> tuple[Unit, int]:
        return replace(unit, start=unit.start + count), 0

    def unread(self, unit: Unit, index: int) -> Item | None:
        number = unit.start + index
        if number >= unit.stop:
            return None
        what = "page" if self.max_pages is None else "page taken"
        member = f"{storage.name_of(unit.uri)}#{what}={number + 1}"
        return Item(member=member, uri=unit.uri, offset=number, data=b"")

    def images(self, unit: Unit) -> int:
        return unit.stop - unit.start

    def weight(self, unit: Unit) -> int:
        return (unit.stop - unit.start) * _PAGE_BYTES

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        with pdf.open_page(uri, offset, self._pdf_fonts()) as page:
            return self._png(page)

    def _pages(self, count: int) -> Sequence[int]:
        """The pages to take of `count`, evenly spread: contents and index come in blocks."""
        if self.max_pages is None or count <= self.max_pages:
            return range(count)
        return [int((i + 0.5) * count / self.max_pages) for i in range(self.max_pages)]

    def _png(self, page: pdf.Page) -> bytes:
        rgb = page.pixels(self.dpi[page.number % len(self.dpi)], self._limits)
        return _encode(rgb)

    def _pdf_fonts(self) -> PdfFonts:
        return pdf_fonts(self.fonts)

    def _drawn_by(self) -> str:
        return pdf.render_version(self._pdf_fonts())


def _encode(rgb: NDArray[np.uint8]) -> bytes:
    # Level 1 is quick, and these bytes are packed only after tiles are cut out of them. They name
    # the page: other options would give every page another key.
    ok, png = cv2.imencode(".png", rgb[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
    if not ok:
        raise SourceError(f"a page of {rgb.shape} could not be encoded")
    encoded: bytes = png.tobytes()
    return encoded
