"""What a layout is: it samples its parameters, then places texts on a sheet with them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from renderers.layout.sheet import Sheet
from vae_corpus.words import LANGUAGES

Params = dict[str, float | int | str | bool]


@dataclass(frozen=True)
class Page:
    """What a layout knows when it samples its parameters. Lengths in px.

    `size_px` is the em of the body, `largest_px` that of the largest letters that it may set.
    """

    width: int
    height: int
    size_px: int
    largest_px: int
    language: str


@dataclass(frozen=True)
class Layout:
    """One kind of page.

    `fill` is the share of a fully set page that its text takes: how much text to draw for it.
    `vertical` layouts need a face with vertical forms, `monospaced` ones prefer a face whose
    letters are equally wide.
    """

    name: str
    sample: Callable[[np.random.Generator, Page], Params]
    place: Callable[[Sheet, Params], None]
    languages: tuple[str, ...] = LANGUAGES
    fill: float = 1.0
    vertical: bool = False
    monospaced: bool = False


def sample_title_px(rng: np.random.Generator, page: Page, least: float, most: float) -> int:
    """Em of a title, drawn as a multiple of the body's, as far as the page lets letters grow.

    Where it lets them not grow at all, the heading's face alone tells a title from the body.
    """
    return min(page.largest_px, round(page.size_px * rng.uniform(least, most)))


def sample_margin(rng: np.random.Generator, page: Page) -> int:
    """A narrow margin: pages should be dense, and italics may lean out by a third of an em."""
    least = 2 + page.size_px // 3
    return least + int(rng.uniform(0, 0.05) * min(page.width, page.height))


def sample_pitch(rng: np.random.Generator, page: Page) -> int:
    """Px from baseline to baseline: 1.1 to 1.6 em, Chinese a little looser than English."""
    least = 1.15 if page.language == "en" else 1.2
    loose = least + 0.4 * float(rng.random()) ** 2
    # Below 8 px a tenth of an em is less than a pixel: keep one free row between lines.
    return max(page.size_px + 1, round(loose * page.size_px))


def sample_columns(
    rng: np.random.Generator,
    page: Page,
    inner: int,
    most: int,
    *,
    least_em: int = 11,
    dense: bool = False,
) -> tuple[int, int]:
    """Number of columns, of `least_em` or more in `inner` px and up to `most`; the gap in px.

    A `dense` page has as many as fit, or one less.
    """
    gap = page.size_px + int(rng.integers(0, page.size_px + 1))
    least = least_em * page.size_px
    fitting = max(1, min(most, (inner + gap) // (least + gap)))
    return int(rng.integers(max(1, fitting - 1) if dense else 1, fitting + 1)), gap
