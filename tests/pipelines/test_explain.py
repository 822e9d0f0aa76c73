"""What `explain` says of images, tiles, synthetic text and slugs of a small corpus."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import fsspec
import numpy as np
import pyarrow.parquet as pq
import pytest

from pipelines import explain
from tests.pictures import encoded, jpeg, page, scene
from tests.pipelines.builds import run, write_config
from vae_corpus import settings
from vae_corpus.demo import DemoInputs


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, demo: DemoInputs) -> Path:
    root = tmp_path_factory.mktemp("told")
    photos, pages = root / "photos", root / "pages"
    photos.mkdir()
    pages.mkdir()
    for n in range(3):
        (photos / f"{n}.jpg").write_bytes(jpeg(scene(700, 600, n), 95))
    (photos / "copy.jpg").write_bytes((photos / "0.jpg").read_bytes())
    (photos / "poorer.jpg").write_bytes(
        jpeg(cv2.resize(scene(700, 600, 1), (630, 540), interpolation=cv2.INTER_AREA), 90)
    )
    soft = cv2.GaussianBlur(scene(600, 500, 7), (0, 0), 6)
    (photos / "soft.jpg").write_bytes(jpeg(soft, 95))
    (photos / "small.png").write_bytes(encoded(scene(300, 200, 8), "png"))
    (photos / "broken.jpg").write_bytes(jpeg(scene(400, 300, 9))[:-500])
    half = page(700, 900, 1)
    half[450:] = 255
    (pages / "half.png").write_bytes(encoded(half, "png"))
    config = write_config(
        root / "c.yaml",
        root,
        demo,
        sources=[
            {"name": "photos", "type": "folder", "uri": str(photos)},
            {"name": "pages", "type": "folder", "uri": str(pages), "content": "document"},
        ],
        score={"text": False},
        plan={"min_clarity": 0.4, "min_clarity_text": 0, "rung_weights": {256: 1}},
        synth={
            "samples": {256: 2},
            "languages": {"en": 1},
            "texts": {"en": [str(demo.texts["en"][0])]},
            "fonts": [str(p) for p in demo.fonts if "dejavu" in str(p)],
        },
    )
    assert run(config, root / "corpus") == 0
    return root / "corpus"


def told(corpus: Path, what: str, capsys: pytest.CaptureFixture[str], *flags: str) -> str:
    code = settings.run(explain.main, [str(corpus), what, *flags])
    said = capsys.readouterr()
    assert code == 0, said.err
    return said.out


def rows(corpus: Path, table: str) -> list[dict[str, Any]]:
    (path,) = corpus.glob(f"plan/*/{table}")
    return pq.read_table(path).to_pylist()


def test_a_kept_image_by_key_path_and_name(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (row,) = (r for r in rows(corpus, "selected") if r["member"] == "2.jpg")
    by_key = told(corpus, row["key"], capsys)
    assert by_key == told(corpus, row["uri"], capsys) == told(corpus, "2.jpg", capsys)
    assert f"{row['key']}: selected" in by_key
    assert f"clarity {row['clarity']:.4g} < min_clarity 0.4" in by_key
    assert "side 600 < min_side_px 256" in by_key
    assert "phase 1-general-256" in by_key and row["shard"] in by_key
    assert "of kind general by clarity" in by_key


def test_a_stored_picture_is_written_as_it_lies_in_the_shard(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(corpus, "half.png", capsys, "--open", str(tmp_path))
    tiles = sorted(tmp_path.iterdir())
    assert tiles and all(str(tile) in text for tile in tiles)
    (row,) = (r for r in rows(corpus, "selected") if r["member"] == "half.png")
    first = row["tiles"][0]
    whole = cv2.imread(row["uri"])
    cut = whole[first["y"] :, first["x"] :][: first["height"], : first["width"]]
    named = tmp_path / f"{row['key']}-x{first['x']}y{first['y']}.png"
    assert np.array_equal(cv2.imread(str(named)), cut)


def test_tiles_say_why_they_are_left_out(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(corpus, "half.png", capsys)
    assert "left out, blank: min_ink_levels 8" in text
    (row,) = (r for r in rows(corpus, "selected") if r["member"] == "half.png")
    first = row["tiles"][0]
    tile = told(corpus, f"{row['key']}-x{first['x']}y{first['y']}", capsys)
    assert "left out" not in tile and tile.count(" in shards/document/") == 1


def test_a_dropped_image_names_its_rule_and_comes_from_its_source(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(corpus, "photos/small.png", capsys, "--open", str(tmp_path))
    assert "dropped as too_small" in text and "side 200 < min_side_px 256" in text
    (written,) = tmp_path.iterdir()
    assert written.read_bytes() == (corpus.parent / "photos" / "small.png").read_bytes()


def test_a_twin_is_named_with_its_distance(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (better,) = (r for r in rows(corpus, "selected") if r["member"] == "1.jpg")
    text = told(corpus, "poorer.jpg", capsys)
    assert f"{better['key']}, kept" in text
    assert "of 64 bits differ (duplicate_bits 4)" in text
    assert "700 x 600 px" in text and "before 630 x 540 px" in text


def test_a_rejected_image_says_why(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = told(corpus, "broken.jpg", capsys)
    assert "rejected as truncated" in text


def test_equal_bytes_are_one_story(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = (r for r in rows(corpus, "dropped") if r["slug"] == "duplicate")
    assert "the same bytes also at" in told(corpus, row["key"], capsys)
    assert "the same bytes" in told(corpus, row["uri"], capsys)


def test_synthetic_text_names_its_background(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    index = next(corpus.glob("shards/text_synth/*/*.parquet"))
    row = pq.read_table(index).to_pylist()[0]
    text = told(corpus, row["key"], capsys)
    assert "synthetic text" in text and f"{row['language']} at {row['size_band']} px" in text
    assert f"background  {row['parent']}" in text and "layout " in text and "fonts " in text


def test_a_slug_counts_and_says_what_another_threshold_would_do(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = told(corpus, "too_small", capsys)
    assert "1 of 9 listed images were dropped" in text
    assert "plan.min_side_px 256" in text and "small.png" in text
    assert "would change nothing" in text  # 256 is the least that is allowed
    twins = told(corpus, "near_duplicate", capsys)
    assert "plan.duplicate_bits" in twins and "would no longer match" in twins


def test_the_nearest_threshold_is_the_first_step_that_changes_a_fate(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (soft,) = (r for r in rows(corpus, "dropped") if r["member"] == "soft.jpg")
    text = told(corpus, "blurred", capsys)
    assert "plan.min_clarity 0.4" in text
    step = next(s for s in (0.01, 0.02, 0.05, 0.1, 0.2, 0.5) if soft["clarity"] >= 0.4 * (1 - s))
    other = f"plan.min_clarity {0.4 * (1 - step):.4g}"
    assert f"{other}: 1 fewer would be blurred, 1 of them pass every rule" in text
    assert "more would be blurred" not in text  # no other is below 0.6


def test_a_corpus_in_an_object_store_tells_the_same(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    memory = fsspec.filesystem("memory")
    memory.put(str(corpus), "/told", recursive=True)
    url = "memory://told"
    for what in ("half.png", "poorer.jpg", "too_small", "near_duplicate", "blurred"):
        here = told(corpus, what, capsys)
        assert settings.run(explain.main, [url, what, "--open", str(tmp_path)]) == 0
        there = capsys.readouterr().out
        assert there.partition("\nwritten")[0].rstrip() == here.rstrip()
    assert any(path.suffix == ".png" for path in tmp_path.iterdir())


def test_what_is_not_found_names_what_is_near(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert explain.main([str(corpus), "photos/poorest.jpg"]) == 1
    error = capsys.readouterr().err
    assert "poorer.jpg" in error and "near_duplicate" in error
    assert explain.main([str(corpus / "shards"), "0.jpg"]) == 1
    assert "no corpus.json" in capsys.readouterr().err


def test_a_file_that_is_there_but_not_listed_is_told_apart(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "new.jpg").write_bytes(b"x")
    assert explain.main([str(corpus), str(tmp_path / "new.jpg")]) == 1
    assert "no source of the corpus listed it" in capsys.readouterr().err


def refused(corpus: Path, what: str, capsys: pytest.CaptureFixture[str]) -> str:
    assert settings.run(explain.main, [str(corpus), what]) == 1
    return capsys.readouterr().err


def test_a_slug_that_left_nothing_out_says_so(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for slug in ("over_quota", "too_many_pixels", "noisy", "hangs_worker"):
        assert f"{slug}: no image of this corpus was left out as that" in told(corpus, slug, capsys)
    assert "Near it: blurred" in refused(corpus, "blured", capsys)


def test_a_tile_that_is_not_there_is_said(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (row,) = (r for r in rows(corpus, "selected") if r["member"] == "2.jpg")
    assert "has no tile x0y0" in refused(corpus, f"{row['key']}-x0y0", capsys)


def test_a_damaged_corpus_json_names_the_way_out(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "corpus.json").write_text("{")
    assert "is damaged: run the build again" in refused(tmp_path, "2.jpg", capsys)
