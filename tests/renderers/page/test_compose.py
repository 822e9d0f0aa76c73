from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.glyphs.atlas import Atlas
from renderers.layout.sheet import Placed
from renderers.page.colour import local_luminance, luminance
from renderers.page.compose import _character_boxes, paint_glyphs, place_characters, place_glyphs
from renderers.setting.shaping import Shaper
from renderers.setting.typesetting import Galley
from tests.pictures import scene
from tests.tiny_font import write_font


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "a.ttf", ASCII_PRINTABLE)
    return discover([folder], cache=folder / "cache")[0]


def _lines(face: Face) -> Placed:
    galley = Galley(Shaper(), [face], tracking_px=-3.0)
    rows = galley.set(galley.write(["some words to set " * 6]), 150.0, size_px=12).rows
    # Rows 5 px apart: lines run into each other.
    number = np.arange(len(rows), dtype=np.int32)
    return Placed(galley, rows, 10 + number, 20 + 5 * number)


def test_ink_of_a_line_adds_up_and_later_lines_lie_on_top(face: Face) -> None:
    lines, atlas = _lines(face), Atlas()
    glyphs = place_glyphs(lines, atlas, 4)
    colours = np.random.default_rng(0).integers(0, 256, (len(lines), 3), dtype=np.uint8)
    page = np.ascontiguousarray(scene(200, 120))
    expected = page.astype(np.int64)
    counts = glyphs.rows[:, 1] - glyphs.rows[:, 0]
    numbers = np.repeat(np.arange(len(lines)), counts)
    inked, most = np.zeros(page.shape[:2], dtype=np.int64), 0
    for number, colour in enumerate(colours.astype(np.int64)):
        total = np.zeros(page.shape[:2], dtype=np.int64)
        own = numbers == number
        for slot, x, y in zip(glyphs.slot[own], glyphs.x[own], glyphs.y[own], strict=True):
            start, left, top, width, height = atlas.shapes[slot].tolist()
            ink = atlas.pixels[start : start + width * height].reshape(height, width)
            total[y + top : y + top + height, x + left : x + left + width] += ink
        most = max(most, int(total.max()))
        inked += total > 0
        alpha = np.minimum(total, 255)[..., None]
        expected = (expected * (255 - alpha) + colour * alpha + 127) // 255
    paint_glyphs(page, glyphs, atlas, colours)
    assert most > 255
    assert inked.max() > 1
    assert np.array_equal(page, expected)


def test_a_line_without_ink_is_passed_over(face: Face) -> None:
    lines, atlas = _lines(face), Atlas()
    glyphs = place_glyphs(lines, atlas, 1)
    colours = np.zeros((len(lines), 3), dtype=np.uint8)
    page, rest = np.full((2, 120, 200, 3), 255, dtype=np.uint8)
    glyphs.line_boxes[0] = 1 << 20, 1 << 20, -(1 << 20), -(1 << 20)
    paint_glyphs(page, glyphs, atlas, colours)
    others = place_glyphs(lines.where(np.arange(len(lines)) > 0), atlas, 1)
    paint_glyphs(rest, others, atlas, colours[1:])
    assert (rest < 255).any()
    assert np.array_equal(page, rest)


def test_characters_lie_inside_the_boxes_of_their_lines(face: Face) -> None:
    lines, atlas = _lines(face), Atlas()
    glyphs = place_glyphs(lines, atlas, 1)
    boxes = place_characters(lines, glyphs, atlas.shapes)
    text = "".join(line.text for line in lines)
    drawn = "".join(c for c, inked in zip(text, boxes[:, 0] < boxes[:, 2], strict=True) if inked)
    assert drawn == text.replace(" ", "")
    at = 0
    for line, box in zip(lines, glyphs.line_boxes, strict=True):
        own = boxes[at : at + len(line.text)]
        at += len(line.text)
        assert own[:, :2].min(axis=0).tolist() == box[:2].tolist()
        assert own[:, 2:].max(axis=0).tolist() == box[2:].tolist()


def test_a_space_has_an_empty_box_at_the_end_of_the_character_before_it(face: Face) -> None:
    lines, atlas = _lines(face), Atlas()
    boxes = place_characters(lines, place_glyphs(lines, atlas, 1), atlas.shapes)
    text = "".join(line.text for line in lines)
    space = text.index(" ")
    x, y = boxes[space - 1, 2:].tolist()
    assert boxes[space].tolist() == [x, y, x, y]


def test_the_parts_of_a_ligature_share_its_columns_and_none_is_empty() -> None:
    # Three characters: of the first two one glyph of 3 x 2 px at (10, 5), then one of 4 x 2 px.
    shapes = np.array([[0, 0, 0, 3, 2], [0, 0, 0, 4, 2]], dtype=np.int32)
    rows = np.array([[0, 2, 103, 0, 0, 0]], dtype=np.int32)
    clusters, slot = np.array([100, 102], dtype=np.int32), np.array([0, 1], dtype=np.int32)
    x, y = np.array([10, 14], dtype=np.int32), np.array([5, 5], dtype=np.int32)
    line_box = np.array([[10, 5, 18, 7]], dtype=np.int32)
    begins = np.array([100], dtype=np.int32)
    boxes = _character_boxes(begins, rows, clusters, slot, x, y, line_box, shapes)
    assert boxes.tolist() == [[10, 5, 12, 7], [11, 5, 13, 7], [14, 5, 18, 7]]


def test_no_lines_are_no_glyphs(face: Face) -> None:
    atlas = Atlas()
    lines = _lines(face)
    none = lines.where(np.zeros(len(lines), dtype=bool))
    glyphs = place_glyphs(none, atlas, 1)
    assert glyphs.line_boxes.shape == (0, 4)
    assert len(place_characters(none, glyphs, atlas.shapes)) == 0


def test_local_luminance_is_that_of_opencv() -> None:
    picture = scene(91, 64)
    boxes = np.array([[0, 0, 91, 64], [10, 4, 30, 20], [90, 63, 91, 64]], dtype=np.int32)
    mean, spread = local_luminance(picture, boxes)
    light = luminance(picture[::2, ::2])
    for n, part in enumerate((light, light[2:10, 5:15], light[-1:, -1:])):
        own, deviation = cv2.meanStdDev(part)
        assert mean[n] == pytest.approx(own[0, 0])
        assert spread[n] == pytest.approx(deviation[0, 0], abs=1e-6)


def test_a_picture_in_two_runs_is_the_same(face: Face, tmp_path: Path) -> None:
    pages = []
    for _ in range(2):
        page, atlas = np.ascontiguousarray(scene(200, 120)), Atlas()
        glyphs = place_glyphs(_lines(face), atlas, 4)
        paint_glyphs(page, glyphs, atlas, np.zeros((len(glyphs.rows), 3), dtype=np.uint8))
        pages.append(page)
    assert np.array_equal(*pages)
