from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.layout.sheet import Placed
from renderers.page.compose import Characters
from renderers.page.labels import Labels
from renderers.setting.shaping import Shaper
from renderers.setting.typesetting import Galley
from tests.tiny_font import write_font

TEXT = 'say "hi" \\ to\tÜber 汉字 😀 now'


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "a.ttf", ASCII_PRINTABLE)
    return discover([folder], cache=folder / "cache")[0]


def _labels(face: Face) -> Labels:
    galley = Galley(Shaper(), [face])
    rows = galley.set(galley.write([TEXT]), 1000.0, size_px=10).rows
    count = len(TEXT)
    rng = np.random.default_rng(3)
    boxes = rng.integers(0, 3000, size=(count, 4), dtype=np.int32)
    shared = np.arange(count) % 3 == 0
    boxes[~shared] *= 100
    boxes[:, 1::2] = boxes[:, 1::2] // 100 * 100
    boxes[0] = 1200, 0, 1250, 100
    return Labels(
        lines=Placed(galley, rows, np.full(1, 3, dtype=np.int32), np.full(1, 9, dtype=np.int32)),
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


def test_the_table_json_is_that_of_the_lists_with_names(face: Face) -> None:
    labels = _labels(face)
    labels.facts["recipe"] = {"size_px": 10}
    lists = labels.to_dict()["lines"]
    table = json.loads(labels.to_table_json(key="k"))
    assert (table["key"], json.loads(table["recipe"])) == ("k", {"size_px": 10})
    assert table["fonts"] == [{"face": face.key, "name": "Tiny “Ü”"}]
    for line, own in zip(lists, table["lines"], strict=True):
        chars = own.pop("chars")
        assert [[char["char"], *char["box"]] for char in chars] == line.pop("chars")
        assert all(type(side) is float for char in chars for side in char["box"])
        assert own == line


def test_a_warped_line_has_its_quad_in_both(face: Face) -> None:
    quads = np.array([[1.5, -0.25, 290.128, 3.0, 288.0, 14.0, 2.005, 12.0]])
    labels = replace(_labels(face), quads=quads, scales=np.array([1.037]))
    (line,) = labels.to_dict()["lines"]
    assert line["em_px"] == 10.37
    assert line["quad"] == pytest.approx(quads[0], abs=0.0051)
    assert json.loads(labels.to_json())["lines"] == [line]


def test_a_page_without_lines_has_a_label(face: Face) -> None:
    none = np.zeros(0, dtype=np.int32)
    labels = Labels(
        lines=Placed(Galley(Shaper(), [face]), none, none, none),
        characters=Characters(none, none, none.reshape(0, 4), none.astype(bool)),
        line_boxes=none.reshape(0, 4),
        colours=np.zeros((0, 3), dtype=np.uint8),
        contrasts=np.zeros(0),
        facts={"left_out": 0},
    )
    assert labels.to_dict() == json.loads(labels.to_json()) == {"lines": [], "left_out": 0}
