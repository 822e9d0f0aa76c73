from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from filters.ocr.engine import Line, OcrUnavailable, Polygons, Rgb
from filters.ocr.rapid import RapidOcrEngine
from filters.text_density import TextDensity, find_lines, line, network, screen
from tests.pictures import page, scene
from vae_corpus.pictures.decode import to_luma


class Ruler:
    """An engine that finds every dark bar: lines without the cost of a model."""

    engine_id = "ruler"

    def ready(self, *, to_read: bool = False) -> None:
        pass

    def detect(self, rgb: Rgb) -> Polygons:
        dark = (rgb.max(axis=2) < 128).astype(np.uint8)
        contours, _ = cv2.findContours(dark, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
        boxes = [cv2.boundingRect(c) for c in contours]
        found = [[[x, y], [x + w, y], [x + w, y + h], [x, y + h]] for x, y, w, h in boxes]
        return np.array(found, np.float32).reshape(-1, 4, 2)

    def read(self, rgb: Rgb) -> list[Line]:
        return []


@pytest.fixture(scope="module")
def density() -> TextDensity:
    return TextDensity(RapidOcrEngine())


def test_no_text_is_zero_everywhere_and_never_nan(density: TextDensity) -> None:
    for rgb in (np.zeros((64, 64, 3), np.uint8), np.full((300, 520, 3), 200, np.uint8)):
        scores = density.score(rgb)
        assert scores.pop("text_stage") == "screen"
        assert scores.pop("text_lines") == []
        assert scores.pop("script") is None
        assert set(scores.values()) == {0.0}


def test_denser_pages_score_higher(density: TextDensity) -> None:
    scores = [density.score(page(300, 300, size_px=size)) for size in (28, 20, 14, 10)]
    chars = [s["chars_est"] for s in scores]
    assert chars == sorted(chars) and chars[0] > 0
    glyphs = [s["glyph_px_p50"] for s in scores]
    assert glyphs == sorted(glyphs, reverse=True)
    assert all(0 < s["glyph_px_min"] <= s["glyph_px_p50"] for s in scores)
    assert all(0 < s["text_area_share"] <= 1 for s in scores)


def test_the_estimate_is_near_the_truth(density: TextDensity) -> None:
    rgb = np.full((160, 420, 3), 255, np.uint8)
    text = "seven wizards pack my box of ink"
    for y in (40, 80, 120):
        cv2.putText(rgb, text, (10, y), cv2.FONT_HERSHEY_SIMPLEX, 0.7, (0, 0, 0), 1, cv2.LINE_AA)
    truth = 3 * len(text.replace(" ", ""))
    assert 0.6 * truth < density.score(rgb)["chars_est"] < 1.5 * truth


def test_a_line_over_a_picture_passes_the_screen() -> None:
    rgb = cv2.GaussianBlur(scene(256, 256), (31, 31), 8)
    assert screen.chances(rgb).max() < 0.3
    colour = tuple(int(c) for c in np.clip(rgb[120:140].mean(axis=(0, 1)) + 70, 0, 255))
    cv2.putText(rgb, "small print", (20, 140), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1)
    found = screen.chances(rgb)
    assert found.max() > 0.5
    # 11 letters some 9 px high, from 20 px on.
    rows, columns = np.nonzero(found > 0.5)
    assert rows.min() >= 15 and rows.max() <= 18 and columns.min() >= 1 and columns.max() <= 14


def test_letters_of_the_same_luma_pass_the_screen() -> None:
    rgb = np.full((256, 256, 3), (150, 100, 100), np.uint8)
    cv2.putText(rgb, "green on red", (30, 120), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (40, 160, 90), 1)
    luma = to_luma(rgb)
    assert int(luma.max()) - int(luma.min()) < 25
    assert screen.chances(rgb).max() > 0.5


@pytest.mark.parametrize("size", ((1, 1), (7, 300), (300, 7), (1030, 40), (2100, 1100)))
def test_the_screen_has_a_square_for_every_8_px(size: tuple[int, int]) -> None:
    width, height = size
    found = screen.chances(np.zeros((height, width, 3), np.uint8))
    assert found.shape == (-(-height // 8), -(-width // 8))
    assert found.max() < 0.3


def test_windows_of_the_screen_leave_no_seam() -> None:
    """What lies beyond a window's margin changes nothing."""
    rgb = np.tile(page(256, 256, size_px=14), (1, 9, 1))
    whole, part = screen.chances(rgb), screen.chances(rgb[:, 1024 - 256 : 1024 + 512])
    np.testing.assert_allclose(whole[:, 120:140], part[:, 24:44], atol=1e-3)


def test_lines_are_counted_by_their_looks() -> None:
    rgb = page(420, 80, size_px=20)
    polygon = find_lines(RapidOcrEngine(), rgb)[0]
    han, others, em_px, text = line.estimate(rgb, [polygon])[0]
    assert 12 < han + others < 60 and 8 < em_px < 30 and han < others and text > 0.5
    assert line.estimate(rgb, []).shape == (0, 4)


@pytest.mark.parametrize("turn", (0, 1))
def test_a_line_is_laid_down_before_it_is_looked_at(turn: int) -> None:
    rgb = np.ascontiguousarray(np.rot90(page(300, 40, size_px=20), turn))
    height, width = rgb.shape[:2]
    polygon = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    assert line.upright(rgb, polygon).shape == (24, 180, 3)


def test_a_very_long_line_is_counted_by_its_length() -> None:
    rgb = np.tile(page(240, 24, size_px=20), (1, 10, 1))
    height, width = rgb.shape[:2]
    ends = [width // 2, width]
    half, whole = (
        line.estimate(rgb, [np.array([[0, 0], [end, 0], [end, height], [0, height]], np.float32)])
        for end in ends
    )
    assert whole[0, :2].sum() == pytest.approx(2 * half[0, :2].sum(), rel=0.1)


def test_lines_add_up_to_the_whole(density: TextDensity) -> None:
    scores = density.score(page(700, 600, size_px=16))
    assert scores["chars_est"] > 100
    assert sum(box["chars"] for box in scores["text_lines"]) == pytest.approx(scores["chars_est"])
    assert 0 < scores["max_chars_per_256_tile"] < scores["chars_est"]


def test_lines_say_where_the_text_is(density: TextDensity) -> None:
    rgb = np.full((512, 768, 3), 255, np.uint8)
    rgb[256:, 512:] = page(256, 256, size_px=16)
    scores = density.score(rgb)
    assert scores["text_lines"]
    assert all(box["x0"] >= 508 and box["y0"] >= 252 for box in scores["text_lines"])
    assert scores["max_chars_per_256_tile"] == pytest.approx(scores["chars_est"])


def test_faint_letters_get_a_second_look_with_more_contrast(density: TextDensity) -> None:
    rgb = np.full((256, 256, 3), (120, 124, 118), np.uint8)
    for y in (90, 120, 150):
        text = "hardly to be seen"
        cv2.putText(rgb, text, (40, y), cv2.FONT_HERSHEY_SIMPLEX, 0.5, (129, 132, 126), 1, 16)
    assert density.score(rgb)["chars_est"] > 20


def test_a_line_across_the_border_of_two_blocks_is_one(density: TextDensity) -> None:
    rgb = np.full((200, 900, 3), 255, np.uint8)
    rgb[60:140, 250:730] = page(480, 80, size_px=20)
    boxes = density.score(rgb)["text_lines"]
    across = [box for box in boxes if box["x0"] < 500 and box["x1"] > 524]
    assert across and not any(505 < box["x0"] < 520 for box in boxes)


def test_version_names_engine_and_networks() -> None:
    version = TextDensity(Ruler()).version
    assert "ruler" in version
    assert all(network.sha256[:16] in version for network in (screen.load(), line.load()))


def test_a_huge_page_has_what_its_parts_have(density: TextDensity) -> None:
    # Larger than the detector's windows and blocks, with text across their borders.
    text = page(480, 640, size_px=14)
    huge = np.full((640, 4480, 3), 255, np.uint8)
    lefts = range(150, 4480 - 480, 700)
    for left in lefts:
        huge[:, left : left + 480] = text
    one, all_of_them = density.score(text), density.score(huge)
    assert all_of_them["chars_est"] == pytest.approx(len(lefts) * one["chars_est"], rel=0.03)
    assert all_of_them["max_chars_per_256_tile"] == pytest.approx(
        one["max_chars_per_256_tile"], rel=0.25
    )


@pytest.mark.parametrize("turn", (0, 1))
def test_a_line_across_blocks_is_shown_in_parts_that_meet(density: TextDensity, turn: int) -> None:
    rgb = np.ascontiguousarray(np.rot90(page(800, 120, size_px=20), turn))
    _, lines = density.score_with_lines(rgb)
    drawn = np.zeros(rgb.shape[:2], np.uint8)
    for polygon in lines:
        once = np.zeros_like(drawn)
        cv2.fillPoly(once, [np.round(polygon).astype(np.int32)], 1)
        drawn += once
    assert len(lines) > 2 and (drawn > 0).mean() > 0.3
    # Rounding to whole points of 8 px aside, nothing is shown twice.
    assert (drawn > 1).sum() < 0.04 * (drawn > 0).sum()


@pytest.mark.parametrize("content", (None, b"", b"no network"))
def test_a_network_that_is_missing_or_broken_is_named(
    tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "screen.onnx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(OcrUnavailable, match=r"screen\.onnx.*install"):
        network.load(path)
