"""What every kind of document gives: a page as pixels, with what it says and shows."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from renderers.documents.recipe import PageRecipe
from vae_corpus.characters import Box, Characters, KnownText, Region, RegionKind
from vae_corpus.pictures.decode import Limits

__all__ = [
    "Box",
    "Characters",
    "Document",
    "DocumentFault",
    "PageImage",
    "Region",
    "RegionKind",
    "RendererMissing",
]


class RendererMissing(RuntimeError):
    """A program, package or font folder is not here; the message says what to install."""


class DocumentFault(Exception):
    """A document or page that gives no image: `slug` names the kind of fault, `why` tells it."""

    def __init__(self, slug: str, why: str) -> None:
        super().__init__(slug, why)
        self.slug, self.why = slug, why

    def __str__(self) -> str:
        return self.why


@dataclass(frozen=True, kw_only=True, eq=False)
class PageImage:
    """A page: `rgb` uint8[H, W, 3], sRGB on an opaque ground.

    `characters` are those that are drawn, as far as the document tells; `doubt` says why they are
    not to be trusted (see `soundness`), None when they are. `pictures` are raster images and
    whatever else may hold text that nobody tells. `facts` are what the label says of how the page
    was made, as JSON values: always `renderer` (name and version of the program that drew it) and
    `scale` (px per CSS px or per point).
    """

    rgb: NDArray[np.uint8]
    characters: Characters
    regions: tuple[Region, ...] = ()
    pictures: tuple[Box, ...] = ()
    doubt: str | None = None
    facts: dict[str, Any] = field(default_factory=dict)

    @property
    def known(self) -> KnownText:
        """All but the pixels."""
        return KnownText(
            characters=self.characters,
            regions=self.regions,
            pictures=self.pictures,
            doubt=self.doubt,
        )


class Document(Protocol):
    """An open document, of any kind. DocumentFault for whatever is wrong with it or a page."""

    @property
    def pages(self) -> int:
        """How many pages there are to ask for."""

    def render(self, number: int, recipe: PageRecipe, limits: Limits) -> PageImage:
        """Page `number`, from 0. The same document and recipe give the same pixels."""

    def close(self) -> None:
        """Let go of files and memory."""
