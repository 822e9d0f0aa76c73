"""NED and PSNR by size, contrast, language and kind of text, for folders and for corpora."""

from __future__ import annotations

import functools
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from fonts.faces import discover, writing
from fonts.folders import usual_folders
from tests.vae_training.conftest import encode, phase, write_curriculum, write_shard
from tests.vae_training.evaluation import results, run, save
from vae_corpus.words import TEXT_SYNTH
from vae_training.data.holdout import hold_out
from vae_training.data.shards import open_shards
from vae_training.evaluation import curves
from vae_training.evaluation.breakdown import breakdown, legibility
from vae_training.evaluation.from_corpus import unpack
from vae_training.evaluation.labels import Labels, TextLine, labels_of, script
from vae_training.evaluation.lines import LineRow, chosen
from vae_training.evaluation.measure import Row
from vae_training.evaluation.originals import Original
from vae_training.metrics.intervals import clustered_interval, mean_interval

SIZES_PX = (10, 14, 22)
SENTENCES = ("The harbour lies below", "seven old stone houses", "and a lighthouse keeper")


@functools.cache  # to look through all fonts of a machine takes a second
def face(size_px: int) -> ImageFont.FreeTypeFont:
    found = writing(discover(usual_folders()), "en")
    if not found:
        pytest.skip("no font here: python -m fonts.catalog tells how to get one")
    return ImageFont.truetype(str(found[0].path), size_px, index=found[0].index)


def page(number: int) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """A line of each size on white, and the label of them; the last is pale."""
    image = Image.new("RGB", (320, 160), "white")
    draw, lines = ImageDraw.Draw(image), []
    for n, size_px in enumerate(SIZES_PX):
        text = SENTENCES[(n + number) % 3]
        place = (12 + 8 * number, 20 + 45 * n)
        grey = 120 if n == 2 else 0
        draw.text(place, text, fill=(grey, grey, grey), font=face(size_px))
        x0, y0, x1, y1 = draw.textbbox(place, text, font=face(size_px))
        lines.append(
            {
                "text": text,
                "quad": [x0, y0, x1, y0, x1, y1, x0, y1],
                "em_px": float(size_px),
                "contrast": 4.0 if n == 2 else 21.0,
            }
        )
    return np.asarray(image), {"lines": lines, "language": "en"}


def pages(folder: Path, count: int = 3) -> Path:
    for number in range(count):
        rgb, label = page(number)
        save(folder, **{f"page{number}": rgb})
        (folder / f"page{number}.json").write_text(json.dumps(label))
    return folder


def line(number: int, text: str = "some text", **changes: Any) -> TextLine:
    quad = np.array([[10, 10], [90, 10], [90, 22], [10, 22]], np.float32)
    return TextLine(
        **{"number": number, "text": text, "quad": quad, "em_px": 12.0, "contrast": 9.0} | changes
    )


def test_larger_lines_survive_a_blur_that_small_ones_do_not(tmp_path: Path) -> None:
    folder, out = pages(tmp_path / "pages"), tmp_path / "out"
    flags = ("--metrics", "psnr,ned", "--out", out)
    assert run("--model", "identity", "blur-4x", "--text", folder, *flags) == 0
    found = results(out)["sets"]["text"]
    assert found["labelled"] == 3

    def by_size(model: str, metric: str) -> dict[int, float]:
        entries = found["models"][model]["breakdown"]["lines"]
        sized = [e for e in entries if e["axis"] == "size_px" and e["language"] == "en"]
        assert [e["count"] for e in sized] == [3, 3, 3] and all(e["pictures"] == 3 for e in sized)
        return {round(e["at"]): e[metric] and e[metric]["mean"] for e in sized}

    assert by_size("identity", "ned") == {10: 1.0, 14: 1.0, 22: 1.0}
    assert set(by_size("identity", "psnr").values()) == {None}  # no line has an error
    blurred = by_size("blur-4x", "ned")
    assert blurred[10] + 0.3 < blurred[22]
    contrasts = [
        (e["low"], e["count"])
        for e in found["models"]["blur-4x"]["breakdown"]["lines"]
        if e["axis"] == "contrast"
    ]
    assert contrasts == [(3, 3), (12, 6)]
    readable = [e["legible"]["mean"] for e in found["legibility"] if e["axis"] == "language"]
    assert readable[0] > 0.9
    rows = pq.read_table(out / "lines.parquet").to_pylist()
    assert len(rows) == 18 and {row["em_px"] for row in rows} == set(map(float, SIZES_PX))
    assert "NED of lines, text" in (out / "table.md").read_text()
    assert ElementTree.fromstring((out / "curves-text.svg").read_text()).tag.endswith("svg")
    assert "<svg" in (out / "index.html").read_text()


