from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from fonts.faces import Face, discover
from renderers.atlas import PHASES, Atlas, GlyphFault
from renderers.shaping import Shaper
from tests.tiny_font import write_font


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "a.ttf", "abcdef")
    return discover([folder], cache=folder / "cache")[0]


def test_boxes_are_the_extent_of_the_inked_pixels(face: Face) -> None:
    glyphs = Shaper().shape(face, "abcdef").glyphs
    atlas = Atlas()
    for phase in range(PHASES):
        slots = atlas.slots(face, 13, phase, glyphs)
        ink, boxes = atlas.inked(slots), atlas.boxes(slots)
        for number, (x0, y0, x1, y1) in enumerate(boxes.tolist()):
            own = ink.glyph == number
            assert (ink.dx[own].min(), ink.dx[own].max() + 1) == (x0, x1)
            assert (ink.dy[own].min(), ink.dy[own].max() + 1) == (y0, y1)


def test_a_glyph_without_ink_has_an_empty_box(face: Face) -> None:
    atlas = Atlas()
    slots = atlas.slots(face, 9, 0, Shaper().shape(face, " ").glyphs)
    assert atlas.boxes(slots).tolist() == [[0, 0, 0, 0]]
    assert len(atlas.inked(slots).coverage) == 0


def test_what_is_cached_equals_what_is_fresh(face: Face) -> None:
    glyphs = Shaper().shape(face, "fedcba").glyphs
    used = Atlas()
    for text in ("abc", "def"):
        used.slots(face, 11, 0, Shaper().shape(face, text).glyphs)
    fresh = Atlas()
    one = used.inked(used.slots(face, 11, 0, glyphs))
    two = fresh.inked(fresh.slots(face, 11, 0, glyphs))
    assert np.array_equal(one.coverage, two.coverage)
    assert np.array_equal(one.dx, two.dx)


def test_sub_pixel_phases_move_the_ink_to_the_right(face: Face) -> None:
    atlas = Atlas()
    glyphs = Shaper().shape(face, "a").glyphs

    def centre(phase: int) -> float:
        ink = atlas.inked(atlas.slots(face, 16, phase, glyphs))
        return float(np.average(ink.dx, weights=ink.coverage))

    assert centre(3) - centre(0) == pytest.approx(0.75, abs=0.1)


def test_a_font_file_that_went_bad_is_named(face: Face, tmp_path: Path) -> None:
    (tmp_path / "bad.ttf").write_bytes(b"nothing")
    glyphs = np.array([1], dtype=np.int32)
    with pytest.raises(GlyphFault, match="bad.ttf"):
        Atlas().slots(replace(face, path=tmp_path / "bad.ttf"), 9, 0, glyphs)
