"""Inputs that are broken or lie, through the command line: words for people, never a traceback."""

from __future__ import annotations

import json
import struct
from pathlib import Path

import cv2
import pytest

from renderers import synth_text
from tests.pictures import scene
from tests.tiny_font import write_font

PROSE = "The rain had stopped by noon, and the roofs of the old mill were steaming.\n\n" * 3


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for name in ("fonts", "photos"):
        (tmp_path / name).mkdir()
    cv2.imwrite(str(tmp_path / "photos" / "a.png"), scene(300, 280))
    (tmp_path / "text.txt").write_text(PROSE, encoding="utf-8")
    return tmp_path


def _run(place: Path, *more: str) -> int:
    return synth_text.main(
        [
            *("--lang", "en", "--canvas", "256", "--count", "2", "--format", "jpg"),
            *("--fonts", str(place / "fonts"), "--backgrounds", str(place / "photos")),
            *("--texts", str(place / "text.txt"), "--out", str(place / "out"), *more),
        ]
    )


def _changed(font: bytes, table: bytes, at: int, new: bytes) -> bytes:
    """`font` with other bytes from `at` on in one of its tables."""
    for row in range(12, 12 + 16 * struct.unpack(">H", font[4:6])[0], 16):
        if font[row : row + 4] == table:
            start = struct.unpack(">I", font[row + 8 : row + 12])[0] + at
            return font[:start] + new + font[start + len(new) :]
    raise KeyError(table)


# What cannot be used at all, and why; tables that lie about their own size or each other.
BROKEN = {
    "nothing": lambda font: b"",
    "words": lambda font: b"no font",
    "noise": lambda font: bytes(range(256)) * 40,
    "a header": lambda font: font[:12],
    "a half": lambda font: font[: len(font) // 2],
    "tables without number": lambda font: font[:4] + b"\xff\xff" + font[6:],
    "a table beyond the end": lambda font: font[:20] + b"\xff\xff\xff\xf0" + font[24:],
    "an endless table": lambda font: font[:24] + b"\x7f\xff\xff\xff" + font[28:],
    "no em": lambda font: _changed(font, b"head", 18, b"\0\0"),
    "no characters": lambda font: _changed(font, b"cmap", 0, b"\xff" * 60),
    "outlines elsewhere": lambda font: _changed(font, b"loca", 4, b"\xff" * 160),
    "outlines without end": lambda font: _changed(font, b"glyf", 0, b"\x7f\xff" * 200),
}
# What does no harm: the rest of the font is as it says.
HARMLESS = {
    "too many glyphs": lambda font: _changed(font, b"maxp", 4, b"\xff\xff"),
    "too many widths": lambda font: _changed(font, b"hhea", 34, b"\xff\xff"),
}


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_font_alone_is_an_error_in_words(
    place: Path, damage: str, capsys: pytest.CaptureFixture[str]
) -> None:
    font = write_font(place / "good.ttf").read_bytes()
    (place / "fonts" / "bad.ttf").write_bytes(BROKEN[damage](font))
    assert _run(place) == 1
    said = capsys.readouterr().err
    assert "no usable font" in said or "none of the 1 faces writes en" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("damage", BROKEN)
def test_a_broken_font_beside_a_good_one_changes_nothing(place: Path, damage: str) -> None:
    font = write_font(place / "fonts" / "good.ttf").read_bytes()
    assert _run(place, "--out", str(place / "without")) == 0
    (place / "fonts" / "bad.ttf").write_bytes(BROKEN[damage](font))
    assert _run(place, "--out", str(place / "with")) == 0
    for path in (place / "without").iterdir():
        assert (place / "with" / path.name).read_bytes() == path.read_bytes()


@pytest.mark.parametrize("damage", HARMLESS)
def test_a_font_that_lies_harmlessly_is_drawn_as_it_is(place: Path, damage: str) -> None:
    font = write_font(place / "fonts" / "a.ttf").read_bytes()
    assert _run(place, "--out", str(place / "true")) == 0
    (place / "fonts" / "a.ttf").write_bytes(HARMLESS[damage](font))
    assert _run(place, "--out", str(place / "lie")) == 0
    for path in (place / "true").glob("*.jpg"):
        assert (place / "lie" / path.name).read_bytes() == path.read_bytes()


def test_a_label_that_is_no_label_is_an_error_in_words(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_font(place / "fonts" / "a.ttf")
    for text in ("", "[]", "{}", '{"recipe": {"version": 1}}', '{"recipe": 3, "background": 4}'):
        (place / "label.json").write_text(text, encoding="utf-8")
        assert _run(place, "--replay", str(place / "label.json")) == 1
        said = capsys.readouterr().err
        assert said.startswith("error: "), text
        assert "label.json" in said, text


def test_a_replay_whose_background_or_font_is_gone_says_so(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_font(place / "fonts" / "a.ttf")
    assert _run(place) == 0
    label = place / "out" / "en-000001.json"
    again = ("--replay", str(label), "--out", str(place / "again"))
    background = Path(json.loads(label.read_text(encoding="utf-8"))["background"])
    background.rename(place / "moved.png")
    assert _run(place, *again) == 1
    assert f"no such picture or folder: {background}" in capsys.readouterr().err
    (place / "moved.png").rename(background)
    write_font(place / "fonts" / "a.ttf", family="Another")
    assert _run(place, *again) == 1
    assert "the recipe needs the face a.ttf#0@" in capsys.readouterr().err
