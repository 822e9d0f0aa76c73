from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.effects.warp import matrix, paint_warped_marks, sample_quad, sheet_size, warp_glyphs
from renderers.glyphs.atlas import Atlas
from renderers.layout.sheet import Mark, Placed
from renderers.page.compose import place_characters, place_glyphs
from renderers.page.ink_maps import ink_of
from renderers.setting.shaping import Shaper
from renderers.setting.typesetting import Galley
from tests.tiny_font import write_font

FLAT = ((0.0, 0.0), (240.0, 0.0), (240.0, 160.0), (0.0, 160.0))
SLANTED = ((30.5, 8.25), (230.0, 24.0), (218.0, 150.5), (12.0, 140.0))


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "a.ttf", ASCII_PRINTABLE)
    return discover([folder], cache=folder / "cache")[0]


def _lines(face: Face, size_px: int = 10, width: float = 170.0) -> Placed:
    galley = Galley(Shaper(), [face])
    rows = galley.set(galley.write(["some words to set " * 6]), width, size_px=size_px).rows
    number = np.arange(len(rows), dtype=np.int32)
    return Placed(galley, rows, 0 * number + 8, 20 + 16 * number)


def _map(m: Any, x: float, y: float) -> Any:
    at = m @ np.array([x, y, 1.0])
    return at[:2] / at[2]


def test_the_matrix_carries_the_corners_and_straight_lines() -> None:
    m = matrix(SLANTED)
    width, height = sheet_size(SLANTED)
    flat = np.array([(0, 0), (width, 0), (width, height), (0, height)], dtype=np.float32)
    for corner, wanted in zip(flat, SLANTED, strict=True):
        assert _map(m, *corner) == pytest.approx(wanted, abs=1e-9)
    own = cv2.getPerspectiveTransform(flat, np.array(SLANTED, dtype=np.float32))
    assert m == pytest.approx(own / own[2, 2], rel=1e-4, abs=1e-6)


@pytest.mark.parametrize("seed", range(20))
def test_a_drawn_sheet_lies_inside_the_page_and_keeps_its_size(seed: int) -> None:
    rng = np.random.default_rng(seed)
    quad = sample_quad(rng, 320, 256, tilt_degrees=8, perspective=0.2)
    x, y = np.array(quad).T
    assert x.min() >= 0 and y.min() >= 0 and x.max() <= 320 and y.max() <= 256
    width, height = sheet_size(quad)
    middle = _map(matrix(quad), width / 2, height / 2)
    right = _map(matrix(quad), width / 2 + 1, height / 2)
    assert 0.8 < np.hypot(*(right - middle)) < 1.2


def test_a_sheet_that_is_not_convex_is_refused() -> None:
    for quad in (FLAT[:3], FLAT[::-1], (FLAT[0], FLAT[2], FLAT[1], FLAT[3])):
        with pytest.raises(ValueError, match="convex and clockwise"):
            matrix(quad)


def test_an_upright_sheet_has_the_ink_of_a_flat_page(face: Face) -> None:
    lines, atlas = _lines(face, size_px=16), Atlas()
    warped = warp_glyphs(lines, atlas, FLAT, 160, 240)
    flat = place_glyphs(lines, atlas, 4)
    ink = ink_of(flat, atlas, 160, 240).covered
    # The flat page is hinted to whole pixels, the warped one to quarters.
    assert int(warped.ink.covered.sum()) == pytest.approx(int(ink.sum()), rel=0.08)
    assert np.abs(warped.glyphs.line_boxes - flat.line_boxes).max() <= 1


@pytest.mark.parametrize("quad", [FLAT, SLANTED])
def test_boxes_hold_all_ink_and_are_tight(face: Face, quad: Any) -> None:
    lines, atlas = _lines(face), Atlas()
    warped = warp_glyphs(lines, atlas, quad, 160, 240)
    boxes = place_characters(lines, warped.glyphs, warped.shapes)
    inked = boxes[boxes[:, 0] < boxes[:, 2]]
    left = warped.ink.covered.copy()
    for x0, y0, x1, y1 in inked.tolist():
        part = warped.ink.covered[y0:y1, x0:x1] > 0
        assert part.any(axis=1)[[0, -1]].all() and part.any(axis=0)[[0, -1]].all()
        left[y0:y1, x0:x1] = 0
    assert len(inked) > 80
    assert not left.any()


