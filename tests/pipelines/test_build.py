"""Whole builds through the entry script, without Ray: what is promised of any corpus."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines import build_corpus
from pipelines.demo import DemoInputs
from tests.pictures import tree
from tests.pipelines.builds import run, write_config


def index_rows(corpus: Path) -> list[dict[str, Any]]:
    return [
        row
        for path in sorted(corpus.glob("shards/*/*/*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def test_the_layout_on_disk(built: tuple[Path, Path]) -> None:
    _, corpus = built
    for name in ("corpus.json", "units.parquet", "curriculum.json", "report/index.html"):
        assert (corpus / name).is_file(), name
    kinds = {path.name for path in (corpus / "shards").iterdir()}
    assert {"general", "text_real", "text_synth"} <= kinds
    curriculum = json.loads((corpus / "curriculum.json").read_text())
    assert isinstance(curriculum["phases"], list) and curriculum["phases"]
    for kind in kinds:
        assert (corpus / "report" / f"{kind}.png").read_bytes().startswith(b"\x89PNG")


def test_the_index_says_where_each_image_lies(built: tuple[Path, Path]) -> None:
    _, corpus = built
    rows = index_rows(corpus)
    assert rows
    for row in rows:
        tar = (corpus / row["shard"]).read_bytes()
        data = tar[row["offset"] : row["offset"] + row["bytes"]]
        magic = {"jpg": b"\xff\xd8", "png": b"\x89PNG", "webp": b"RIFF"}[row["ext"]]
        assert data.startswith(magic)
        label = json.loads(tar[row["json_offset"] : row["json_offset"] + row["json_bytes"]])
        assert label["key"] == row["key"]


def test_general_images_keep_their_bytes(built: tuple[Path, Path], inputs: Path) -> None:
    _, corpus = built
    originals = {
        hashlib.sha256(p.read_bytes()).hexdigest()[:16]: p.read_bytes()
        for p in (inputs / "photos").iterdir()
    }
    kept = 0
    for row in index_rows(corpus):
        if row["kind"] == "general" and min(row["width"], row["height"]) != row["rung"]:
            tar = (corpus / row["shard"]).read_bytes()
            data = tar[row["offset"] : row["offset"] + row["bytes"]]
            assert data == originals[row["key"].split("-")[1]]
            kept += 1
    assert kept


def test_every_image_can_serve_its_bucket(built: tuple[Path, Path]) -> None:
    _, corpus = built
    for row in index_rows(corpus):
        width, height = (int(n) for n in row["bucket"].split("x"))
        assert row["width"] >= width and row["height"] >= height
        if row["kind"] != "general":
            assert (row["width"], row["height"]) == (width, height)


def test_every_listed_image_is_in_exactly_one_place(built: tuple[Path, Path]) -> None:
    _, corpus = built
    (plan,) = (corpus / "plan").iterdir()
    members = [
        r["member"]
        for name in ("selected", "dropped", "rejected")
        for r in pq.read_table(plan / f"{name}.parquet").to_pylist()
    ]
    assert len(members) == len(set(members)) == 17 + 4
    images = json.loads((corpus / "corpus.json").read_text())["images"]
    assert images["listed"] == 21
    assert images["rejected"] == {"truncated": 1}
    assert images["dropped"]["duplicate"] == 1


def test_the_same_command_again_changes_no_byte(
    built: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, corpus = built
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*") if path.is_file()}

    def refuse(*args: Any) -> None:
        raise AssertionError("something was decoded")

    monkeypatch.setattr("pipelines.score.make_scorer", refuse)
    monkeypatch.setattr("pipelines.pack.make_packer", refuse)
    monkeypatch.setattr("pipelines.synthesize.make_synthesizer", refuse)
    assert run(config, corpus) == 0
    assert before == {p: p.stat().st_mtime_ns for p in corpus.rglob("*") if p.is_file()}


def test_lost_files_are_made_again_to_the_same_bytes(built: tuple[Path, Path]) -> None:
    config, corpus = built
    before = tree(corpus)
    score = next(iter(sorted(corpus.glob("scores/*/*.parquet"))))
    tar = next(iter(sorted(corpus.glob("shards/general/*/*.tar"))))
    synth = next(iter(sorted(corpus.glob("shards/text_synth/*/*.tar"))))
    synth.with_suffix(".parquet").unlink()
    others = {p: p.stat().st_mtime_ns for p in corpus.rglob("*.tar") if p not in (tar, synth)}
    for path in (score, tar, synth):
        path.unlink()
    assert run(config, corpus) == 0
    assert tree(corpus) == before
    assert others == {p: p.stat().st_mtime_ns for p in others}


def test_a_torn_shard_is_made_again(built: tuple[Path, Path]) -> None:
    config, corpus = built
    before = tree(corpus)
    tar = next(iter(sorted(corpus.glob("shards/general/*/*.tar"))))
    tar.write_bytes(tar.read_bytes()[:-700])
    assert run(config, corpus) == 0
    assert tree(corpus) == before


def test_another_threshold_plans_and_packs_without_scoring(
    inputs: Path, demo: DemoInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = write_config(tmp_path / "c.yaml", inputs, demo)
    out = tmp_path / "corpus"
    assert run(config, out) == 0
    kept = {row["parent"] for row in index_rows(out) if row["kind"] == "general"}
    clarity = sorted(row["clarity"] for row in index_rows(out) if row["kind"] == "general")
    monkeypatch.setattr("pipelines.score.make_scorer", lambda job: pytest.fail("scored again"))
    middle = clarity[len(clarity) // 2]
    assert run(config, out, "--plan.min_clarity", str(middle)) == 0
    fewer = {row["parent"] for row in index_rows(out) if row["kind"] == "general"}
    assert fewer < kept
    on_disk = {p.with_suffix("") for p in out.glob("shards/*/*/*")}
    assert on_disk == {p.with_suffix("") for p in out.glob("shards/*/*/*.parquet")}


def test_workers_and_place_change_no_byte(
    built: tuple[Path, Path], inputs: Path, demo: DemoInputs, tmp_path: Path
) -> None:
    _, corpus = built
    config = write_config(tmp_path / "c.yaml", inputs, demo)
    assert run(config, tmp_path / "elsewhere") == 0
    assert tree(tmp_path / "elsewhere" / "shards") == tree(corpus / "shards")


def test_a_source_that_is_not_there_ends_with_1_and_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = f"[{{name: a, type: folder, uri: {tmp_path}/nowhere}}]"
    argv = ["--sources", sources, "--out", str(tmp_path / "c"), "--engine.workers", "0"]
    assert build_corpus.main(argv) == 1
    assert "nowhere" in capsys.readouterr().err