def test_lines_that_were_read_are_kept(tmp_path: Path) -> None:
    folder, out = pages(tmp_path / "pages", 1), tmp_path / "out"
    argv = ("--model", "blur-2x", "--text", folder, "--metrics", "ned", "--out", out)
    assert run(*argv) == 0
    before, first = (out / "texts.jsonl").read_bytes(), results(out)
    assert run(*argv) == 0
    assert (out / "texts.jsonl").read_bytes() == before and results(out) == first


def test_lines_can_be_left_alone(tmp_path: Path) -> None:
    folder, out = pages(tmp_path / "pages", 1), tmp_path / "out"
    flags = ("--metrics", "psnr", "--lines", "0", "--out", out)
    assert run("--model", "blur-2x", "--text", folder, *flags) == 0
    found = results(out)["sets"]["text"]
    assert "legibility" not in found
    assert "lines" not in found["models"]["blur-2x"].get("breakdown", {})
    assert not (out / "lines.parquet").exists()


def test_a_crop_moves_the_lines_with_it() -> None:
    labels = Labels(lines=(line(0), line(1, quad=line(0).quad + np.float32(60))))
    cut = Original(name="a", left=50, top=50, width=120, height=60)
    assert [one.number for one in chosen(labels, cut, 9)] == [1]
    assert chosen(labels, Original(name="a", width=95, height=95), 9)[0].number == 0


def test_some_lines_are_always_the_same_and_never_single_characters() -> None:
    labels = Labels(lines=(*(line(n) for n in range(40)), line(40, text=" x ")))
    whole = Original(name="a", width=200, height=200)
    some = [one.number for one in chosen(labels, whole, 8)]
    assert len(some) == 8 and some == sorted(some)
    assert some == [one.number for one in chosen(labels, whole, 8)]
    assert some != [
        one.number for one in chosen(labels, Original(**{**vars(whole), "name": "b"}), 8)
    ]
    assert 40 not in [one.number for one in chosen(labels, whole, 99)]


@pytest.mark.parametrize(
    ("text", "language"),
    [("Debian 系统", "en"), ("系统 OK 没有问题", "zh"), ("1234", "en"), ("", "en"), ("𠀀𠀁", "zh")],
)
def test_a_line_is_chinese_where_half_of_its_letters_are(text: str, language: str) -> None:
    assert script(text) == language


def test_labels_stand_beside_pictures_or_in_an_index(tmp_path: Path) -> None:
    folder = save(
        tmp_path / "bench" / "gt_dir", **{n: np.zeros((8, 8, 3), np.uint8) for n in "abc"}
    )
    row = {"file": "b.png", "language": "zh", "kind": "notes", "glyph_px": 16.0}
    pq.write_table(pa.Table.from_pylist([row]), tmp_path / "bench" / "index.parquet")
    (folder / "a.json").write_text('{"glyph_px_p50": 9.5, "kind": "document"}')
    (folder / "c.json").write_text("[1, 2]")  # of others
    (folder / "d.json").write_text('{"language": ["en"], "lines": [{"text": 1}]}')
    save(folder, d=np.zeros((8, 8, 3), np.uint8))
    found = labels_of({n: folder / f"{n}.png" for n in "abcd"})
    assert found == {
        "a": Labels(kind="document", glyph_px=9.5),
        "b": Labels(language="zh", kind="notes", glyph_px=16.0),
    }


def test_an_index_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = save(tmp_path / "set" / "gt_dir", a=np.zeros((32, 32, 3), np.uint8))
    (tmp_path / "set" / "index.parquet").write_bytes(b"no table")
    flags = ("--metrics", "psnr", "--out", tmp_path / "out")
    assert run("--model", "identity", "--text", folder, *flags) == 2


def test_pictures_without_lines_count_once_each() -> None:
    rows = [
        Row(set="text", model="m", name=name, psnr=20.0 + n, ned=0.5, reference_text="中文字")
        for n, name in enumerate("abcd")
    ]
    rows[3].slug = "truncated"
    labels = {"a": Labels(glyph_px=9.2, kind="document"), "b": Labels(glyph_px=30.0)}
    labels["d"] = Labels(glyph_px=9.0)
    found = breakdown(rows, [], labels, seed=0)
    assert list(found) == ["pictures"]
    sized = [e for e in found["pictures"] if e["axis"] == "size_px" and e["language"] == "zh"]
    assert [(e["low"], e["high"], e["count"]) for e in sized] == [(9, 10, 1), (24, 32, 1)]
    kinds = [e for e in found["pictures"] if e["axis"] == "kind"]
    assert [(e["value"], e["psnr"]["mean"]) for e in kinds] == [("document", 20.0)]


