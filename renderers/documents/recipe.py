"""How a page is to look, drawn before it is opened: size of its letters, width, light or dark.

What is drawn for a document decides where its pages end; what is drawn for a page, its scale.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from pydantic import Field, field_validator

from vae_corpus.settings import Settings
from vae_corpus.words import band_key

DOCUMENT_BANDS = ("5-7", "8-10", "11-14", "15-24")
_LANGUAGES = ("en", "zh")
_BAND_KEYS = (*DOCUMENT_BANDS, *(f"{n} {band}" for n in _LANGUAGES for band in DOCUMENT_BANDS))
# Common widths of windows in CSS px, from phones to desks.
_VIEWPORTS_PX = (390, 412, 768, 1024, 1280, 1440)
_DARK_SHARE = 0.25


class LookSettings(Settings):
    """How large the letters of pages are to be."""

    glyph_px: dict[str, float] = Field(
        {"5-7": 1.0, "8-10": 1.0, "11-14": 1.0, "15-24": 1.0, "zh 5-7": 0.4},
        description="weights of the bands of em in px that the median character of a page is to"
        " have; one for a language, as `zh 5-7`, goes before",
    )

    @field_validator("glyph_px")
    @classmethod
    def _bands(cls, weights: dict[str, float]) -> dict[str, float]:
        if unknown := set(weights) - set(_BAND_KEYS):
            raise ValueError(f"bands are {list(_BAND_KEYS)}; got {sorted(unknown)}")
        if any(weight < 0 for weight in weights.values()):
            raise ValueError("bands take weights of 0 or more")
        for language in _LANGUAGES:
            if not any(_weights(weights, language)):
                raise ValueError(f"glyph_px needs a weight above 0 for {language}")
        return weights


@dataclass(frozen=True, kw_only=True)
class DocumentRecipe:
    """What is drawn for a whole document; only kinds that have no layout of their own use it.

    `viewport_px`: width of the window in CSS px. `dark`: a dark colour scheme is asked for.
    `face`: a number in [0, 1) that picks the face of text that names none.
    """

    viewport_px: int
    dark: bool
    face: float


@dataclass(frozen=True, kw_only=True)
class PageRecipe:
    """What is drawn for a page: the em in px that its median character is to have.

    `glyph_px` and `band` by language, `en` or `zh` (pages of both count as `zh`). `others` are
    bands and sizes that were drawn next: a page that is too small for one takes the next.
    """

    glyph_px: Mapping[str, float]
    band: Mapping[str, str]
    others: Mapping[str, tuple[tuple[str, float], ...]] = field(default_factory=dict)

    def em_px(self, language: str, least: float) -> float:
        """The first of the drawn sizes that is at least so large; `least` if none is."""
        sizes = (self.glyph_px[language], *(px for _, px in self.others.get(language, ())))
        return next((px for px in sizes if px >= least), least)


def draw_document(rng: np.random.Generator) -> DocumentRecipe:
    """A width, a scheme and a face."""
    return DocumentRecipe(
        viewport_px=int(rng.choice(_VIEWPORTS_PX)),
        dark=bool(rng.random() < _DARK_SHARE),
        face=float(rng.random()),
    )


def draw_page(rng: np.random.Generator, settings: LookSettings) -> PageRecipe:
    """Bands by their weights and a size inside each, for each language."""
    drawn: dict[str, list[tuple[str, float]]] = {}
    for language in _LANGUAGES:
        weights = np.array(_weights(settings.glyph_px, language))
        count = int(np.count_nonzero(weights))
        order = rng.choice(len(weights), size=count, replace=False, p=weights / weights.sum())
        bands = [DOCUMENT_BANDS[place] for place in order.tolist()]
        drawn[language] = [(band, float(rng.uniform(*band_limits(band)))) for band in bands]
    return PageRecipe(
        glyph_px={language: sizes[0][1] for language, sizes in drawn.items()},
        band={language: sizes[0][0] for language, sizes in drawn.items()},
        others={language: tuple(sizes[1:]) for language, sizes in drawn.items()},
    )


def band_limits(band: str) -> tuple[float, float]:
    """`"8-10"` -> (8, 10): the least and largest em in px."""
    low, high = band.split("-")
    return float(low), float(high)


def _weights(weights: Mapping[str, float], language: str) -> list[float]:
    return [weights.get(band_key(weights, language, band), 0.0) for band in DOCUMENT_BANDS]
