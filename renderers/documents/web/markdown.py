"""Markdown as web pages, in one of a few plain style sheets."""

from __future__ import annotations

import re
from importlib.resources import files as package_files
from pathlib import Path

from renderers.documents.page import Document, DocumentFault, RendererMissing
from renderers.documents.recipe import DocumentRecipe
from renderers.documents.web.browser import Browser
from renderers.documents.web.html import open_html
from renderers.documents.web.resources import Resources

STYLES = ("plain", "book", "notes", "terminal")
# Properties of the file, between two rules at its very beginning.
_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n---[ \t]*\n", re.DOTALL)
# The number that picks the face picks the style too, by digits that the face does not heed.
_STRIDE = 997


def open_markdown(
    data: bytes,
    *,
    resources: Path | Resources | None,
    recipe: DocumentRecipe,
    browser: Browser,
    place: str = "index.md",
    timeout_s: float = 30.0,
) -> Document:
    """The document in a style that `recipe` picks; everything else as in `open_html`.

    DocumentFault `broken_document` when it is not UTF-8. RendererMissing without markdown-it-py.
    """
    if not data.strip():
        raise DocumentFault("empty", "no bytes at all")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentFault("broken_document", f"the file is not UTF-8: {error}") from None
    return open_html(
        to_html(text, pick_style(recipe.face)).encode(),
        resources=resources,
        recipe=recipe,
        browser=browser,
        place=place,
        timeout_s=timeout_s,
    )


def pick_style(face: float) -> str:
    """A style for a number in [0, 1)."""
    return STYLES[int(face * _STRIDE) % len(STYLES)]


def to_html(text: str, style: str) -> str:
    """A whole page: CommonMark with tables and struck-out text; HTML inside stays what it is."""
    try:
        from markdown_it import MarkdownIt
    except ImportError:
        raise RendererMissing(
            "Markdown is read by markdown-it-py: pip install 'vae-corpus[web]'"
        ) from None
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    body = reader.render(_FRONT_MATTER.sub("", text.replace("\r\n", "\n"), count=1))
    css = (package_files("renderers.documents.web") / f"{style}.css").read_text(encoding="utf-8")
    return f'<!doctype html><meta charset="utf-8"><style>\n{css}</style>\n{body}'
