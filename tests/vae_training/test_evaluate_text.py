"""NED: equation 5 of the report over a real OCR engine, and texts that are read once."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from filters.ocr.engine import Line, OcrEngine
from filters.ocr.rapid import RapidOcrEngine
from fonts.faces import discover, writing
from fonts.folders import usual_folders
from tests.vae_training.evaluation import results, rows, run, save
from vae_training.metrics.ned import TextCache, ned, pixels_sha256, read_texts, text_of

LINES = {
    "en": ("The quick brown fox jumps", "over 1234 lazy dogs, again"),
    "zh": ("今天天气很好我们去公园", "学习中文需要很多时间"),
}
NED_ONLY = ("--metrics", "ned")


def by_hand(a: str, b: str) -> float:
    """1 - lev(a, b) / max(|a|, |b|) by the table of Wagner and Fischer."""
    before = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        row = [i]
        for j, y in enumerate(b, 1):
            row.append(min(row[-1] + 1, before[j] + 1, before[j - 1] + (x != y)))
        before = row
    return 1 - before[-1] / max(len(a), len(b))


def face(language: str) -> ImageFont.FreeTypeFont:
    found = writing(discover(usual_folders()), language)
    if not found:
        pytest.skip(f"no font for {language} here: python -m fonts.catalog tells how to get one")
    return ImageFont.truetype(str(found[0].path), 16, index=found[0].index)


def page(*lines: str, language: str = "en") -> NDArray[np.uint8]:
    """Black lines of 16 px on white, uint8[H, W, 3]; Chinese of the benchmark has that size."""
    image = Image.new("RGB", (400, 40 + 50 * max(1, len(lines))), "white")
    for number, line in enumerate(lines):
        ImageDraw.Draw(image).text((20, 20 + 50 * number), line, fill="black", font=face(language))
    return np.asarray(image)


class Reader:
    """An engine that says what the first pixel means, and counts its pictures."""

    engine_id = "reader 1"

    def __init__(self, read: list[int] | None = None) -> None:
        self.seen = [] if read is None else read

    def ready(self, *, to_read: bool = False) -> None: ...

    def detect(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        return np.zeros((0, 4, 2), np.float32)

    def read(self, rgb: NDArray[np.uint8]) -> list[Line]:
        self.seen.append(int(rgb[0, 0, 0]))
        corners = np.zeros((4, 2), np.float32)
        return [Line("ab", corners, 1.0), Line(str(rgb[0, 0, 0]), corners, 1.0)]


@pytest.mark.parametrize(
    ("a", "b"),
    [
        *(("kitten", "sitting"), ("abc", ""), ("same", "same"), ("a", "xyz")),
        *(("今天天气很好", "今大天汽好"), ("学习", "学习中文"), ("Cafe\u0301", "Caf\u00e9")),
    ],
)
def test_ned_is_equation_5_over_code_points(a: str, b: str) -> None:
    assert ned(a, b) == pytest.approx(by_hand(a, b), abs=1e-9)


def test_ned_without_original_text_does_not_exist() -> None:
    assert ned("", "something") is None and ned("", "") is None
    assert ned("something", "") == 0


def test_lines_are_joined_without_a_separator() -> None:
    assert text_of(Reader(), np.full((2, 2, 3), 7, np.uint8)) == "ab7"


def test_equal_bytes_of_another_shape_are_another_picture() -> None:
    assert pixels_sha256(np.zeros((2, 4, 3), np.uint8)) != pixels_sha256(
        np.zeros((4, 2, 3), np.uint8)
    )


@pytest.mark.parametrize("workers", [1, 3])
def test_a_picture_is_read_once_per_engine(tmp_path: Path, workers: int) -> None:
    def picture_of(level: int) -> Callable[[], NDArray[np.uint8]]:
        return lambda: np.full((2, 2, 3), level, np.uint8)

    pictures = {f"sha-{level}": picture_of(level) for level in range(6)}
    seen: list[int] = []
    for engine_id, expected in (("a", 6), ("a", 0), ("b", 6)):
        cache = TextCache(tmp_path / "texts.jsonl", engine_id)
        seen.clear()
        made = read_texts(pictures, lambda: Reader(seen), cache, workers=workers)
        cache.close()
        assert made == len(seen) == expected
        assert cache.get("sha-3") == "ab3"


def test_who_stops_reading_does_not_wait_for_the_rest(tmp_path: Path) -> None:
    pictures = {str(n): (lambda n=n: np.full((1, 1, 3), n, np.uint8)) for n in range(100)}
    seen: list[int] = []

    class Stopped(Reader):
        def read(self, rgb: NDArray[np.uint8]) -> list[Line]:
            if len(self.seen) == 3:
                raise KeyboardInterrupt
            return super().read(rgb)

    cache = TextCache(tmp_path / "texts.jsonl", "a")
    with pytest.raises(KeyboardInterrupt):
        read_texts(pictures, lambda: Stopped(seen), cache)
    cache.close()
    assert TextCache(tmp_path / "texts.jsonl", "a").get("2") == "ab2"


def test_a_line_cut_short_is_read_again_and_harms_no_other(tmp_path: Path) -> None:
    path = tmp_path / "texts.jsonl"
    first = TextCache(path, "a")
    first.put("one", "中文 \u2028 text")
    first.put("two", "cut")
    first.close()
    path.write_bytes(path.read_bytes()[:-5])
    again = TextCache(path, "a")
    assert again.get("one") == "中文 \u2028 text" and again.get("two") is None
    again.put("two", "whole")
    again.close()
    last = TextCache(path, "a")
    assert (last.get("one"), last.get("two")) == ("中文 \u2028 text", "whole")


@pytest.mark.parametrize("language", ["en", "zh"])
def test_ned_of_rendered_lines_ranks_reconstructions(tmp_path: Path, language: str) -> None:
    drawn = page(*LINES[language], language=language)
    source, out = save(tmp_path / "pages", lines=drawn), tmp_path / "out"
    models = ("identity", "blur-2x", "skip-f32c128")
    assert run("--model", *models, "--text", source, "--out", out, *NED_ONLY) == 0
    found = rows(out)
    values = [found["text", model, "lines"]["ned"] for model in models]
    assert values[0] == 1 and values[0] >= values[1] > values[2]
    # What was read is what was drawn, nearly; and NED is that of the texts.
    engine = RapidOcrEngine()
    read = text_of(engine, drawn)
    assert found["text", "identity", "lines"]["chars"] == len(read)
    assert by_hand("".join(LINES[language]).replace(" ", ""), read.replace(" ", "")) > 0.8
    with Image.open(out / "skip-f32c128" / "text" / "lines.png") as image:
        blurred = text_of(engine, np.asarray(image))
    assert values[2] == pytest.approx(by_hand(read, blurred), abs=1e-9)
    ocr = results(out)["ocr"]
    assert "rapidocr" in ocr["engine_id"] and "sha256" in ocr["engine_id"]
    assert ocr["batch"] == "lines are read one at a time" and "none" in ocr["classifiers"]


def test_empty_originals_are_counted_and_left_out(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(tmp_path / "pages", empty=page(), lines=page(*LINES["en"]))
    out = tmp_path / "out"
    words = ("--model", "identity", "--text", source, "--out", out, *NED_ONLY)
    assert run(*words) == 0
    entry = results(out)["sets"]["text"]["models"]["identity"]
    assert entry["without_text"] == 1 and entry["measured"] == 2
    assert entry["metrics"]["ned"]["pictures"] == 1 and entry["metrics"]["ned"]["mean"] == 1
    row = rows(out)["text", "identity", "empty"]
    assert row["ned"] is None and row["chars"] == 0 and row["slug"] == ""
    assert "no text in 1 originals" in capsys.readouterr().out


def test_a_rerun_reads_nothing_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = save(tmp_path / "pages", lines=page("Read me once")), tmp_path / "out"
    words = ("--model", "jpeg-q10", "--text", source, "--out", out, *NED_ONLY)
    assert run(*words) == 0
    assert "2 pictures read" in capsys.readouterr().out
    before = results(out)

    def read(self: OcrEngine, rgb: NDArray[np.uint8]) -> list[Line]:
        raise AssertionError("read again")

    monkeypatch.setattr(RapidOcrEngine, "read", read)
    assert run(*words) == 0
    assert results(out) == before
    # A cache elsewhere is used by evaluations of other folders.
    other = (*words[:4], "--out", tmp_path / "other", "--cache", out / "texts.jsonl", *NED_ONLY)
    assert run(*other) == 0
    assert not (tmp_path / "other" / "texts.jsonl").exists()
    for line in (out / "texts.jsonl").read_text(encoding="utf-8").split("\n"):
        assert not line or set(json.loads(line)) == {"pixels", "engine", "text"}
