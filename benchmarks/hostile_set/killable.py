"""Documents as a corpus draws them: in a process that is killed when it takes too much."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hostile_set.verdict import Page, Render
from renderers.documents.opening import FileRef, Tools, is_warc
from renderers.documents.page import DocumentFault, RendererMissing
from renderers.documents.process import Bounds, Renderings
from renderers.documents.recipe import DocumentRecipe, PageRecipe
from renderers.documents.web.warc import WarcFault, warc_pages
from vae_corpus.pictures.decode import Limits

_PAGES = 3
_MEMORY_BYTES = 2 << 30
_DOCUMENT = DocumentRecipe(viewport_px=1024, dark=False, face=0.5)
_PAGE = PageRecipe(glyph_px={"en": 14.0, "zh": 14.0}, band={"en": "11-14", "zh": "11-14"})


@contextmanager
def rendering(fonts: tuple[str, ...], page_timeout_s: float) -> Iterator[Render]:
    """Hands out `render(path)`, which gives the fates of the first pages of a file."""
    bounds = Bounds(
        page_timeout_s=page_timeout_s,
        open_timeout_s=2 * page_timeout_s,
        memory_bytes=_MEMORY_BYTES,
    )
    renderings = Renderings(Tools(fonts=fonts, timeout_s=page_timeout_s), bounds)

    def render(path: Path) -> list[Page]:
        return [page for ref in _documents(path) for page in _pages(renderings, ref)]

    try:
        yield render
    finally:
        renderings.close()


def _documents(path: Path) -> Iterator[FileRef | Page]:
    if not is_warc(path.name):
        yield FileRef(uri=str(path), recipe=_DOCUMENT)
        return
    begun = time.monotonic()
    found_any = False
    with path.open("rb") as file:
        for found in warc_pages(file):
            found_any = True
            if isinstance(found, WarcFault):
                yield Page(found.slug, round(time.monotonic() - begun, 3), found.why)
            else:
                yield FileRef(uri=str(path), recipe=_DOCUMENT, record=found.offset)
    if not found_any:
        yield Page(
            "no_pages" if path.stat().st_size else "empty", round(time.monotonic() - begun, 3)
        )


def _pages(renderings: Renderings, ref: FileRef | Page) -> Iterator[Page]:
    if isinstance(ref, Page):
        yield ref
        return
    begun = time.monotonic()
    try:
        count = renderings.pages(ref)
    except (DocumentFault, RendererMissing) as error:
        slug = error.slug if isinstance(error, DocumentFault) else "renderer_missing"
        yield Page(slug, round(time.monotonic() - begun, 3), str(error))
        return
    for number in range(min(count, _PAGES)):
        begun = time.monotonic()
        try:
            page = renderings.render(ref, number, _PAGE, Limits())
        except DocumentFault as fault:
            yield Page(fault.slug, round(time.monotonic() - begun, 3), fault.why)
            continue
        slug = "text_not_trusted" if page.doubt else "rendered"
        text = "" if page.doubt else page.characters.text
        yield Page(slug, round(time.monotonic() - begun, 3), text[:1000])
