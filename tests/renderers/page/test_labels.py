from __future__ import annotations

import json
from dataclasses import replace
from io import BytesIO

import numpy as np
import pyarrow.json
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.layout.sheet import Placed
from renderers.page.labels import Labels
from renderers.setting.shaping import Shaper
from renderers.setting.typesetting import Galley
from tests.tiny_font import CHINESE, write_font

TEXT = 'say "hi" \\ to\tÜber 汉字 😀 now'


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "a.ttf", ASCII_PRINTABLE + CHINESE)
    return discover([folder], cache=folder / "cache")[0]


def _labels(face: Face, text: str = TEXT) -> Labels:
    galley = Galley(Shaper(), [face])
    rows = galley.set(galley.write([text]), 1000.0, size_px=10).rows
    boxes = np.random.default_rng(3).integers(0, 3000, size=(len(text), 4), dtype=np.int32)
    return Labels(
        lines=Placed(galley, rows, np.full(1, 3, dtype=np.int32), np.full(1, 9, dtype=np.int32)),
        boxes=boxes,
        line_boxes=np.array([[3, 1, 290, 12]], dtype=np.int32),
        colours=np.array([[1, 20, 255]], dtype=np.uint8),
        contrasts=np.array([4.56789]),
        facts={"layout": "table", "fonts": [{"face": face.key, "name": "Tiny “Ü”"}]},
    )


def test_a_line_has_a_box_for_every_character(face: Face) -> None:
    labels = _labels(face)
    label = json.loads(labels.to_json(background="a/b"))
    (line,) = label.pop("lines")
    assert label == labels.facts | {"background": "a/b"}
    assert line["text"] == TEXT
    assert line["boxes"] == labels.boxes.tolist()
    assert line["box"] == [3, 1, 290, 12]
    assert line["contrast"] == 4.568
    assert labels.to_dict()["lines"] == [line]


def test_a_line_of_a_flat_page_has_the_corners_of_its_box(face: Face) -> None:
    (line,) = _labels(face).to_dict()["lines"]
    assert line["quad"] == [3, 1, 290, 1, 290, 12, 3, 12]
    assert line["em_px"] == line["size_px"] == 10


def test_a_warped_line_has_its_corners_and_its_size(face: Face) -> None:
    quads = np.array([[1.5, -0.25, 290.128, 3.0, 288.0, 14.0, 2.005, 12.0]])
    labels = replace(_labels(face), quads=quads, scales=np.array([1.037]))
    (line,) = labels.to_dict()["lines"]
    assert line["em_px"] == 10.37
    assert line["quad"] == pytest.approx(quads[0], abs=0.0051)


def test_flat_and_warped_lines_have_the_same_types(face: Face) -> None:
    flat = _labels(face)
    warped = replace(flat, quads=np.full((1, 8), 2.5), scales=np.ones(1))
    tables = [pyarrow.json.read_json(BytesIO(labels.to_json())) for labels in (flat, warped)]
    assert tables[0].schema == tables[1].schema


@pytest.mark.parametrize(("text", "height"), [("plain", "x_height_em"), ("汉字a", "han_height_em")])
def test_the_height_of_letters_is_that_of_the_script(face: Face, text: str, height: str) -> None:
    (line,) = _labels(face, text).to_dict()["lines"]
    assert line["x_height_px"] == round(10 * getattr(face, height), 2)


def test_a_page_without_lines_has_a_label(face: Face) -> None:
    none = np.zeros(0, dtype=np.int32)
    labels = Labels(
        lines=Placed(Galley(Shaper(), [face]), none, none, none),
        boxes=none.reshape(0, 4),
        line_boxes=none.reshape(0, 4),
        colours=np.zeros((0, 3), dtype=np.uint8),
        contrasts=np.zeros(0),
        facts={"left_out": 0},
    )
    assert labels.to_dict() == {"lines": [], "left_out": 0}
    assert (labels.inked(), labels.shown()) == (0, set())
