from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover
from renderers.layout.sheet import Line, Placed
from renderers.setting.lines import CENTER, JUSTIFY, LEFT, RIGHT
from renderers.setting.shaping import Shaper
from renderers.setting.typesetting import Galley, Lines
from tests.tiny_font import CHINESE, write_font

PROSE = "The quick brown fox jumps over the lazy dog, then rests (for a while) in the shade."
HAN = "春眠不觉晓，处处闻啼鸟。夜来风雨声，花落知多少？（孟浩然《春晓》）白日依山尽。"


@pytest.fixture(scope="module")
def face(tmp_path_factory: pytest.TempPathFactory) -> Face:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "all.ttf", ASCII_PRINTABLE + CHINESE)
    return discover([folder], cache=folder / "cache")[0]


def _set(face: Face, text: str, size_px: int, room: float, **style: Any) -> list[Line]:
    galley = Galley(Shaper(), [face])
    return _shown(galley, galley.set(galley.write([text]), room, size_px=size_px, **style))


def _shown(galley: Galley, lines: Lines) -> list[Line]:
    nowhere = np.zeros(len(lines.rows), dtype=np.int32)
    return list(Placed(galley, lines.rows, nowhere, nowhere))


def _lengths(face: Face, text: str, size_px: int, room: float, **style: Any) -> list[float]:
    galley = Galley(Shaper(), [face])
    lines = galley.set(galley.write([text]), room, size_px=size_px, **style)
    return lines.length_px.tolist()


@pytest.mark.parametrize("text", [PROSE, HAN, HAN + PROSE])
@pytest.mark.parametrize("width", [40, 97, 180])
@pytest.mark.parametrize("align", ["left", "justify", "right", "center"])
def test_lines_fit_and_lose_nothing(face: Face, text: str, width: int, align: str) -> None:
    lines = _set(face, text, 10, width, align=align)
    assert "".join(line.text for line in lines).replace(" ", "") == text.replace(" ", "")
    for line, length in zip(lines, _lengths(face, text, 10, width, align=align), strict=True):
        assert length <= width + 1e-6 or len(line.text) == 1
        assert line.spots[:, 0].min() >= 0
        assert len(line.glyphs) == len(line.clusters) == len(line.text)


def test_a_word_longer_than_the_line_is_broken(face: Face) -> None:
    lines = _set(face, "x" * 200, 8, 50)
    assert len(lines) > 3
    assert max(_lengths(face, "x" * 200, 8, 50)) <= 50
    assert "".join(line.text for line in lines) == "x" * 200


def test_justified_lines_end_at_the_edge_and_the_last_one_does_not(face: Face) -> None:
    lengths = _lengths(face, PROSE * 3, 10, 200, align="justify")
    assert np.mean([length == 200 for length in lengths[:-1]]) > 0.7
    assert lengths[-1] < 200


def test_whole_pixels_mean_whole_positions(face: Face) -> None:
    for line in _set(face, PROSE, 7, 90, align="justify"):
        assert np.array_equal(line.spots, np.round(line.spots))


def test_the_first_line_is_indented(face: Face) -> None:
    first, second, *_ = _set(face, PROSE, 10, 120, indent_px=20)
    assert first.spots[0, 0] - second.spots[0, 0] == 20


def test_ragged_lines_take_their_shares(face: Face) -> None:
    lengths = _lengths(face, PROSE * 5, 10, 200, shares=np.array([1.0, 0.5]))
    assert max(lengths[1::2]) <= 100 < min(lengths[:-1:2])


def test_a_batch_is_set_as_its_texts_one_by_one(face: Face) -> None:
    texts, rooms = [PROSE, HAN, "a", PROSE * 2], np.array([60.0, 90.0, 40.0, 150.0])
    sizes, most = np.array([8, 12, 10, 9]), np.array([2, 9, 9, 3])
    aligns = np.array([LEFT, RIGHT, CENTER, JUSTIFY])
    galley = Galley(Shaper(), [face])
    lines = galley.set(
        galley.write(texts), rooms, size_px=sizes, align=aligns, max_lines=most, indent_px=3.0
    )
    batch = iter(_shown(galley, lines))
    for text, room, size, align, few in zip(texts, rooms, sizes, aligns, most, strict=True):
        alone = Galley(Shaper(), [face])
        own = alone.set(
            alone.write([text]),
            float(room),
            size_px=int(size),
            align=np.array([align]),
            max_lines=int(few),
            indent_px=3.0,
        )
        for one in _shown(alone, own):
            other = next(batch)
            assert (one.text, one.size_px) == (other.text, other.size_px)
            assert np.array_equal(one.spots, other.spots)
    assert next(batch, None) is None
    assert lines.counts(5).tolist()[:1] == [2] and lines.counts(5)[4] == 0
    assert np.flatnonzero(lines.firsts()).tolist() == [
        int(np.flatnonzero(lines.of == text)[0]) for text in range(4)
    ]


