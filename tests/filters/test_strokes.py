from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from filters.text_density import strokes
from tests.pictures import page, scene
from vae_corpus.pictures.decode import to_luma


def look(cell: NDArray[np.uint8]) -> dict[str, float]:
    return dict(zip(strokes.NAMES, strokes.look(cell).tolist(), strict=True))


def test_writing_stands_in_lines_and_a_picture_does_not() -> None:
    text = look(to_luma(page(256, 256, size_px=12)))
    picture = look(to_luma(scene(256, 256)))
    grain = look(np.random.default_rng(0).integers(0, 256, (256, 256)).astype(np.uint8))
    assert text["strong_longest"] > 10 and picture["strong_longest"] < 4
    assert text["strong_linked_ink"] > 2 * max(p["strong_linked_ink"] for p in (picture, grain))
    # In grain everything has a neighbour, but not of its own height.
    assert text["strong_height_spread"] < 0.6 * grain["strong_height_spread"]
    assert 2 < text["strong_height"] < 20


def test_light_letters_on_dark_count_as_dark_ones_on_light() -> None:
    cell = to_luma(page(256, 200, size_px=14))
    dark, light = look(cell), look(255 - cell)
    assert dark["strong_longest"] > 5
    assert light == pytest.approx(dark, rel=1e-3)


@pytest.mark.parametrize("shape", ((1, 1), (3, 256), (256, 2)))
def test_any_size_gives_numbers(shape: tuple[int, int]) -> None:
    for cell in (np.zeros(shape, np.uint8), np.arange(np.prod(shape)).reshape(shape) % 256):
        found = strokes.look(np.ascontiguousarray(cell, np.uint8))
        assert found.shape == (len(strokes.NAMES),) and np.isfinite(found).all()


def test_blobs_too_large_or_too_long_are_no_letters() -> None:
    cell = np.full((256, 256), 255, np.uint8)
    # Large squares with sharp corners, and hair lines.
    cell[20:90, 20:90] = cell[120:200, 20:100] = 0
    cell[230:232, 10:250] = 0
    found = look(cell)
    assert found["strong_longest"] == found["weak_longest"] == 0
