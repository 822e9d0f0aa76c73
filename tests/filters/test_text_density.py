from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from filters.ocr.engine import Line, Polygons, Rgb
from filters.ocr.rapid import RapidOcrEngine
from filters.text_density import TextDensity, find_lines, line, screen
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


def bars(width: int, height: int) -> Rgb:
    """Dark bars 5 px high and 36 px long, one below the other every 16 px."""
    rgb = np.full((height, width, 3), 255, np.uint8)
    for y in range(4, height - 8, 16):
        rgb[y : y + 5] = 0
    for x in range(4):
        rgb[:, x::40] = 255
    return rgb


@pytest.fixture(scope="module")
def density() -> TextDensity:
    return TextDensity(RapidOcrEngine())


def test_no_text_is_zero_everywhere_and_never_nan(density: TextDensity) -> None:
    for rgb in (np.zeros((64, 64, 3), np.uint8), np.full((300, 520, 3), 200, np.uint8)):
        scores = density.score(rgb)
        assert scores.pop("text_stage") == "screen"
        assert not np.any(scores.pop("text_cells"))
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
    before = screen.chances(to_luma(rgb), 256)[0, 0]
    assert before < 0.1
    colour = tuple(int(c) for c in np.clip(rgb[120:140].mean(axis=(0, 1)) + 70, 0, 255))
    for y in range(40, 240, 16):
        cv2.putText(rgb, "small print all over", (20, y), cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1)
    assert screen.chances(to_luma(rgb), 256)[0, 0] > 0.5


def test_lines_are_counted_by_their_looks() -> None:
    rgb = page(420, 80, size_px=20)
    polygon = find_lines(RapidOcrEngine(), rgb)[0]
    chars, em_px, han, text = line.estimate(to_luma(rgb), [polygon])[0]
    assert 12 < chars < 60 and 8 < em_px < 30 and han < 0.5 < text
    assert line.estimate(to_luma(rgb), []).shape == (0, 4)


@pytest.mark.parametrize("turn", (0, 1))
def test_a_line_is_laid_down_before_it_is_looked_at(turn: int) -> None:
    rgb = np.rot90(page(300, 40, size_px=20), turn)
    height, width = rgb.shape[:2]
    polygon = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    lying = line.upright(to_luma(np.ascontiguousarray(rgb)), polygon)
    assert lying.shape == (24, 180)


@pytest.mark.parametrize("size", ((256, 256), (1100, 700), (700, 1100)))
def test_nothing_counts_twice_and_cells_add_up(size: tuple[int, int]) -> None:
    width, height = size
    scores = TextDensity(Ruler()).score(bars(width, height))
    cells = np.array(scores["text_cells"])
    assert len(cells) == -(-width // 256) * -(-height // 256)
    assert cells.sum() == pytest.approx(scores["chars_est"])
    # Bars are the same everywhere: the whole has as many per area as any full cell.
    grid: NDArray[np.float64] = cells.reshape(-(-height // 256), -1)
    per_px = grid[0, 0] / 256**2
    assert per_px > 0
    assert scores["chars_est"] / (width * height) == pytest.approx(per_px, rel=0.15)
    assert scores["max_chars_per_256_tile"] >= cells.max() - 1e-6


def test_cells_say_where_the_text_is() -> None:
    rgb = np.full((512, 768, 3), 255, np.uint8)
    rgb[256:, 512:] = bars(256, 256)
    cells = np.array(TextDensity(Ruler()).score(rgb)["text_cells"]).reshape(2, 3)
    assert cells[1, 2] > 0 and np.count_nonzero(cells) == 1


def test_version_names_engine_and_screen() -> None:
    version = TextDensity(Ruler()).version
    assert "ruler" in version
    assert all(weights.sha256[:16] in version for weights in screen.load())


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
