"""The scale of a page, so that its median character has the size that was drawn for it."""

from __future__ import annotations

import math

from renderers.documents.recipe import PageRecipe
from vae_corpus.characters import Characters
from vae_corpus.pictures.decode import Limits

# No sample is smaller than this.
_MIN_SIDE_PX = 256
# Pages without text: a scale at which print of 10 points would have 12 px.
_TEXTLESS = 1.2
# A page of A4 whose letters of 6 points are to have 24 px has 8 million.
_MOST_PIXELS = 40_000_000


def page_scale(
    characters: Characters, size: tuple[float, float], recipe: PageRecipe, *, most: float
) -> float:
    """px per unit of a page of `size` (width, height) whose characters are in units.

    Never so small that a side is below 256 px: a slide of a few large letters takes the next size
    that was drawn. Never above `most`.
    """
    median = characters.median_em_px
    wanted = _TEXTLESS
    if median > 0:
        language = "en" if characters.language == "en" else "zh"
        least = median * _MIN_SIDE_PX / min(size)
        wanted = recipe.em_px(language, least) / median
    return min(most, max(wanted, _MIN_SIDE_PX / min(size)))


def most_scale(size: tuple[float, float], limits: Limits) -> float:
    """The largest scale at which a page of this size stays within the limits of pixels."""
    width, height = size
    pixels = min(limits.max_pixels, _MOST_PIXELS)
    # Sides are rounded up to whole px.
    side = (limits.max_side_px - 1) / max(width, height)
    return min(float(side), math.sqrt(pixels / (width * height)) * 0.999)
