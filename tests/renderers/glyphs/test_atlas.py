from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from fonts.faces import Face, discover
from renderers.glyphs.atlas import FAINT, Atlas
from renderers.glyphs.rasterise import PHASES, GlyphFault
from renderers.setting.shaping import Shaper
from renderers.setting.typesetting import Galley
from tests.tiny_font import write_font, write_variable_font


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "a.ttf", "abcdef")
    return discover([folder], cache=folder / "cache")[0]


def _slots(atlas: Atlas, face: Face, size_px: int, phase: int, text: str) -> list[int]:
    galley = Galley(Shaper(), [face])
    galley.set(galley.write([text]), 9e9, size_px=9)
    glyphs = galley.glyphs[: len(text), 0]
    kinds = np.full(len(glyphs), atlas.kind(face, size_px), dtype=np.int32)
    return atlas.slots(kinds, np.full(len(glyphs), phase, dtype=np.int32), glyphs).tolist()


def _bitmap(atlas: Atlas, slot: int) -> tuple[npt.NDArray[np.uint8], int, int]:
    """Coverage, and px from the origin to its left and top edge."""
    start, left, top, width, height = atlas.shapes[slot].tolist()
    return atlas.pixels[start : start + width * height].reshape(height, width), left, top


def test_bitmaps_are_cut_to_their_ink(face: Face) -> None:
    atlas = Atlas()
    for phase in range(PHASES):
        for slot in _slots(atlas, face, 13, phase, "abcdef"):
            ink = _bitmap(atlas, slot)[0]
            for edge in (ink[0], ink[-1], ink[:, 0], ink[:, -1]):
                assert edge.any()
            assert ink[ink > 0].min() >= FAINT


def test_a_bitmap_is_what_freetype_draws(face: Face) -> None:
    freetype = pytest.importorskip("freetype")
    own = freetype.Face(str(face.path))
    own.set_pixel_sizes(0, 13)
    own.load_char("c", freetype.FT_LOAD_RENDER | freetype.FT_LOAD_TARGET_LIGHT)
    bitmap = own.glyph.bitmap
    drawn = np.array(bitmap.buffer).reshape(bitmap.rows, bitmap.pitch)[:, : bitmap.width]
    atlas = Atlas()
    ink, left, top = _bitmap(atlas, _slots(atlas, face, 13, 0, "c")[0])
    y, x = own.glyph.bitmap_top + top, left - own.glyph.bitmap_left
    part = drawn[y : y + ink.shape[0], x : x + ink.shape[1]]
    assert np.array_equal(ink, np.where(part >= FAINT, part, 0))
    assert (drawn >= FAINT).sum() == (ink > 0).sum()


def test_shaping_and_drawing_use_the_same_instance(tmp_path: Path) -> None:
    write_variable_font(tmp_path / "a.ttf", "abc")
    regular, bold = discover([tmp_path], cache=tmp_path / "cache")
    galley = Galley(Shaper(), [regular, bold])
    rows = galley.set(galley.write(["abc"] * 2, [0, 1]), 9e9, size_px=1000).rows
    plain, wide = (galley.spots[first:last, 0] for first, last in galley.rows[rows, 2:4])
    assert (wide - plain).tolist() == [0, 200, 400]
    atlas = Atlas()
    for letter in "abc":
        thin, thick = (
            _bitmap(atlas, _slots(atlas, face, 100, 0, letter)[0])[0] for face in (regular, bold)
        )
        # 200 of 1000 units at 100 px.
        assert thick.shape[1] - thin.shape[1] == 20


def test_a_glyph_without_ink_has_no_width(face: Face) -> None:
    atlas = Atlas()
    assert _bitmap(atlas, _slots(atlas, face, 9, 0, "a b")[1])[0].size == 0


def test_what_is_cached_equals_what_is_fresh(face: Face) -> None:
    used, fresh = Atlas(), Atlas()
    for text in ("abc", "def"):
        _slots(used, face, 11, 0, text)
    pairs = zip(
        _slots(used, face, 11, 0, "fedcba"), _slots(fresh, face, 11, 0, "fedcba"), strict=True
    )
    for one, two in pairs:
        assert np.array_equal(_bitmap(used, one)[0], _bitmap(fresh, two)[0])


def test_glyphs_are_found_again_after_the_tables_have_grown(face: Face) -> None:
    atlas = Atlas()
    known = {
        (size, phase): _slots(atlas, face, size, phase, "abcdef")
        for size in range(5, 205)
        for phase in range(PHASES)
    }
    assert len({slot for slots in known.values() for slot in slots}) == 6 * len(known)
    for (size, phase), slots in known.items():
        assert _slots(atlas, face, size, phase, "abcdef") == slots
    before = [_bitmap(atlas, slot)[0].copy() for slot in known[9, 0]]
    fresh = Atlas()
    for bitmap, slot in zip(before, _slots(fresh, face, 9, 0, "abcdef"), strict=True):
        assert np.array_equal(bitmap, _bitmap(fresh, slot)[0])


def test_sub_pixel_phases_move_the_ink_to_the_right(face: Face) -> None:
    atlas = Atlas()

    def centre(phase: int) -> float:
        ink, left, _ = _bitmap(atlas, _slots(atlas, face, 16, phase, "a")[0])
        return left + float(np.average(np.arange(ink.shape[1]), weights=ink.sum(axis=0)))

    assert centre(3) - centre(0) == pytest.approx(0.75, abs=0.1)


def test_a_font_file_that_went_bad_is_named(face: Face, tmp_path: Path) -> None:
    (tmp_path / "bad.ttf").write_bytes(b"nothing")
    atlas, one = Atlas(), np.ones(1, dtype=np.int32)
    kind = atlas.kind(replace(face, path=tmp_path / "bad.ttf"), 9)
    with pytest.raises(GlyphFault, match="bad.ttf"):
        atlas.slots(one * np.int32(kind), one * 0, one)
