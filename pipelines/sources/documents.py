"""Pages of PDF documents as images: born-digital text at native sharpness."""

from __future__ import annotations

import atexit
import math
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import cv2
import numpy as np
from pydantic import Field, field_validator

from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.files import find_files, is_gone, read_bytes

MAX_PIXELS = 200_000_000
MAX_SIDE_PX = 65_500
_POINTS_PER_INCH = 72
_MAX_OPEN = 4


class DocumentFault(SourceError):
    """A document or page that gives no image; its slug tells of which kind."""

    def __init__(self, slug: str, why: str) -> None:
        super().__init__(slug, why)
        self.slug, self.why = slug, why

    def __str__(self) -> str:
        return self.why


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
        for file in find_files(self.uri, suffix=".pdf"):
            try:
                document = _load(file.uri)
            except DocumentFault:
                count = 1
            except OSError as error:
                raise SourceError(f"cannot read {file.uri}: {error.strerror or error}") from None
            else:
                count = len(document)
                document.close()
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
            pages = self._pages(len(_document(unit.uri)))
        except DocumentFault:
            pages = range(1)
        for page in pages[unit.start : unit.stop]:
            member = f"{name}#page={page + 1}"
            try:
                data = self.fetch(unit.uri, page, 0)
            except DocumentFault as error:
                fault = (error.slug, error.why)
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
    """One page as uint8[H, W, 3] RGB on white; DocumentFault when it is broken or too large."""
    document = _document(uri)
    import pypdfium2

    scale = dpi / _POINTS_PER_INCH
    try:
        loaded = document[page]
        try:
            _check_size(*(math.ceil(points * scale) for points in loaded.get_size()))
            bitmap = loaded.render(scale=scale, rev_byteorder=True)
            pixels: np.ndarray[Any, np.dtype[np.uint8]] = bitmap.to_numpy()[:, :, :3].copy()
            bitmap.close()
        finally:
            loaded.close()
    except pypdfium2.PdfiumError as error:
        why = f"page {page + 1} does not render: {error}"
        raise DocumentFault("broken_document", why) from None
    return pixels


def _check_size(width: int, height: int) -> None:
    # A page may announce any size; rendering it would take the memory at once.
    if max(width, height) > MAX_SIDE_PX:
        why = f"the page is {width} x {height} px, a side may have {MAX_SIDE_PX}"
        raise DocumentFault("side_too_long", why)
    if width * height > MAX_PIXELS:
        why = f"the page is {width} x {height} px, {MAX_PIXELS} pixels are allowed"
        raise DocumentFault("too_many_pixels", why)


def _load(uri: str) -> Any:
    """The open document, to be closed by the caller; DocumentFault when it is broken or locked."""
    try:
        import pypdfium2
    except ImportError:
        raise SourceError("documents need pypdfium2: pip install 'vae-corpus[documents]'") from None
    try:
        document = pypdfium2.PdfDocument(read_bytes(uri))
    except pypdfium2.PdfiumError as error:
        raise DocumentFault("broken_document", f"the file does not open: {error}") from None
    except OSError as error:
        if not is_gone(error):
            raise
        raise DocumentFault("unreadable", str(error.strerror or error)) from None
    if len(document) == 0:
        document.close()
        raise DocumentFault("broken_document", "the document has no pages")
    return document


class _OpenDocuments:
    """The documents last used, most recent last. Each holds its whole file in memory."""

    def __init__(self) -> None:
        self._open: OrderedDict[str, Any] = OrderedDict()
        self._at_exit = False

    def get(self, uri: str) -> Any:
        if uri not in self._open:
            self._open[uri] = _load(uri)
            if not self._at_exit:
                # pdfium must find all documents closed when it ends itself at exit. Now that it is
                # loaded, what is registered last runs first.
                atexit.register(self.close)
                self._at_exit = True
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(uri)
        return self._open[uri]

    def close(self) -> None:
        while self._open:
            self._open.popitem()[1].close()


_documents = _OpenDocuments()
_document = _documents.get
close_documents = _documents.close
