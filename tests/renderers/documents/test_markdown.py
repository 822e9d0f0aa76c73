"""Markdown in a browser."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from renderers.documents.page import DocumentFault
from renderers.documents.web.browser import Browser
from renderers.documents.web.markdown import STYLES, open_markdown, pick_style
from tests.pipelines.browser import needs_chromium
from tests.renderers.documents.pages import RECIPE, look
from vae_corpus.pictures.decode import Limits

_TEXT = """---
title: not shown
---
# Heading

Some *text* with ~~old~~ `code`.

| a | b |
|---|---|
| one | two |

![picture](red.png)
"""


@needs_chromium
@pytest.mark.parametrize("number", range(len(STYLES)))
def test_every_style_shows_the_text_and_not_its_marks(
    chromium: Browser, tmp_path: Path, number: int
) -> None:
    cv2.imwrite(str(tmp_path / "red.png"), np.full((30, 30, 3), 99, np.uint8))
    face = next(f for f in np.linspace(0, 0.99, 400) if pick_style(f) == STYLES[number])
    recipe = replace(RECIPE, face=float(face))
    document = open_markdown(_TEXT.encode(), resources=tmp_path, recipe=recipe, browser=chromium)
    with closing(document):
        image = document.render(0, look(12), Limits())
    said = " ".join(image.characters.text.split())
    assert "Heading" in said and "Some text with old code." in said
    assert "*" not in said and "|" not in said and "title" not in said
    assert {region.kind for region in image.regions} == {"table", "figure"}
    assert len(image.pictures) == 1


def test_faces_do_not_decide_the_style_alone() -> None:
    first_face = {pick_style(face) for face in np.linspace(0, 0.1, 50)}
    assert first_face == set(STYLES)


@pytest.mark.parametrize(("data", "slug"), [(b"", "empty"), (b"\xff\xfe\x00", "broken_document")])
def test_what_is_no_text_is_said(data: bytes, slug: str) -> None:
    with pytest.raises(DocumentFault) as fault:
        open_markdown(data, resources=None, recipe=RECIPE, browser=None)  # type: ignore[arg-type]
    assert fault.value.slug == slug
