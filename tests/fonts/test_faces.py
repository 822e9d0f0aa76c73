from __future__ import annotations

from pathlib import Path

import pytest

from fonts.faces import covering, discover, scan, writing
from tests.tiny_font import CHINESE, write_font, write_variable_font


def test_only_real_glyphs_count(tmp_path: Path) -> None:
    write_font(tmp_path / "a.ttf", "abc一", blank="丁", tofu="七")
    (face,) = discover([tmp_path], cache=tmp_path / "cache")
    assert face.covers("a b c一")
    assert not face.covers("丁")
    assert not face.covers("七")
    assert not face.covers("d")


def test_a_placeholder_shared_by_many_characters_does_not_count(tmp_path: Path) -> None:
    from fontTools.ttLib import TTFont

    path = write_font(tmp_path / "a.ttf", "ab")
    font = TTFont(path)
    for table in font["cmap"].tables:
        table.cmap.update(dict.fromkeys(range(0x4E00, 0x4E40), "g0"))
    font.save(path)
    (face,) = discover([tmp_path], cache=tmp_path / "cache")
    assert face.covers("b")
    assert not face.covers("一")


def test_covering_keeps_faces_with_every_character(tmp_path: Path) -> None:
    write_font(tmp_path / "a.ttf", "abc", family="A")
    write_font(tmp_path / "b.ttf", "abcd", family="B")
    faces = discover([tmp_path], cache=tmp_path / "cache")
    assert [face.family for face in covering(faces, "cab")] == ["A", "B"]
    assert [face.family for face in covering(faces, "abcd")] == ["B"]


def test_languages_follow_coverage_and_region(tmp_path: Path) -> None:
    from fonts.charsets import ASCII_PRINTABLE

    write_font(tmp_path / "en.ttf", family="Latin")
    write_font(tmp_path / "sc.ttf", ASCII_PRINTABLE + CHINESE, family="Han SC")
    write_font(tmp_path / "jp.ttf", ASCII_PRINTABLE + CHINESE + "々", family="Han JP")
    write_font(tmp_path / "part.ttf", ASCII_PRINTABLE + CHINESE[100:], family="Part")
    faces = discover([tmp_path], cache=tmp_path / "cache")
    assert {face.family for face in writing(faces, "zh")} == {"Han SC"}
    assert {face.family for face in writing(faces, "mixed")} == {"Han SC"}
    assert {face.family for face in writing(faces, "en")} == {"Latin", "Han SC", "Part"}


def test_licence_and_embedding_are_read(tmp_path: Path) -> None:
    write_font(tmp_path / "a.ttf", "ab", fs_type=0)
    write_font(tmp_path / "b.ttf", "abc", fs_type=2)
    free, restricted = discover([tmp_path], cache=tmp_path / "cache")
    assert free.licence == restricted.licence == "OFL-1.1"
    assert free.embeddable
    assert not restricted.embeddable


@pytest.mark.parametrize("damage", ["empty", "text", "cut", "zeros"])
def test_a_broken_file_has_a_reason_and_hides_nothing(tmp_path: Path, damage: str) -> None:
    data = write_font(tmp_path / "good.ttf", "ab").read_bytes()
    broken = {
        "empty": b"",
        "text": b"not a font at all " * 40,
        "cut": data[: len(data) // 3],
        "zeros": data[:64] + bytes(len(data) - 64),
    }[damage]
    (tmp_path / "bad.ttf").write_bytes(broken)
    found = scan([tmp_path], cache=tmp_path / "cache")
    assert [face.path.name for face in found.faces] == ["good.ttf"]
    assert list(found.broken) == [tmp_path / "bad.ttf"]
    assert "not a usable font" in found.broken[tmp_path / "bad.ttf"]


def test_the_cache_gives_the_same_faces(tmp_path: Path) -> None:
    write_font(tmp_path / "a.ttf")
    first = discover([tmp_path], cache=tmp_path / "cache")
    assert discover([tmp_path], cache=tmp_path / "cache") == first
    again = discover([tmp_path], cache=tmp_path / "cache")
    assert again[0].coverage == first[0].coverage


def test_the_same_file_twice_is_one_face(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        write_font(tmp_path / folder / "a.ttf", "ab").touch()
    data = (tmp_path / "one" / "a.ttf").read_bytes()
    (tmp_path / "two" / "a.ttf").write_bytes(data)
    assert len(discover([tmp_path], cache=tmp_path / "cache")) == 1


def test_a_variable_font_is_listed_by_its_instances(tmp_path: Path) -> None:
    write_variable_font(tmp_path / "a.ttf")
    regular, bold = discover([tmp_path], cache=tmp_path / "cache")
    assert (regular.name, regular.weight) == ("Vary Regular", 400)
    assert (bold.name, bold.weight) == ("Vary Bold", 700)
    assert [face.key.split("@")[0] for face in (regular, bold)] == ["a.ttf#0.1", "a.ttf#0.2"]


def test_heights_are_those_of_the_outlines(tmp_path: Path) -> None:
    write_font(tmp_path / "a.ttf", "xyz国")
    write_font(tmp_path / "b.ttf", "abc")
    both, neither = discover([tmp_path], cache=tmp_path / "cache")
    # The frames of the first and the fourth character: 500 and 503 of 1000, the first 150 deeper.
    assert (both.x_height_em, both.han_height_em) == (0.65, 0.503)
    assert (neither.x_height_em, neither.han_height_em) == (0.0, 0.0)


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="nowhere"):
        discover([tmp_path / "nowhere"])