def test_ink_lies_where_the_outlines_do(face: Face) -> None:
    # Against the flat page at 8 times the size, warped and reduced by OpenCV.
    lines, atlas, times = _lines(face), Atlas(), 8
    warped = warp_glyphs(lines, atlas, SLANTED, 160, 240)
    width, height = sheet_size(SLANTED)
    fine = place_glyphs(lines, atlas, 1, scale=times)
    large = ink_of(fine, atlas, height * times, width * times).covered
    up, down = np.diag([times, times, 1.0]), np.diag([1 / times, 1 / times, 1.0])
    moved = cv2.warpPerspective(large, up @ matrix(SLANTED) @ down, (240 * times, 160 * times))
    wanted = cv2.resize(moved, (240, 160), interpolation=cv2.INTER_AREA)
    assert np.abs(wanted.astype(int) - warped.ink.covered).mean() < 1.5
    assert np.corrcoef(wanted.ravel(), warped.ink.covered.ravel())[0, 1] > 0.98


def test_letters_stay_sharper_than_on_a_page_that_is_warped_afterwards(face: Face) -> None:
    lines, atlas = _lines(face), Atlas()
    warped = warp_glyphs(lines, atlas, SLANTED, 160, 240).ink.covered
    width, height = sheet_size(SLANTED)
    flat = ink_of(place_glyphs(lines, atlas, 1), atlas, height, width).covered
    resampled = cv2.warpPerspective(flat, matrix(SLANTED), (240, 160))
    own, other = (cv2.Laplacian(ink, cv2.CV_64F).var() for ink in (warped, resampled))
    assert own > 1.5 * other


def test_quads_hold_their_lines(face: Face) -> None:
    warped = warp_glyphs(_lines(face), Atlas(), SLANTED, 160, 240)
    for quad, box in zip(warped.quads, warped.glyphs.line_boxes, strict=True):
        x, y = quad[::2], quad[1::2]
        assert [x.min(), y.min(), x.max(), y.max()] == pytest.approx(box, abs=1.01)
    assert (warped.scales > 0.8).all() and (warped.scales < 1.2).all()


def test_no_lines_are_no_ink(face: Face) -> None:
    lines = _lines(face)
    none = lines.where(np.zeros(len(lines), dtype=bool))
    warped = warp_glyphs(none, Atlas(), SLANTED, 160, 240)
    assert not warped.ink.covered.any()
    assert len(place_characters(none, warped.glyphs, warped.shapes)) == len(warped.quads) == 0


def test_a_line_that_leaves_the_page_leaves_no_ink(face: Face) -> None:
    warped = warp_glyphs(_lines(face, width=600.0), Atlas(), SLANTED, 160, 240)
    assert not warped.ink.covered.any()
    assert warped.glyphs.line_boxes[0, 2] > 240


def test_marks_follow_the_sheet() -> None:
    page = np.zeros((160, 240, 3), dtype=np.uint8)
    width, height = sheet_size(SLANTED)
    paint_warped_marks(page, [Mark("plate", 0, 0, width, height)], 1.0, 200, 0, quad=SLANTED)
    x, y = np.array(SLANTED).T
    area = float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1))) / 2
    assert int(page[..., 0].sum()) == pytest.approx(200 * area, rel=0.001)
    before = page.copy()
    paint_warped_marks(page, [Mark("plate", 5, 5, 20, 20)], 0.0, 90, 0, quad=SLANTED)
    assert np.array_equal(page, before)
    paint_warped_marks(page, [Mark("rule", 5, 50, 100, 51)], 0.0, 90, 0, quad=SLANTED)
    # One px of the sheet is about one px of ink in each column of the page.
    column = (before - page)[:, 80, 0].sum() / (0.6 * 200)
    assert column == pytest.approx(1.0, abs=0.2)


def test_the_same_sheet_twice_is_the_same(face: Face, tmp_path: Path) -> None:
    one, two = (warp_glyphs(_lines(face), Atlas(), SLANTED, 160, 240) for _ in range(2))
    assert np.array_equal(one.ink.covered, two.ink.covered)
    assert np.array_equal(one.shapes, two.shapes)
