"""Whole builds through the entry script, without Ray: what is promised of any corpus."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines import build_corpus
from tests.pictures import encoded, page, tree
from tests.pipelines.builds import PAGES, PHOTOS, run, write_config
from vae_corpus import settings
from vae_corpus.demo import DemoInputs


def index_rows(corpus: Path) -> list[dict[str, Any]]:
    return [
        row
        for path in sorted(corpus.glob("shards/*/*/*.parquet"))
        for row in pq.read_table(path).to_pylist()
    ]


def test_the_layout_on_disk(built: tuple[Path, Path]) -> None:
    _, corpus = built
    for name in ("corpus.json", "curriculum.json", "report/index.html"):
        assert (corpus / name).is_file(), name
    assert list(corpus.glob("units/*.parquet"))
    kinds = {path.name for path in (corpus / "shards").iterdir()}
    assert {"general", "text_real", "text_synth"} <= kinds
    curriculum = json.loads((corpus / "curriculum.json").read_text())
    assert isinstance(curriculum["phases"], list) and curriculum["phases"]
    page = (corpus / "report" / "index.html").read_text()
    assert all(f'"{kind}"' in page for kind in kinds)


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
        for r in pq.read_table(plan / name).to_pylist()
    ]
    assert len(members) == len(set(members)) == PHOTOS + PAGES
    images = json.loads((corpus / "corpus.json").read_text())["images"]
    assert images["listed"] == PHOTOS + PAGES
    assert images["rejected"] == {"truncated": 1}
    assert images["dropped"]["duplicate"] == 1


def test_the_same_command_again_changes_no_byte(
    built: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    config, corpus = built
    # What is known of files holds where they were written: a copy is looked into once.
    assert run(config, corpus) == 0
    before = {path: path.stat().st_mtime_ns for path in corpus.rglob("*") if path.is_file()}

    def refuse(*args: Any) -> None:
        raise AssertionError("something was decoded")

    monkeypatch.setattr("pipelines.workers.scorer.make_scorer", refuse)
    monkeypatch.setattr("pipelines.stages.pack.make_packer", refuse)
    monkeypatch.setattr("pipelines.stages.synthesize.make_synthesizer", refuse)
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
    built: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config, out = built[0], tmp_path / "corpus"
    shutil.copytree(built[1], out)
    kept = {row["parent"] for row in index_rows(out) if row["kind"] == "general"}
    clarity = sorted(row["clarity"] for row in index_rows(out) if row["kind"] == "general")
    monkeypatch.setattr(
        "pipelines.workers.scorer.make_scorer", lambda job: pytest.fail("scored again")
    )
    middle = clarity[len(clarity) // 2]
    assert run(config, out, "--plan.min_clarity", str(middle)) == 0
    fewer = {row["parent"] for row in index_rows(out) if row["kind"] == "general"}
    assert fewer < kept
    (shards,) = out.glob("plan/*/shards.parquet")
    planned = {row["shard"] for row in pq.read_table(shards).to_pylist()}
    on_disk = {str(p.relative_to(out).with_suffix("")) for p in out.glob("shards/*/*/*")}
    assert {name for name in on_disk if "/text_synth/" not in name} == planned


def test_another_quality_packs_anew(
    inputs: Path, demo: DemoInputs, built: tuple[Path, Path], tmp_path: Path
) -> None:
    shutil.copytree(built[1], tmp_path / "corpus")
    config = write_config(tmp_path / "c.yaml", inputs, demo, pack={"shard_samples": 8})
    before = tree(tmp_path / "corpus" / "shards")
    assert run(config, tmp_path / "corpus", "--pack.text_format", "webp") == 0
    after = tree(tmp_path / "corpus" / "shards")
    assert not any("-png-" in name for name in after if name.startswith("text_real"))
    assert run(config, tmp_path / "corpus") == 0
    assert tree(tmp_path / "corpus" / "shards") == before


def test_an_image_that_changed_since_it_was_scored_is_not_packed(
    inputs: Path, demo: DemoInputs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(inputs, tmp_path / "in")
    quick = {"score": {"text": False}, "synth": {"samples": {}}}
    config = write_config(tmp_path / "c.yaml", tmp_path / "in", demo, **quick)
    out = tmp_path / "corpus"
    assert run(config, out) == 0
    for photo in (tmp_path / "in" / "photos").glob("0*.jpg"):
        stat = photo.stat()
        photo.write_bytes(photo.read_bytes()[:-10] + bytes(10))
        os.utime(photo, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    for tar in out.glob("shards/general/*/*.tar"):
        tar.unlink()
    assert run(config, out) == 1
    assert "has changed since it was scored" in capsys.readouterr().err
    assert not list(out.glob("shards/general/*/*-jpg-*.tar"))


def test_the_place_and_its_name_change_no_byte(built: tuple[Path, Path], tmp_path: Path) -> None:
    config, corpus = built
    out = tmp_path / "it's [a] größe 图 corpus"
    assert run(config, out) == 0
    assert tree(out / "shards") == tree(corpus / "shards")


def test_a_lost_plan_table_is_made_again(built: tuple[Path, Path], tmp_path: Path) -> None:
    config, corpus = built
    before = tree(corpus)
    next(corpus.glob("plan/*/rejected/*.parquet")).unlink()
    assert run(config, corpus) == 0
    assert tree(corpus) == before


def test_a_build_that_died_before_its_report_makes_the_page_anew(
    built: tuple[Path, Path], tmp_path: Path
) -> None:
    config, corpus = built
    before = tree(corpus)
    # What such a build leaves: shards are committed, the curriculum is gone, the page is old.
    (corpus / "curriculum.json").unlink()
    page = corpus / "report" / "index.html"
    page.write_bytes(page.read_bytes().replace(b"Corpus report", b"Of an earlier plan"))
    assert run(config, corpus) == 0
    assert tree(corpus) == before


def test_drafts_of_killed_writers_and_sheets_of_earlier_versions_are_removed(
    inputs: Path, demo: DemoInputs, built: tuple[Path, Path], tmp_path: Path
) -> None:
    out = tmp_path / "corpus"
    shutil.copytree(built[1], out)
    draft = next(out.glob("shards/general/*")) / ".x.tar.0123.tmp"
    draft.write_bytes(b"half")
    sheet = out / "report" / "text_synth.png"
    sheet.write_bytes(b"of an earlier version")
    config = write_config(tmp_path / "c.yaml", inputs, demo)
    assert run(config, out, "--synth.samples", "{}") == 0
    assert not draft.exists() and not sheet.exists()
    assert not list(out.glob("shards/text_synth/*/*"))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (("--synth.texts", "{en: [a.txt]}", "--synth.fonts", "[x]"), "need texts in zh"),
        (("--pack.lane", "../x"), "pack.lane"),
        (("--plan.max_aspect", ".inf"), "finite"),
        (("--plan.quotas", "{general: -1}"), "quotas are counts"),
        (("--synth.size_bands", "{5-9: 1}"), "size_bands are"),
        (("--synth.size_bands", "{zh 5-7: 1}"), "size_bands needs a weight above 0 for en"),
        (("--plan.rung_weights", "{256: 0}"), "must not all be 0"),
    ],
)
def test_wrong_settings_end_with_2_before_anything_is_read(
    flags: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    argv = ["--out", str(tmp_path / "c"), *flags]
    assert settings.run(build_corpus.main, argv) == 2
    assert message in capsys.readouterr().err


def test_a_source_that_is_not_there_ends_with_1_and_names_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sources = f"[{{name: a, type: folder, uri: {tmp_path}/nowhere}}]"
    argv = ["--sources", sources, "--out", str(tmp_path / "c"), "--engine.workers", "0"]
    assert build_corpus.main(argv) == 1
    assert "nowhere" in capsys.readouterr().err


def test_no_blank_tile_of_a_page_is_packed(tmp_path: Path, demo: DemoInputs) -> None:
    pages = tmp_path / "pages"
    pages.mkdir()
    printed = np.full((560, 600, 3), 255, np.uint8)
    printed[:, :280] = page(280, 560)
    (pages / "half.png").write_bytes(encoded(printed, "png"))
    (pages / "empty.png").write_bytes(encoded(np.full_like(printed, 250), "png"))
    config = write_config(
        tmp_path / "corpus.yaml",
        tmp_path,
        demo,
        sources=[{"name": "p", "type": "folder", "uri": str(pages), "content": "document"}],
        plan={"min_clarity_text": 0.0, "rung_weights": {256: 1.0}},
        score={"text": False},  # nothing is known of characters: each tile may hold some
        synth={"samples": {}},
    )
    corpus = tmp_path / "corpus"
    assert run(config, corpus) == 0
    images = json.loads((corpus / "corpus.json").read_text())["images"]
    assert images["selected"] == {"document": 1} and images["dropped"] == {"blank": 1}
    rows = index_rows(corpus)
    assert rows and images["tiles_left_out"]["blank"] > 0
    for row in rows:
        data = (corpus / row["shard"]).read_bytes()[row["offset"] : row["offset"] + row["bytes"]]
        assert np.ptp(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)) > 100
