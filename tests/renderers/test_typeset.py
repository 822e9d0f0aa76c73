from __future__ import annotations

import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.shaping import Shaper
from renderers.typeset import Style, set_lines
from tests.tiny_font import CHINESE, write_font

PROSE = "The quick brown fox jumps over the lazy dog, then rests (for a while) in the shade."
HAN = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少？（孟浩然《春晓》）白日依山尽。"


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "all.ttf", ASCII_PRINTABLE + CHINESE)
    return discover([folder], cache=folder / "cache")[0]


@pytest.mark.parametrize("text", [PROSE, HAN, HAN + PROSE])
@pytest.mark.parametrize("width", [40, 97, 180])
@pytest.mark.parametrize("align", ["left", "justify", "right", "center"])
def test_lines_fit_and_lose_nothing(face: Face, text: str, width: int, align: str) -> None:
    run = Shaper().shape(face, text)
    strips = set_lines(run, Style(size_px=10, align=align), lambda _: width)
    assert "".join(s.text for s in strips).replace(" ", "") == text.replace(" ", "")
    for strip in strips:
        assert strip.length_px <= width + 1e-6 or len(strip.text) == 1
        assert strip.x.min() >= 0
        assert len(strip.glyphs) == len(strip.clusters) == len(strip.text)


def test_a_word_longer_than_the_line_is_broken(face: Face) -> None:
    run = Shaper().shape(face, "x" * 200)
    strips = set_lines(run, Style(size_px=8), lambda _: 50)
    assert len(strips) > 3
    assert max(s.length_px for s in strips) <= 50
    assert "".join(s.text for s in strips) == "x" * 200


def test_justified_lines_end_at_the_edge_and_the_last_one_does_not(face: Face) -> None:
    run = Shaper().shape(face, PROSE * 3)
    strips = set_lines(run, Style(size_px=10, align="justify"), lambda _: 200)
    assert np.mean([s.length_px == 200 for s in strips[:-1]]) > 0.7
    assert strips[-1].length_px < 200


def test_whole_pixels_mean_whole_positions(face: Face) -> None:
    run = Shaper().shape(face, PROSE)
    for strip in set_lines(run, Style(size_px=7, align="justify"), lambda _: 90):
        assert np.array_equal(strip.x, np.round(strip.x))


def test_the_first_line_is_indented(face: Face) -> None:
    run = Shaper().shape(face, PROSE)
    first, second, *_ = set_lines(run, Style(size_px=10, indent_px=20), lambda _: 120)
    assert first.x[0] - second.x[0] == 20


def test_no_line_of_chinese_begins_with_a_pause(face: Face) -> None:
    run = Shaper().shape(face, HAN * 5)
    for width in range(30, 130, 7):
        for strip in set_lines(run, Style(size_px=10), lambda _, w=width: w):
            assert strip.text[0] not in "，。？）》"
            assert strip.text[-1] not in "（《" or len(strip.text) == 1
