"""Boxes against ink: that of Pillow, which is independent, and that which we drew."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.label_accuracy import Found, measure, summary
from fonts.faces import discover
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from vae_corpus.demo import DemoInputs
from vae_corpus.words import SIZE_BANDS

WHITE = np.full((200, 240, 3), 255, dtype=np.uint8)
# The larger the letters, the fewer on a page.
PAGES = dict(zip(SIZE_BANDS, (2, 3, 5, 8), strict=True))


@pytest.fixture(scope="module")
def real(demo: DemoInputs) -> Renderer:
    return Renderer(
        faces=discover(demo.fonts),
        texts={
            name: TextSource.from_paths(demo.texts[name], language=name) for name in ("en", "zh")
        },
    )


def _found(real: Renderer, language: str, band: str) -> list[Found]:
    found: list[Found] = []
    for number in range(PAGES[band]):
        recipe = real.sample_recipe(
            np.random.default_rng([number, len(band)]),
            language=language,
            size_band=band,
            width=240,
            height=200,
        )
        found += measure(recipe, real.paint(recipe, WHITE)[1])
    return found


@pytest.mark.parametrize("language", ["en", "zh"])
def test_boxes_lie_at_the_ink(real: Renderer, language: str) -> None:
    by_band = {band: _found(real, language, band) for band in SIZE_BANDS}
    for band, found in by_band.items():
        got = summary(found)
        assert got["characters"] > 100
        assert got["within 0.5 px of own ink, %"] >= 99, band
        assert got["in ligatures, %"] < 4, band
        assert got["within 1 px of Pillow's ink, %"] >= 99, band


def test_a_box_that_is_off_is_noticed(real: Renderer) -> None:
    recipe = real.sample_recipe(
        np.random.default_rng(1), language="en", size_band="8-10", width=240, height=200
    )
    labels = real.paint(recipe, WHITE)[1]
    labels.boxes[:, 2] += 2
    got = summary(list(measure(recipe, labels)))
    assert got["within 0.5 px of own ink, %"] == 0
    assert got["within 1 px of Pillow's ink, %"] < 20
