"""What `explain` says of a plan of several neighbourhoods and generations, with take-downs."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from pipelines import explain
from pipelines.config import CorpusConfig
from pipelines.planning import tables, taken_down
from pipelines.planning.taken_down import TakenDown
from pipelines.report import accounting
from pipelines.report.shortfalls import shortfalls
from pipelines.stages import plan
from pipelines.stories.corpus import StoryError, find_images, open_corpus, why_taken_down
from pipelines.stories.image import _quota
from pipelines.stories.reason import slugs, tell_slug
from tests.pipelines.plans import Row, job_of, read
from tests.pipelines.test_plan import row
from vae_corpus import storage

WHY = "its owner asked for it"
# Two neighbourhoods that came first, and one that came later and has the clearest images.
CLARITY = [[0.9, 0.7, 0.5], [0.8, 0.6, 0.5], [0.99, 0.98, 0.97]]
GENERATIONS = (0, 0, 1)
QUOTA = 7


def rows() -> list[list[Row]]:
    return [
        [row(10 * u + n, unit=f"{u:016x}", clarity=c) for n, c in enumerate(those)]
        for u, those in enumerate(CLARITY)
    ]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """A planned corpus that is not packed, of which two images were taken down."""
    made = rows()
    gone = [
        {"what": "key", "value": made[0][1]["key"], "why": WHY},
        {"what": "sha256", "value": made[1][0]["sha256"], "why": None},
    ]
    table = pa.Table.from_pylist(gone, schema=taken_down.SCHEMA)
    storage.commit_table(str(tmp_path / taken_down.NAME), table)
    source = {"name": "a", "type": "folder", "uri": "/a"}
    config = CorpusConfig.model_validate(
        {"sources": [source], "plan": {"quotas": {"general": QUOTA}}, "synth": {"samples": {}}}
    )
    job = replace(job_of(tmp_path, made, config, GENERATIONS), taken_down=TakenDown(table))
    # As a build calls its folders.
    job = replace(job, folder=str(tmp_path / "plan" / "p"), scores=str(tmp_path / "scores" / "s"))
    job = replace(job, work=str(tmp_path / "plan" / "p" / "work"))
    (tmp_path / "scores").rename(tmp_path / "s")
    (tmp_path / "scores").mkdir()
    (tmp_path / "s").rename(tmp_path / "scores" / "s")
    plan.make_plan(job)
    facts = {
        **{"scores": "s", "plan": "p", "quarantined": []},
        "images": accounting.count_images(job.folder),
        "settings": config.model_dump(mode="json", exclude={"out", "engine", "wandb", "estimate"}),
    }
    (tmp_path / "corpus.json").write_text(json.dumps(facts))
    return tmp_path


def test_an_image_is_found_in_whichever_neighbourhood_it_is(corpus: Path) -> None:
    opened = open_corpus(str(corpus))
    for those in rows():
        for one in those:
            (found,) = find_images(opened, one["key"])
            assert (found["uri"], found["unit"]) == (one["uri"], one["unit"])


def test_the_rank_counts_what_came_first_before_others(corpus: Path) -> None:
    opened = open_corpus(str(corpus))
    ranks = {}
    for those in rows():
        for one in those:
            (found,) = find_images(opened, one["key"])
            (line,) = _quota(opened, found)
            assert f" of 9 of kind general by clarity ({one['clarity']:.4g}); quota 7" in line
            ranks[one["member"]] = int(line.removeprefix("rank ").partition(" ")[0])
    assert sorted(ranks.values()) == list(range(1, 10))
    first = ["0.jpg", "10.jpg", "1.jpg", "11.jpg"]
    assert [ranks[name] for name in first] == [1, 2, 3, 4]
    assert [ranks[f"{n}.jpg"] for n in (20, 21, 22)] == [7, 8, 9]
    made = read(opened.plan)
    over = {r["member"] for r in made["dropped"] if r["slug"] == "over_quota"}
    assert over == {name for name, rank in ranks.items() if rank > QUOTA}


def test_the_next_in_a_quota_is_told_over_all_neighbourhoods(corpus: Path) -> None:
    opened = open_corpus(str(corpus))
    told = dict(tell_slug(opened, "over_quota", *slugs(opened)["over_quota"]))
    (next_one,) = told["nearest"]
    best = rows()[2][1]
    assert f"quota {QUOTA}, 2 over it; one more would keep {best['key']}" in next_one


def test_what_was_taken_down_says_why(corpus: Path, capsys: pytest.CaptureFixture[str]) -> None:
    opened = open_corpus(str(corpus))
    assert slugs(opened)["taken_down"] == ("dropped", 2)
    assert explain.main([str(corpus), rows()[0][1]["key"]]) == 0
    said = capsys.readouterr().out
    assert f"as taken_down: this image was taken down: {WHY}" in said
    assert "rank 3 of 9" not in said and "none that is better" in said
    (other,) = find_images(opened, rows()[1][0]["key"])
    assert why_taken_down(opened, other) == "taken_down.parquet does not say why"
    assert explain.main([str(corpus), "taken_down"]) == 0
    said = capsys.readouterr().out
    assert "2 of 9 listed images were dropped" in said and WHY in said
    assert "taken_down.parquet lists what must not be in the corpus" in said


def test_a_source_that_was_taken_down_is_not_missed(tmp_path: Path) -> None:
    gone = [{"what": "source", "value": "b", "why": WHY}]
    table = pa.Table.from_pylist(gone, schema=taken_down.SCHEMA)
    made = [[row(0), row(1, source="b"), row(2, source="b", width=200, height=200)]]
    job = job_of(tmp_path, made, CorpusConfig())
    plan.make_plan(replace(job, taken_down=TakenDown(table)))
    assert shortfalls(job.folder, {"a": 1, "b": 1}, {}) == ([], [])
    images = accounting.count_images(job.folder)
    assert images["dropped"] == {"taken_down": 1, "too_small": 1} and images["listed"] == 3


@pytest.mark.parametrize("lost", ["plan.json", "dropped/000001.parquet", "rejected/000002.parquet"])
def test_a_plan_that_is_not_whole_names_what_is_lost(corpus: Path, lost: str) -> None:
    (corpus / "plan" / "p" / lost).unlink()
    with pytest.raises(StoryError, match=f"{lost}: run the build again"):
        open_corpus(str(corpus))


def test_every_neighbourhood_has_a_table_of_each_fate(corpus: Path) -> None:
    opened = open_corpus(str(corpus))
    for fate in tables.FATES:
        assert len(opened.tables(fate)) == 3
        assert [len(paths) for paths in opened.generations(fate)] == [2, 1]