def test_what_can_be_read_at_all_counts_a_line_once_for_all_models() -> None:
    def row(model: str) -> LineRow:
        known = {"language": "en", "em_px": 8.0, "contrast": 4.0, "text": "a b", "legible": 0.5}
        return LineRow(set="text", model=model, name="p", line=0, **known)

    found = legibility([row("one"), row("two")], {"p": Labels()}, seed=0)
    assert {e["count"] for e in found} == {1}


def test_lines_of_a_page_are_drawn_together() -> None:
    # Ten pages of ten equal lines say no more than ten pictures.
    rng = np.random.default_rng(0)
    pages = rng.normal(size=10)
    values = np.repeat(pages, 10).tolist()
    clusters = [f"page {n // 10}" for n in range(100)]
    together, apart = clustered_interval(values, clusters), mean_interval(values)
    few = mean_interval(pages.tolist())
    assert together and apart and few
    assert together.mean == pytest.approx(few.mean) and together.pictures == 10
    assert together.high - together.low == pytest.approx(few.high - few.low, rel=0.05)
    assert together.high - together.low > 2 * (apart.high - apart.low)
    assert clustered_interval([float("inf")], ["a"]) is None


def test_curves_follow_the_numbers() -> None:
    entries = [
        {"axis": "size_px", "language": "en", "low": at, "high": None, "at": at, "count": 3,
         "pictures": 2, "psnr": None,
         "ned": {"mean": mean, "low": mean - 0.1, "high": mean + 0.1, "pictures": 2}}
        for at, mean in ((8.0, 0.25), (16.0, 0.75))
    ]  # fmt: skip
    part = {"models": {"a<b": {"breakdown": {"lines": entries}}}}
    drawn = ElementTree.fromstring(curves.draw(part))
    marks = [e for e in drawn.iter() if e.tag.endswith("circle")]
    heights = [float(mark.attrib["cy"]) for mark in marks]
    assert len(marks) == 2 and heights[0] > heights[1]
    assert "a<b: 0.250" in (marks[0][0].text or "")
    assert curves.draw({"models": {"a": {}}}) == ""


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    """A corpus of twelve pages with labels."""
    folder, samples = tmp_path / "corpus", []
    for number in range(12):
        rgb, label = page(number % 3)
        samples.append(
            {
                "key": f"synth-{number:04d}",
                "ext": "png",
                "data": encode(rgb, "png"),
                "width": 320,
                "height": 160,
                "bucket": "320x160",
                "language": "en",
                "size_band": "8-10",
                "label": label,
            }
        )
    write_shard(folder, TEXT_SYNTH, 256, samples)
    write_curriculum(folder, [phase("text", kinds={TEXT_SYNTH: 1.0})])
    return folder


def test_a_corpus_gives_what_training_holds_out(shards: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    flags = ("--held_out", "2", "--text_crop", "128", "--metrics", "psnr", "--out", out)
    assert run("--model", "blur-2x", "--text", shards, *flags) == 0
    opened = open_shards(str(shards))
    held = {opened.key(row) for row in hold_out(opened, 2).validation[TEXT_SYNTH]}
    laid_out = out / "samples" / "text" / "text_synth"
    assert {path.stem for path in laid_out.iterdir()} == held
    assert all((laid_out / f"{key}.json").is_file() for key in held)
    found = results(out)["sets"]["text"]
    assert found["labelled"] == len(held) and found["crop_px"] == 128
    kinds = [
        e["value"] for e in found["models"]["blur-2x"]["breakdown"]["pictures"] if "value" in e
    ]
    assert "text_synth" in kinds
    with Image.open(next((out / "reference" / "text").rglob("*.png"))) as cut:
        assert cut.size == (128, 128)


def test_samples_that_are_there_are_not_read_again(shards: Path, tmp_path: Path) -> None:
    folder = unpack(str(shards), [TEXT_SYNTH], 3, tmp_path / "samples")
    before = {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")}
    (folder / TEXT_SYNTH / "of-others.png").write_bytes(b"x")
    unpack(str(shards), [TEXT_SYNTH], 3, folder)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.*")} == before


def test_a_corpus_without_such_samples_is_told(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("--model", "identity", "--photos", shards, "--out", tmp_path / "out") == 2
    assert "holds out no samples of general (it has text_synth)" in capsys.readouterr().err


def test_files_of_others_are_never_removed(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "out" / "samples" / "text" / "holiday.png"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    flags = ("--metrics", "psnr", "--out", tmp_path / "out")
    assert run("--model", "identity", "--text", shards, *flags) == 2
    assert "choose another --out" in capsys.readouterr().err
    assert mine.read_bytes() == b"mine"
