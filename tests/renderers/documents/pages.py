"""Pages of HTML, as tests ask for them."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

from renderers.documents.page import PageImage
from renderers.documents.recipe import DocumentRecipe, PageRecipe
from renderers.documents.web.browser import Browser
from renderers.documents.web.html import open_html
from vae_corpus.pictures.decode import Limits

RECIPE = DocumentRecipe(viewport_px=768, dark=False, face=0.0)


def look(em_px: float) -> PageRecipe:
    """Letters of that size."""
    return PageRecipe(glyph_px={"en": em_px, "zh": em_px}, band={"en": "any", "zh": "any"})


def show(
    browser: Browser,
    html: str,
    *,
    em_px: float = 16.0,
    number: int = 0,
    resources: Path | None = None,
    recipe: DocumentRecipe = RECIPE,
    limits: Limits | None = None,
    **options: Any,
) -> PageImage:
    """One page of a document."""
    document = open_html(
        html.encode(), resources=resources, recipe=recipe, browser=browser, **options
    )
    with closing(document):
        return document.render(number, look(em_px), limits or Limits())
