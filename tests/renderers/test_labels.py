from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.compose import Characters
from renderers.labels import Labels
from renderers.layout.sheet import Line
from renderers.shaping import Shaper
from renderers.typeset import Galley
from tests.tiny_font import write_font

TEXT = 'say "hi" \\ to\tÜber 汉字 😀 now'


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "a.ttf", ASCII_PRINTABLE)
    return discover([folder], cache=folder / "cache")[0]


def _labels(face: Face) -> Labels:
    strips = Galley(Shaper()).set(face, TEXT, 10, 1000.0)
    count = len(TEXT)
    rng = np.random.default_rng(3)
    boxes = rng.integers(0, 3000, size=(count, 4), dtype=np.int32)
    shared = np.arange(count) % 3 == 0
    boxes[~shared] *= 100
    boxes[:, 1::2] = boxes[:, 1::2] // 100 * 100
    boxes[0] = 1200, 0, 1250, 100
    return Labels(
        lines=[Line(strip, 3, 9) for strip in strips],
        characters=Characters(
            np.arange(count, dtype=np.int32), np.array([count], dtype=np.int32), boxes, shared
        ),
        line_boxes=np.array([[3, 1, 290, 12]], dtype=np.int32),
        colours=np.array([[1, 20, 255]], dtype=np.uint8),
        contrasts=np.array([4.56789]),
        facts={"layout": "table", "fonts": {face.key: {"name": "Tiny “Ü”"}}},
    )


def test_the_json_is_that_of_the_lists(face: Face) -> None:
    labels = _labels(face)
    plain = labels.to_dict()
    assert plain["lines"][0]["box"] == [3, 1, 290, 12]
    assert plain["lines"][0]["chars"][0] == ["s", 12.0, 0, 12.5, 1]
    assert json.loads(labels.to_json(background="a/b")) == plain | {"background": "a/b"}
    written = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    # Alone the tab has two ways to be written.
    assert labels.to_json().replace("\\u0009", "\\t") == written


def test_a_page_without_lines_has_a_label() -> None:
    none = np.zeros(0, dtype=np.int32)
    labels = Labels(
        lines=[],
        characters=Characters(none, none, none.reshape(0, 4), none.astype(bool)),
        line_boxes=none.reshape(0, 4),
        colours=np.zeros((0, 3), dtype=np.uint8),
        contrasts=np.zeros(0),
        facts={"left_out": 0},
    )
    assert labels.to_dict() == json.loads(labels.to_json()) == {"lines": [], "left_out": 0}


def test_reading_through_objects_gives_the_same_glyphs(face: Face, tmp_path: Path) -> None:
    for text in ("Hello, world", TEXT, "x", ""):
        for vertical in (False, True):
            one, two = (
                Galley(Shaper(native=native)).set(face, text, 12, 30.0, vertical=vertical)
                for native in (True, False)
            )
            assert [strip.text for strip in one] == [strip.text for strip in two]
            for strip, other in zip(one, two, strict=True):
                assert np.array_equal(strip.glyphs, other.glyphs)
                assert np.array_equal(strip.clusters, other.clusters)
                assert np.array_equal(strip.x, other.x)
                assert np.array_equal(strip.y, other.y)
                assert strip.length_px == other.length_px
