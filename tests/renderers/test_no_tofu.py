"""No placeholder is drawn, looked at with fontTools; the long run is benchmarks/no_tofu.py."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks.no_tofu import Glyphs, draw_with, hard_texts
from fonts.charsets import ASCII_PRINTABLE
from fonts.faces import Face, discover, writing
from renderers.text.corpora import TextSource
from tests.tiny_font import CHINESE, write_font
from vae_corpus.demo import DemoInputs

FILES = ("wqy-microhei.ttc", "DejaVuSans.ttf", "LiberationSerif-Regular.ttf")


def _faces(demo: DemoInputs) -> list[Face]:
    files = [path for folder in demo.fonts for path in folder.rglob("*") if path.name in FILES]
    assert len(files) == len(FILES)
    return [face for face in discover(files) if writing([face], "en") or writing([face], "zh")]


def test_every_glyph_is_the_right_one(demo: DemoInputs) -> None:
    hard = hard_texts(np.random.default_rng(0), 200)
    prose = TextSource.from_paths(demo.texts["zh"][:1], language="zh").paragraphs[:100]
    texts = {
        "en": TextSource.from_paths(demo.texts["en"][:1], language="en"),
        "zh": TextSource("zh", (*prose, *hard)),
    }
    seen: set[str] = set()
    for number, face in enumerate(_faces(demo)):
        count, skipped, shown, wrong = draw_with(face, texts, 1000, number)
        assert count >= 1000
        assert not wrong
        # Extension B is in none of these: such texts are left out, and counted.
        assert skipped > 0 or "zh" not in face.languages
        seen |= shown
    assert {"A", "的"} < seen
    assert not any(ord(character) >= 0x20000 for character in seen)


def test_the_check_knows_a_placeholder_and_a_blank(tmp_path: Path) -> None:
    path = write_font(tmp_path / "a.ttf", ASCII_PRINTABLE + CHINESE, tofu="龜", blank="龍")
    glyphs = Glyphs(path, 0)
    numbers = {glyphs.name(i): i for i in range(len(ASCII_PRINTABLE + CHINESE) + 4)}
    number = {chr(point): numbers[name] for point, name in glyphs.cmap.items()}
    assert glyphs.fault(0, "a") == "number 0"
    assert glyphs.fault(number["a"], "a") is None
    assert glyphs.fault(number[" "], " ") is None
    assert glyphs.fault(number["龜"], "龜") == "the outline of .notdef"
    assert glyphs.fault(number["龍"], "龍") == "blank"
    assert glyphs.fault(number["b"], "a") == "not the glyph of the character map"
    face = discover([path], cache=tmp_path / "cache")[0]
    assert not face.covers("龜") and not face.covers("龍")


@pytest.mark.parametrize("text", ["憂鬱的臺灣烏龜", "𠀀𠀁𠀂", "ÄÖÜ"])
def test_what_no_face_covers_is_never_drawn(tmp_path: Path, text: str) -> None:
    write_font(tmp_path / "a.ttf", ASCII_PRINTABLE + CHINESE)
    face = discover([tmp_path], cache=tmp_path / "cache")[0]
    prose = "白日依山尽，黄河入海流。" if ord(text[0]) > 0x2000 else "Plain words for the page."
    language = "zh" if ord(text[0]) > 0x2000 else "en"
    texts = {language: TextSource(language, (prose, f"{prose[:4]}{text}"), 0.0)}
    if language == "zh":
        texts["en"] = TextSource("en", ("Plain words for the page.",), 0.0)
    _, skipped, seen, wrong = draw_with(face, texts, 500, 0)
    assert skipped > 0
    assert not wrong and not seen & set(text)