def test_headings_take_their_face_where_it_covers_them(face: Face, tmp_path: Path) -> None:
    write_font(tmp_path / "latin.ttf", ASCII_PRINTABLE)
    (latin,) = discover([tmp_path], cache=tmp_path / "cache")
    galley = Galley(Shaper(), [face, latin])
    texts = galley.write(["plain", "heading", "春眠"])
    heading = np.array([False, True, True])
    lines = galley.set(texts, 500.0, size_px=9, heading=heading)
    assert [line.face for line in _shown(galley, lines)] == [face, latin, face]


def test_no_line_of_chinese_begins_with_a_pause(face: Face) -> None:
    for width in range(30, 130, 7):
        for line in _set(face, HAN * 5, 10, width):
            assert line.text[0] not in "，。？）》"
            assert line.text[-1] not in "（《" or len(line.text) == 1


def test_a_galley_that_grows_keeps_what_was_set(face: Face) -> None:
    texts = (PROSE, "a", HAN, PROSE * 4)
    pages = []
    for room in (8, 1 << 13):
        galley = Galley(Shaper(), [face], room=room)
        pages.append(
            [_shown(galley, galley.set(galley.write([t]), 100.0, size_px=9)) for t in texts]
        )
    small, large = (sum(page, []) for page in pages)
    for one, two in zip(small, large, strict=True):
        assert one.text == two.text
        assert np.array_equal(one.glyphs, two.glyphs)
        assert np.array_equal(one.clusters, two.clusters)
        assert np.array_equal(one.spots, two.spots)


@pytest.mark.parametrize("text", ["Hello, world", HAN, "x", ""])
@pytest.mark.parametrize("vertical", [False, True])
def test_glyphs_are_those_of_uharfbuzz(face: Face, text: str, vertical: bool) -> None:
    hb = pytest.importorskip("uharfbuzz")
    font = hb.Font(hb.Face(hb.Blob.from_file_path(str(face.path)), face.index))
    buffer = hb.Buffer()
    buffer.add_str(text)
    buffer.guess_segment_properties()
    buffer.direction = "ttb" if vertical else "ltr"
    buffer.language = "zh-hans" if "zh" in face.languages else "en"
    hb.shape(font, buffer)
    units = font.face.upem
    galley = Galley(Shaper(), [face], whole_px=False)
    lines = galley.set(galley.write([text]), 9e9, size_px=units, vertical=vertical)
    shown = _shown(galley, lines)
    assert len(shown) == bool(text)
    for line in shown:
        assert line.glyphs.tolist() == [info.codepoint for info in buffer.glyph_infos]
        assert line.clusters.tolist() == [info.cluster for info in buffer.glyph_infos]
        pen, spots = 0, []
        for x, y, right, up in (place.position for place in buffer.glyph_positions):
            spots.append([x, pen - y] if vertical else [pen + x, -y])
            pen += -up if vertical else right
        assert line.spots == pytest.approx(np.array(spots))


def test_a_mark_stays_with_its_letter(tmp_path: Path) -> None:
    write_font(tmp_path / "marks.ttf", ASCII_PRINTABLE + CHINESE + "\u0301\u0302")
    (marked,) = discover([tmp_path], cache=tmp_path / "cache")
    text = "中\u0301文q\u0301\u0302b-\u0301" * 9
    for room in (11, 37, 90):
        for align in ("left", "justify"):
            galley = Galley(Shaper(), [marked], tracking_px=2.0)
            texts = galley.write([text])
            for line in _shown(galley, galley.set(texts, room, size_px=12, align=align)):
                assert line.text[0] not in "\u0301\u0302"
                begins = np.flatnonzero(np.diff(line.clusters, prepend=-1))
                # Within a cluster nothing opens: neither tracking nor the gaps of justified lines.
                free = Galley(Shaper(), [marked])
                plain = _shown(free, free.set(free.write([line.text]), 9e9, size_px=12))[0]
                for first, last in zip(begins, [*begins[1:], len(line.clusters)], strict=True):
                    own, other = line.spots[first:last, 0], plain.spots[first:last, 0]
                    assert np.allclose(own - own[0], other - other[0], atol=1.01)


def test_a_page_of_one_face_has_it_for_headings_too(face: Face) -> None:
    galley = Galley(Shaper(), [face])
    lines = galley.set(galley.write(["one"]), 500.0, size_px=9, heading=True)
    assert [line.face for line in _shown(galley, lines)] == [face]


def test_a_face_that_is_not_there_is_refused(face: Face) -> None:
    for number in (1, -1):
        with pytest.raises(ValueError, match="face is one of 0 to 0"):
            Galley(Shaper(), [face]).write(["one"], number)
