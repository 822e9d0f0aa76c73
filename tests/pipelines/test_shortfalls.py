"""A source that gives nothing is an error with its cause, not an empty corpus and exit code 0."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines import build_corpus
from tests.pictures import encoded, jpeg, scene, tree, write_tar


def build(out: Path, *sources: dict[str, Any]) -> int:
    argv = ["--sources", json.dumps(list(sources)), "--out", str(out), "--engine.workers", "0"]
    argv += ["--score.text", "false", "--synth.samples", "{}", "--plan.min_clarity", "0"]
    return build_corpus.main(argv)


def facts(out: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads((out / "corpus.json").read_text())
    return read


@pytest.fixture
def good(tmp_path: Path) -> dict[str, Any]:
    (tmp_path / "good").mkdir()
    for number in range(2):
        (tmp_path / "good" / f"{number}.jpg").write_bytes(jpeg(scene(400, 300, number)))
    return {"name": "good", "type": "folder", "uri": str(tmp_path / "good")}


def test_rows_of_paths_alone_end_the_build_with_the_way_out(
    good: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    type_ = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
    rows = [{"bytes": None, "path": f"images/{n:03d}.jpg"} for n in range(120)]
    pq.write_table(pa.table({"image": pa.array(rows, type_)}), tmp_path / "t.parquet")
    hf = {"name": "hf", "type": "parquet", "uri": str(tmp_path / "t.parquet")}
    assert build(tmp_path / "out", good, hf) == 1
    said = capsys.readouterr().err
    assert "source hf: all of its 120 images were rejected as no_bytes" in said
    assert "images/000.jpg" in said and "type folder" in said
    # What was built of the other source stays, and the same command has nothing to do.
    assert facts(tmp_path / "out")["images"]["selected"] == {"general": 2}
    assert "no_bytes" in facts(tmp_path / "out")["problems"][0]
    before = tree(tmp_path / "out")
    assert build(tmp_path / "out", good, hf) == 1
    assert tree(tmp_path / "out") == before


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "rejected as empty; for example 0.jpg"),
        (b"II*\0", "rejected as truncated"),
        (b"no image", "rejected as not_an_image; for example 0.jpg: first bytes"),
    ],
)
def test_files_that_all_fail_in_one_way_are_an_error(
    tmp_path: Path, data: bytes, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    for number in range(3):
        (tmp_path / "in" / f"{number}.jpg").write_bytes(data)
    source = {"name": "a", "type": "folder", "uri": str(tmp_path / "in")}
    assert build(tmp_path / "out", source) == 1
    error = capsys.readouterr().err
    assert f"source a: all of its 3 images were {said}" in error
    assert "the corpus holds no samples" in error


def test_tars_without_images_are_an_error(
    good: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_tar(tmp_path / "x.tar", {"0.json": b"{}", "1.json": b"{}", "0.txt": b""})
    tars = {"name": "t", "type": "webdataset", "uri": str(tmp_path / "x.tar")}
    assert build(tmp_path / "out", good, tars) == 1
    assert "source t: no image in its 1 units" in (error := capsys.readouterr().err)
    assert "2 .json, 1 .txt" in error


def test_a_corpus_of_nothing_is_an_error_although_every_image_was_read(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "icon.png").write_bytes(encoded(scene(90, 90), "png"))
    source = {"name": "a", "type": "folder", "uri": str(tmp_path / "in")}
    assert build(tmp_path / "out", source) == 1
    assert "the corpus holds no samples" in capsys.readouterr().err
    assert any("1 too_small" in notice for notice in facts(tmp_path / "out")["notices"])


def test_copies_of_another_source_and_mixed_faults_are_none(
    good: dict[str, Any], tmp_path: Path
) -> None:
    copies = good | {"name": "copies"}
    mixed = {"name": "mixed", "type": "folder", "uri": str(tmp_path / "mixed")}
    (tmp_path / "mixed").mkdir()
    (tmp_path / "mixed" / "empty.jpg").write_bytes(b"")
    (tmp_path / "mixed" / "text.jpg").write_bytes(b"text")
    assert build(tmp_path / "out", good, copies, mixed) == 0
    assert facts(tmp_path / "out")["problems"] == []
    (notice,) = (n for n in facts(tmp_path / "out")["notices"] if n.startswith("source"))
    assert "source mixed" in notice and "1 empty, 1 not_an_image" in notice


def test_what_tars_hold_beside_images_is_counted_in_the_report(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    for number in range(2):
        images = {f"{n}.jpg": jpeg(scene(300, 300, 10 * number + n)) for n in range(3)}
        write_tar(
            tmp_path / "in" / f"{number}.tar", images | {"0.json": b"{}", f"{number}.cls": b"1"}
        )
    source = {"name": "t", "type": "webdataset", "uri": str(tmp_path / "in")}
    assert build(tmp_path / "out", source) == 0
    assert facts(tmp_path / "out")["images"]["passed_over"] == {".cls": 2, ".json": 2}
    assert ".cls" in (tmp_path / "out" / "report" / "index.html").read_text()
    before = tree(tmp_path / "out")
    assert build(tmp_path / "out", source) == 0
    assert tree(tmp_path / "out") == before


def test_members_of_odd_names_in_compressed_tars_are_packed(tmp_path: Path) -> None:
    images = {f"{n}.{'jxl' if n == 2 else 'jpg'}": jpeg(scene(300, 300, n)) for n in range(5)}
    write_tar(tmp_path / "plain", images)
    (tmp_path / "x.tar.gz").write_bytes(gzip.compress((tmp_path / "plain").read_bytes()))
    source = {"name": "t", "type": "webdataset", "uri": str(tmp_path / "x.tar.gz")}
    assert build(tmp_path / "out", source) == 0
    assert facts(tmp_path / "out")["images"]["selected"] == {"general": 5}
