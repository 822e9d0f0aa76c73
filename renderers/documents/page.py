"""What every kind of document gives: a page as pixels, with what it says and shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from renderers.documents.recipe import PageRecipe
from vae_corpus.characters import Characters
from vae_corpus.pictures.decode import Limits

RegionKind = Literal["figure", "table", "formula"]


class DocumentFault(Exception):
    """A document or page that gives no image: `slug` names the kind of fault, `why` tells it."""

    def __init__(self, slug: str, why: str) -> None:
        super().__init__(slug, why)
        self.slug, self.why = slug, why

    def __str__(self) -> str:
        return self.why


class RendererMissing(ImportError):
    """A program or package that draws documents is missing; the message says how to get it."""


class Region(NamedTuple):
    """A rectangle in px of the page that holds a figure, a table or a formula set apart."""

    kind: RegionKind
    left: float
    top: float
    right: float
    bottom: float


@dataclass(frozen=True, kw_only=True, eq=False)
class PageImage:
    """A page: `rgb` uint8[H, W, 3], sRGB on an opaque ground.

    `characters` are those that are drawn, as far as the document tells. `pictures` are rectangles
    (left, top, right, bottom, px) of raster images, in which text may stand that nobody tells.
    `facts` are what the label says of how the page was made, as JSON values: always `renderer`
    (name and version of the program that drew it) and `scale` (px per CSS px or per point).
    """

    rgb: NDArray[np.uint8]
    characters: Characters
    regions: tuple[Region, ...] = ()
    pictures: tuple[tuple[float, float, float, float], ...] = ()
    facts: dict[str, Any] = field(default_factory=dict)


class Document(Protocol):
    """An open document, of any kind. DocumentFault for whatever is wrong with it or a page."""

    @property
    def pages(self) -> int: ...

    def render(self, number: int, recipe: PageRecipe, limits: Limits) -> PageImage:
        """Page `number`, from 0. The same document and recipe give the same pixels."""

    def close(self) -> None: ...
