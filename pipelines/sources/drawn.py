"""What sources have in common whose images are pages that are drawn, each as large as asked."""

from __future__ import annotations

import functools
import os
from abc import abstractmethod
from typing import ClassVar, Literal

from pydantic import Field, PrivateAttr, field_validator

from pipelines.sources.base import Item, Source, SourceError
from pipelines.sources.originals import bitmap
from renderers.documents.opening import Ref, Tools
from renderers.documents.page import DocumentFault, PageImage, RendererMissing
from renderers.documents.process import Bounds, Renderings
from renderers.documents.recipe import LookSettings, PageRecipe, draw_page
from vae_corpus import storage
from vae_corpus.memo import memo
from vae_corpus.pictures.decode import Limits
from vae_corpus.seeds import generator

# Each page takes so many places of `offset`, one for every time that it is drawn.
MOST_SCALES = 16
_MB = 1024**2


class DrawnSource(LookSettings, Source):
    """Pages that another process draws, which can be killed; see `renderers.documents`."""

    is_rendered: ClassVar[bool] = True
    _limits: Limits = PrivateAttr(default_factory=Limits)
    _seed: int = PrivateAttr(default=0)

    content: Literal["auto", "document"] = Field(
        "document", description="document: every image is a page; auto: decided by its text"
    )
    scales_per_page: int = Field(
        1, ge=1, le=MOST_SCALES, description="how often each page is drawn, at sizes of its own"
    )
    fonts: tuple[str, ...] = Field(
        (),
        description="folders, on every node, of the fonts to draw with. PDF pages need them where"
        " a font is not in the document (else such pages are missing_glyphs), everything else"
        " always. The fonts of the system are never used",
    )
    page_timeout_s: float = Field(30.0, gt=0, description="a page that takes longer is given up")
    page_memory_mb: int = Field(
        3072, ge=256, description="a page that takes more memory is given up"
    )

    @field_validator("fonts")
    @classmethod
    def _absolute_fonts(cls, fonts: tuple[str, ...]) -> tuple[str, ...]:
        return absolute(fonts)

    def for_build(self, limits: Limits, seed: int) -> DrawnSource:
        source = self.model_copy()
        source._limits, source._seed = limits, seed
        return source

    def item(self, name: str, uri: str, place: int) -> Item:
        """The page at a place, or what is wrong with it."""
        member = self._member(name, place)
        try:
            drawn = self.fetch_page(uri, place)
        except DocumentFault as fault:
            return faulty(member, uri, place, fault)
        return Item(member=member, uri=uri, offset=place, data=bitmap(drawn.rgb), page=drawn)

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        return bitmap(self.fetch_page(uri, offset).rgb)

    def fetch_page(self, uri: str, offset: int) -> PageImage:
        ref, page = self._find(uri, offset)
        # Where a document lies does not change how it looks.
        recipe = self._recipe(storage.name_of(uri), offset)
        return self.renderings().render(ref, page, recipe, self._limits)

    @abstractmethod
    def _find(self, uri: str, offset: int) -> tuple[Ref, int]:
        """The document and the page at an address."""

    @abstractmethod
    def _member(self, name: str, place: int) -> str:
        """The name of a page of a document."""

    def _numbered(self, name: str, page: int, again: int) -> str:
        return f"{name}#page={page + 1}" + (f"@{again + 1}" if self.scales_per_page > 1 else "")

    def _recipe(self, name: str, offset: int) -> PageRecipe:
        return draw_page(generator(self._seed, "page", name, offset), self)

    def _tools(self) -> Tools:
        return Tools(fonts=self.fonts, timeout_s=self.page_timeout_s)

    def _bounds(self) -> Bounds:
        return Bounds(
            page_timeout_s=self.page_timeout_s,
            open_timeout_s=4 * self.page_timeout_s,
            memory_bytes=self.page_memory_mb * _MB,
        )

    def renderings(self) -> Renderings:
        """The process that draws for this source, and for all that draw alike."""
        return _renderings(self._tools(), self._bounds())

    def _drawn_by(self, kind: str) -> str:
        """Names what draws a kind of documents; SourceError where it cannot be had at all."""
        try:
            return _version(self._tools(), self._bounds(), kind)
        except RendererMissing as error:
            if kind in ("pdf", "typeset"):
                raise SourceError(f"source {self.name}: {error}") from None
            # Its documents are rejected one by one, and those of other kinds go on.
            return f"{kind} missing"


def absolute(places: tuple[str, ...]) -> tuple[str, ...]:
    """Workers start in folders of their own."""
    return tuple(os.path.abspath(os.path.expanduser(place)) for place in places)


def faulty(member: str, uri: str, offset: int, error: DocumentFault | RendererMissing) -> Item:
    """What is wrong with a document or page, as an item."""
    slug = error.slug if isinstance(error, DocumentFault) else "renderer_missing"
    return Item(member=member, uri=uri, offset=offset, data=b"", fault=(slug, str(error)))


@memo
def _renderings(tools: Tools, bounds: Bounds) -> Renderings:
    return Renderings(tools, bounds)


@functools.cache
def _version(tools: Tools, bounds: Bounds, kind: str) -> str:
    return _renderings(tools, bounds).version(kind)
