"""A kind of document: the sheets and sizes that are usual for it, and what writes its contents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from renderers.documents.typeset.blocks import Writer

# Width and height in mm.
PAPERS = {
    "a4": (210.0, 297.0),
    "a5": (148.0, 210.0),
    "b5": (176.0, 250.0),
    "a4-wide": (297.0, 210.0),
    "a3": (297.0, 420.0),
    "a3-wide": (420.0, 297.0),
    "letter": (215.9, 279.4),
    "legal": (215.9, 355.6),
    "tabloid": (280.0, 380.0),
    "broadsheet": (380.0, 560.0),
    "screen-16-9": (254.0, 142.9),
    "screen-4-3": (254.0, 190.5),
    "slip": (110.0, 240.0),
}

Contents = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Kind:
    """`compose` writes the contents, of which the list `blocks` may be cut short to fit the pages.

    `settle` then puts right what depends on how many there are.
    `dark` and `tinted` are the shares of such grounds; `math` that of documents with formulas.
    """

    compose: Callable[[Writer], Contents]
    settle: Callable[[Contents], None] | None = None
    papers: tuple[str, ...]
    size_pt: tuple[float, float]
    columns: tuple[int, ...] = (1,)
    pages: tuple[int, ...] = (1,)
    margin_mm: tuple[float, float] = (14.0, 28.0)
    dark: float = 0.1
    tinted: float = 0.2
    math: float = 0.0
    justify: float = 0.8
