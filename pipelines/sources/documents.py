"""Pages of documents as images: born-digital text at native sharpness, with its characters."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import BinaryIO, Literal, cast

from pydantic import Field

from pipelines.sources.base import Item, SourceError, Unit
from pipelines.sources.buckets import buckets
from pipelines.sources.drawn import MOST_SCALES, DrawnSource, faulty
from pipelines.sources.files import FileInfo, is_gone, open_read, real_path, size_bytes
from pipelines.sources.listing import find_files, stream_files
from pipelines.sources.spool import Spool
from renderers.documents.opening import SUFFIXES, FileRef, Ref, Tools, is_warc, kind_of
from renderers.documents.page import DocumentFault, RendererMissing
from renderers.documents.recipe import draw_document
from vae_corpus import storage
from vae_corpus.seeds import generator

# A page of text has some 10 kB and costs about as much as half a megabyte of photographs.
_WEIGHT = 50
# Files up to this size are read by tasks of many files, larger ones in parts.
_SMALL_BYTES = 1024**2
_PART_BYTES = 2 * 1024**2
# In a WARC file an address is where a record begins, and one of so many pages of it.
_RECORD_PAGES = 256


class DocumentSource(DrawnSource):
    """PDF, HTML, Markdown, EPUB, WARC, slides and letters; an item is one page.

    A unit is a bucket of small files, or a part of a large one. Nothing is opened to list them: how
    many pages a file has is found where it is read.
    """

    type: Literal["documents"] = "documents"
    files_per_unit: int = Field(100, ge=1, description="small files that one task reads")
    max_pages: int | None = Field(
        None, ge=1, description="N pages spread over each document; of a WARC file each record"
    )
    javascript: bool = Field(
        False, description="let scripts of web pages run; two runs may then differ"
    )

    def files(self) -> Iterator[FileInfo]:
        """Every document, by name; SourceError when there is none."""
        return find_files(self.uri, suffix=SUFFIXES)

    def units(self) -> Iterator[Unit]:
        """`start` of `stop` parts of each member but the first.

        The first member names the renderers and the fonts: what they draw is part of what it is.
        """
        with Spool() as files, Spool() as large:
            small = total = 0
            for file in stream_files(self.uri, suffix=SUFFIXES):
                files.add(file)
                if file.bytes <= _SMALL_BYTES:
                    small += 1
                    total += file.bytes
            # Large ones are in buckets too: twins of any size lie side by side there.
            for bucket in files.by_bucket(buckets(small, _WEIGHT * total, self.files_per_unit)):
                if group := [file for file in bucket if file.bytes <= _SMALL_BYTES]:
                    yield self._unit(group, 0, 1)
                for file in bucket:
                    if file.bytes > _SMALL_BYTES:
                        large.add(file)
            for file in large.by_name():
                # Books and slides are opened as a whole.
                in_parts = kind_of(file.name) == "pdf" or is_warc(file.name)
                parts = -(-file.bytes // _PART_BYTES) if in_parts else 1
                for part in range(parts):
                    yield self._unit([file], part, parts)

    def _unit(self, group: list[FileInfo], part: int, parts: int) -> Unit:
        by = self._renderers(file.name for file in group)
        what = [(file.name, file.bytes, file.version) for file in group]
        looks = [self.glyph_px, self.scales_per_page, self.max_pages, self._seed]
        return Unit(
            unit_id=self._unit_id(what, part, parts, by, *looks),
            source=self.name,
            uri=group[0].root,
            start=part,
            stop=parts,
            bytes=sum(file.bytes for file in group) // parts,
            members=(by, *(file.name for file in group)),
        )

    def read(self, unit: Unit) -> Iterator[Item]:
        by, *names = unit.members
        if by != self._renderers(iter(names)):
            raise SourceError(
                f"source {self.name}: this node has other renderers, or other fonts in"
                f" {list(self.fonts)}, than the one that listed the source: its pages would be"
                " others. Install the same on all nodes"
            )
        for name in names:
            uri = storage.join(unit.uri, name)
            if is_warc(name):
                yield from self._records(name, uri, unit.start, unit.stop)
                continue
            places = self.places(name, uri)
            if isinstance(places, Item):
                # What does not open is one item, of the first part.
                if unit.start == 0:
                    yield places
                continue
            first, last = (len(places) * n // unit.stop for n in (unit.start, unit.start + 1))
            for place in places[first:last]:
                yield self.item(name, uri, place)

    def places(self, name: str, uri: str) -> Sequence[int] | Item:
        """The offsets of the pages to take of a document, each as often as it is drawn.

        `max_pages` are evenly spread: contents and index come in blocks. What is wrong with the
        document comes as an item; OSError when it cannot be read now.
        """
        if is_warc(name):
            items = self._records(name, uri, 0, 1)
            return [item.offset for item in items if item.fault is None]
        return self._places(name, uri, 0)

    def _places(self, name: str, uri: str, first: int) -> list[int] | Item:
        ref, _ = self._find(uri, first)
        try:
            count = self.renderings().pages(ref)
        except (DocumentFault, RendererMissing) as error:
            return faulty(name, uri, first, error)
        except OSError as error:
            if not is_gone(error):
                raise
            fault = DocumentFault("unreadable", str(error.strerror or error))
            return faulty(name, uri, first, fault)
        pages: Sequence[int] = range(min(count, _RECORD_PAGES) if is_warc(uri) else count)
        if self.max_pages is not None and len(pages) > self.max_pages:
            step = len(pages) / self.max_pages
            pages = [int((i + 0.5) * step) for i in range(self.max_pages)]
        return [
            first + page * MOST_SCALES + n for page in pages for n in range(self.scales_per_page)
        ]

    def _records(self, name: str, uri: str, part: int, parts: int) -> Iterator[Item]:
        """The pages of those records of a WARC file that begin in a part of its bytes."""
        from renderers.documents.web.warc import WarcFault, warc_pages

        size = size_bytes(uri) or 0
        start, stop = size * part // parts, size * (part + 1) // parts
        each = MOST_SCALES * _RECORD_PAGES
        found_any = False
        try:
            with open_read(uri, [(start, stop - start)]) as file:
                for found in warc_pages(cast(BinaryIO, file), start=start):
                    found_any = True
                    # A part seldom begins where a record does: damage is told with the sound
                    # record before it.
                    of: int | None = found.offset
                    if isinstance(found, WarcFault) and found.slug == "damaged":
                        of = found.after
                    if of is None and part > 0:
                        continue
                    if of is not None and of >= stop:
                        return
                    first = found.offset * each
                    if isinstance(found, WarcFault):
                        fault = DocumentFault(found.slug, found.why)
                        yield faulty(f"{name}#record={found.offset}", uri, first, fault)
                        continue
                    places = self._places(f"{name}#record={found.offset}", uri, first)
                    if isinstance(places, Item):
                        yield places
                        continue
                    for place in places:
                        yield self.item(name, uri, place)
        except RendererMissing as missing:
            if part == 0:
                yield faulty(name, uri, 0, missing)
            return
        if parts == 1 and not found_any:
            fault = DocumentFault("no_pages" if size else "empty", "no record of it is a web page")
            yield faulty(name, uri, 0, fault)

    def weight(self, unit: Unit) -> int:
        return _WEIGHT * unit.bytes

    def _find(self, uri: str, offset: int) -> tuple[Ref, int]:
        page, record = offset // MOST_SCALES, None
        name = storage.name_of(uri)
        if is_warc(name):
            record, page = divmod(page, _RECORD_PAGES)
        rng = generator(self._seed, "document", name, record or 0)
        return FileRef(uri=real_path(uri), recipe=draw_document(rng), record=record), page

    def _member(self, name: str, place: int) -> str:
        page, again = divmod(place, MOST_SCALES)
        if is_warc(name):
            record, page = divmod(page, _RECORD_PAGES)
            name = f"{name}#record={record}"
        return self._numbered(name, page, again)

    def _tools(self) -> Tools:
        return Tools(fonts=self.fonts, timeout_s=self.page_timeout_s, javascript=self.javascript)

    def _renderers(self, names: Iterator[str]) -> str:
        kinds = {kind for name in names if (kind := kind_of(name))}
        return "; ".join(self._drawn_by(kind) for kind in sorted(kinds))
