from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.shaping import Shaper
from renderers.typeset import Galley, Strip
from tests.tiny_font import CHINESE, write_font

PROSE = "The quick brown fox jumps over the lazy dog, then rests (for a while) in the shade."
HAN = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少？（孟浩然《春晓》）白日依山尽。"


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "all.ttf", ASCII_PRINTABLE + CHINESE)
    return discover([folder], cache=folder / "cache")[0]


def _set(face: Face, text: str, size_px: int, lengths: Any, **style: Any) -> list[Strip]:
    return Galley(Shaper()).set(face, text, size_px, lengths, **style)


@pytest.mark.parametrize("text", [PROSE, HAN, HAN + PROSE])
@pytest.mark.parametrize("width", [40, 97, 180])
@pytest.mark.parametrize("align", ["left", "justify", "right", "center"])
def test_lines_fit_and_lose_nothing(face: Face, text: str, width: int, align: str) -> None:
    strips = _set(face, text, 10, lambda _: width, align=align)
    assert "".join(s.text for s in strips).replace(" ", "") == text.replace(" ", "")
    for strip in strips:
        assert strip.length_px <= width + 1e-6 or len(strip.text) == 1
        assert strip.x.min() >= 0
        assert len(strip.glyphs) == len(strip.clusters) == len(strip.text)


def test_a_word_longer_than_the_line_is_broken(face: Face) -> None:
    strips = _set(face, "x" * 200, 8, lambda _: 50)
    assert len(strips) > 3
    assert max(s.length_px for s in strips) <= 50
    assert "".join(s.text for s in strips) == "x" * 200


def test_justified_lines_end_at_the_edge_and_the_last_one_does_not(face: Face) -> None:
    strips = _set(face, PROSE * 3, 10, lambda _: 200, align="justify")
    assert np.mean([s.length_px == 200 for s in strips[:-1]]) > 0.7
    assert strips[-1].length_px < 200


def test_whole_pixels_mean_whole_positions(face: Face) -> None:
    for strip in _set(face, PROSE, 7, lambda _: 90, align="justify"):
        assert np.array_equal(strip.x, np.round(strip.x))


def test_the_first_line_is_indented(face: Face) -> None:
    first, second, *_ = _set(face, PROSE, 10, lambda _: 120, indent_px=20)
    assert first.x[0] - second.x[0] == 20


def test_no_line_of_chinese_begins_with_a_pause(face: Face) -> None:
    for width in range(30, 130, 7):
        for strip in _set(face, HAN * 5, 10, width):
            assert strip.text[0] not in "，。？）》"
            assert strip.text[-1] not in "（《" or len(strip.text) == 1


def test_a_galley_that_grows_keeps_what_was_set(face: Face) -> None:
    small, large = Galley(Shaper(), room=8), Galley(Shaper())
    texts = (PROSE, "a", HAN, PROSE * 4)
    grown, roomy = (
        [strip for text in texts for strip in galley.set(face, text, 9, 100.0)]
        for galley in (small, large)
    )
    for one, two in zip(grown, roomy, strict=True):
        assert (one.text, one.first, one.last) == (two.text, two.first, two.last)
        assert np.array_equal(one.glyphs, two.glyphs)
        assert np.array_equal(one.x, two.x)
