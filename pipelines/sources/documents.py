"""Pages of PDF documents as images: born-digital text at native sharpness."""

from __future__ import annotations

import atexit
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import Field, field_validator

from pipelines import storage
from pipelines.sources.base import Item, Source, SourceError, Unit, find_files

_POINTS_PER_INCH = 72


class DocumentSource(Source):
    """PDF files; a unit is a range of pages, an item is one page as a PNG.

    Pages take the resolutions of `dpi` in turn, so that the same 10-point text appears as
    7, 10, 14 and 20 px characters. 72 dpi makes one point one pixel.
    """

    type: Literal["documents"] = "documents"
    content: Literal["auto", "document"] = "document"
    dpi: tuple[int, ...] = Field(
        (50, 72, 100, 144), description="resolutions that pages take in turn"
    )
    pages_per_unit: int = Field(100, ge=1, description="pages that one task renders")
    max_pages: int | None = Field(None, ge=1, description="N pages spread over each file")

    @field_validator("dpi")
    @classmethod
    def _sane_dpi(cls, dpi: tuple[int, ...]) -> tuple[int, ...]:
        if not dpi or not all(20 <= d <= 600 for d in dpi):
            raise ValueError("dpi takes at least one value, each from 20 to 600")
        return dpi

    def units(self) -> Iterator[Unit]:
        """`start` and `stop` count the pages to take. A broken file is one unit of one item."""
        for file in find_files(self.uri):
            if not file.uri.lower().endswith(".pdf"):
                continue
            try:
                count = len(_open_pdf(file.uri))
            except SourceError:
                count = 1
            pages = len(self._pages(count))
            for start in range(0, pages, self.pages_per_unit):
                stop = min(start + self.pages_per_unit, pages)
                yield Unit(
                    unit_id=self._unit_id(
                        file.uri, file.bytes, file.version, self.dpi, pages, start, stop
                    ),
                    source=self.name,
                    uri=file.uri,
                    start=start,
                    stop=stop,
                    bytes=file.bytes * (stop - start) // pages,
                )

    def read(self, unit: Unit) -> Iterator[Item]:
        name = unit.uri.rsplit("/", 1)[-1]
        try:
            pages = self._pages(len(_open_pdf(unit.uri)))
        except SourceError:
            pages = range(1)
        for page in pages[unit.start : unit.stop]:
            member = f"{name}#page={page + 1}"
            try:
                data = self.fetch(unit.uri, page, 0)
            except SourceError as error:
                fault = ("broken_document", str(error))
                yield Item(member=member, uri=unit.uri, offset=page, data=b"", fault=fault)
            else:
                yield Item(member=member, uri=unit.uri, offset=page, data=data)

    def _pages(self, count: int) -> Sequence[int]:
        """The pages to take of `count`, evenly spread: contents and index come in blocks."""
        if self.max_pages is None or count <= self.max_pages:
            return range(count)
        return [int((i + 0.5) * count / self.max_pages) for i in range(self.max_pages)]

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        dpi = self.dpi[offset % len(self.dpi)]
        rgb = _render(uri, offset, dpi)
        # Level 1 is quick, and these bytes are packed only after tiles are cut out of them.
        ok, png = cv2.imencode(".png", rgb[:, :, ::-1], [cv2.IMWRITE_PNG_COMPRESSION, 1])
        if not ok:
            raise SourceError(f"{uri}: page {offset + 1} could not be encoded")
        return png.tobytes()


def _render(uri: str, page: int, dpi: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    """One page as uint8[H, W, 3] RGB on white; SourceError when the page is broken."""
    import pypdfium2

    try:
        loaded = _open_pdf(uri)[page]
        bitmap = loaded.render(scale=dpi / _POINTS_PER_INCH, rev_byteorder=True)
        pixels: np.ndarray[Any, np.dtype[np.uint8]] = bitmap.to_numpy()[:, :, :3].copy()
        bitmap.close()
        loaded.close()
    except pypdfium2.PdfiumError as error:
        raise SourceError(f"page {page + 1} does not render: {error}") from None
    return pixels


@lru_cache(maxsize=4)
def _open_pdf(uri: str) -> Any:
    try:
        import pypdfium2
    except ImportError:
        raise SourceError("documents need pypdfium2: pip install 'vae-corpus[documents]'") from None
    try:
        document = pypdfium2.PdfDocument(storage.read_bytes(uri))
    except pypdfium2.PdfiumError as error:
        raise SourceError(f"the file does not open: {error}") from None
    # pdfium complains about documents that are still open when the process ends.
    atexit.register(document.close)
    return document
