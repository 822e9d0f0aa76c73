"""Pages of documents as images: born-digital text at native sharpness, with its characters."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import Field, PrivateAttr, field_validator

from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.files import FileInfo, buckets, find_files, is_gone, name_hash, real_path
from pipelines.sources.originals import bitmap
from renderers.documents.opening import SUFFIXES, FileRef, Tools, drawn_by, suffix_of
from renderers.documents.page import DocumentFault, PageImage, RendererMissing
from renderers.documents.process import Bounds, Renderings
from renderers.documents.recipe import LookSettings, PageRecipe, draw_document, draw_page
from vae_corpus import storage
from vae_corpus.pictures.decode import Limits
from vae_corpus.seeds import generator

# A page of text has some 10 kB and costs about as much as half a megabyte of photographs.
_WEIGHT = 50
# Files up to this size are read by tasks of many files, larger ones in parts.
_SMALL_BYTES = 1024**2
_PART_BYTES = 2 * 1024**2
# Each page takes so many places of `offset`, one for every time that it is drawn.
_MOST_SCALES = 16


class DocumentSource(LookSettings, Source):
    """PDF files; an item is one page, drawn so large that its letters have a drawn size.

    A unit is a bucket of small files, or a part of the pages of a large one. Nothing is opened to
    list them: how many pages a file has is found where it is read.
    """

    is_rendered: ClassVar[bool] = True
    _limits: Limits = PrivateAttr(default_factory=Limits)
    _seed: int = PrivateAttr(default=0)

    type: Literal["documents"] = "documents"
    content: Literal["auto", "document"] = "document"
    scales_per_page: int = Field(
        1, ge=1, le=_MOST_SCALES, description="how often each page is drawn, at sizes of its own"
    )
    files_per_unit: int = Field(100, ge=1, description="small files that one task reads")
    max_pages: int | None = Field(None, ge=1, description="N pages spread over each file")
    fonts: tuple[str, ...] = Field(
        (),
        description="folders, on every node, of the fonts for text whose own font is not in its"
        " document; none: Latin alone can be drawn, and other such pages are rejected as"
        " missing_glyphs. The fonts of the system are never used",
    )
    page_timeout_s: float = Field(30.0, gt=0, description="a page that takes longer is given up")
    page_memory_mb: int = Field(
        3072, ge=256, description="a page that takes more memory is given up"
    )

    @field_validator("fonts")
    @classmethod
    def _absolute_fonts(cls, fonts: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(os.path.abspath(os.path.expanduser(folder)) for folder in fonts)

    def for_build(self, limits: Limits, seed: int) -> DocumentSource:
        source = self.model_copy()
        source._limits, source._seed = limits, seed
        return source

    def files(self) -> list[FileInfo]:
        """Every document; SourceError when there is none."""
        return find_files(self.uri, suffix=SUFFIXES)

    def units(self) -> Iterator[Unit]:
        """`start` of `stop` parts of the pages of each member but the first.

        The first member names the renderers and the fonts: what they draw is part of what it is.
        """
        files = self.files()
        by = self._drawn_by({suffix_of(file.name) for file in files})
        small = [file for file in files if file.bytes <= _SMALL_BYTES]
        total = sum(file.bytes for file in small)
        groups: list[list[FileInfo]] = [
            [] for _ in range(buckets(len(small), _WEIGHT * total, self.files_per_unit))
        ]
        for file in small:
            groups[name_hash(file.name) % len(groups)].append(file)
        for group in filter(None, groups):
            yield self._unit(group, by, 0, 1)
        for file in files:
            if file.bytes > _SMALL_BYTES:
                parts = -(-file.bytes // _PART_BYTES)
                for part in range(parts):
                    yield self._unit([file], by, part, parts)

    def _unit(self, group: list[FileInfo], by: str, part: int, parts: int) -> Unit:
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
        if by != self._drawn_by({suffix_of(name) for name in names}):
            raise SourceError(
                f"source {self.name}: this node has other renderers, or other fonts in"
                f" {list(self.fonts)}, than the one that listed the source: its pages would be"
                " others. Install the same on all nodes"
            )
        for name in names:
            uri = storage.join(unit.uri, name)
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
        try:
            count = self._renderings().pages(self._ref(uri))
        except (DocumentFault, RendererMissing) as error:
            return _faulty(name, uri, 0, error)
        except OSError as error:
            if not is_gone(error):
                raise
            return _faulty(name, uri, 0, DocumentFault("unreadable", str(error.strerror or error)))
        pages: Sequence[int] = range(count)
        if self.max_pages is not None and count > self.max_pages:
            pages = [int((i + 0.5) * count / self.max_pages) for i in range(self.max_pages)]
        return [page * _MOST_SCALES + n for page in pages for n in range(self.scales_per_page)]

    def item(self, name: str, uri: str, place: int) -> Item:
        """The page at a place, or what is wrong with it."""
        page, again = divmod(place, _MOST_SCALES)
        member = f"{name}#page={page + 1}" + (f"@{again + 1}" if self.scales_per_page > 1 else "")
        try:
            drawn = self.fetch_page(uri, place)
        except DocumentFault as fault:
            return _faulty(member, uri, place, fault)
        return Item(member=member, uri=uri, offset=place, data=bitmap(drawn.rgb), page=drawn)

    def weight(self, unit: Unit) -> int:
        return _WEIGHT * unit.bytes

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        return bitmap(self.fetch_page(uri, offset).rgb)

    def fetch_page(self, uri: str, offset: int) -> PageImage:
        page, again = divmod(offset, _MOST_SCALES)
        recipe = self._page_recipe(uri, page, again)
        return self._renderings().render(self._ref(uri), page, recipe, self._limits)

    def _ref(self, uri: str) -> FileRef:
        # Where a document lies does not change how it looks.
        rng = generator(self._seed, "document", storage.name_of(uri))
        return FileRef(uri=real_path(uri), recipe=draw_document(rng))

    def _page_recipe(self, uri: str, page: int, again: int) -> PageRecipe:
        return draw_page(generator(self._seed, "page", storage.name_of(uri), page, again), self)

    def _tools(self) -> Tools:
        return Tools(fonts=self.fonts)

    def _bounds(self) -> Bounds:
        memory = self.page_memory_mb * 1024**2
        return Bounds(page_timeout_s=self.page_timeout_s, memory_bytes=memory)

    def _renderings(self) -> Renderings:
        return _renderings(self._tools(), self._bounds())

    def _drawn_by(self, suffixes: set[str]) -> str:
        try:
            known = {_drawn_by(suffix, self._tools()) for suffix in suffixes & set(SUFFIXES)}
        except RendererMissing as error:
            raise SourceError(f"source {self.name}: {error}") from None
        return " ".join(sorted(known))


@functools.cache
def _renderings(tools: Tools, bounds: Bounds) -> Renderings:
    # One process for all sources that are drawn alike.
    return Renderings(tools, bounds)


@functools.cache
def _drawn_by(suffix: str, tools: Tools) -> str:
    return drawn_by(suffix, tools)


def _faulty(member: str, uri: str, offset: int, error: DocumentFault | RendererMissing) -> Item:
    slug = error.slug if isinstance(error, DocumentFault) else "renderer_missing"
    return Item(member=member, uri=uri, offset=offset, data=b"", fault=(slug, str(error)))
