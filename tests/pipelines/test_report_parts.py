"""The parts of the report that need no browser: sample, budgets, epochs, settings, times."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from pipelines.config import CorpusConfig
from pipelines.report import census, epochs, pictures, strata, times
from pipelines.report.changes import changed_settings
from pipelines.report.pairs import find_pairs
from tests.pipelines.test_plan import make, row
from vae_corpus.curriculum import read_curriculum
from vae_corpus.words import Group
from vae_training.data.mixture import Mixtures


@pytest.fixture
def planned(tmp_path: Path) -> Path:
    """600 rows: most are kept, some too small, four broken, one a near duplicate."""
    rows = [row(i) for i in range(500)]
    rows += [row(500 + i, width=200, height=100) for i in range(95)]
    rows += [row(600 + i, slug="truncated", why="x", width=None) for i in range(4)]
    rows.append(row(0, member="twin", sha256=row(700)["sha256"], width=610, key=row(700)["key"]))
    make(tmp_path, rows)
    return tmp_path / "plan"


def test_a_small_corpus_is_in_the_sample_whole(planned: Path) -> None:
    drawn = strata.draw_sample(str(planned), "", [], seed=0, limit=1000)
    assert len(drawn.rows) == 600
    assert all(stratum.rows == stratum.images for stratum in drawn.strata)
    assert len({(r["key"], r["member"]) for r in drawn.rows}) == 600


def test_a_sample_shows_rare_reasons_and_says_what_its_rows_stand_for(planned: Path) -> None:
    drawn = strata.draw_sample(str(planned), "", [], seed=0, limit=60)
    assert 55 <= len(drawn.rows) <= 60
    assert sum(stratum.images for stratum in drawn.strata) == 600
    fates = Counter(r["fate"] for r in drawn.rows)
    assert fates["rejected"] >= 2 and fates["dropped"] > 10 and fates["selected"] > 20
    for number, stratum in enumerate(drawn.strata):
        assert stratum.rows == sum(r["stratum"] == number for r in drawn.rows) > 0


def test_another_seed_draws_another_sample_and_the_same_one_the_same(planned: Path) -> None:
    def keys(seed: int) -> list[str]:
        return [r["key"] for r in strata.draw_sample(str(planned), "", [], seed, 60).rows]

    assert keys(1) == keys(1)
    assert keys(1) != keys(2)


def test_rows_are_shared_by_the_roots_of_the_strata() -> None:
    given = strata.allot({"a": 1_000_000, "b": 10_000, "c": 3}, 1000)
    assert given["c"] == 3 and sum(given.values()) <= 1000
    assert given["a"] - 83 == pytest.approx(10 * (given["b"] - 83), rel=0.05)
    assert strata.allot({"a": 5, "b": 7}, 100) == {"a": 5, "b": 7}
    assert strata.allot({}, 100) == {}


def test_a_pair_holds_the_image_that_stayed_also_where_the_sample_has_not(planned: Path) -> None:
    drawn = strata.draw_sample(str(planned), "", [], seed=0, limit=1000)
    (twin,) = (r for r in drawn.rows if r.get("slug") == "near_duplicate")
    (pair,), more = find_pairs(str(planned), [twin])
    assert pair["bits"] == pair["fine_bits"] == 0 and pair["b"] == 1
    assert more[0]["key"] == twin["duplicate_of"] and more[0]["stratum"] is None
    (again,), none = find_pairs(str(planned), drawn.rows)
    assert not none and drawn.rows[again["b"]]["key"] == twin["duplicate_of"]


def test_counts_are_those_of_the_whole_plan(planned: Path) -> None:
    counts = census.count(str(planned))
    assert sum(r["images"] for r in counts["kept"]) == 500
    assert {r["slug"]: r["images"] for r in counts["dropped"]} == {
        "too_small": 95,
        "near_duplicate": 1,
    }
    assert counts["sources"] == [
        {"source": "a", "images": 600, "selected": 500, "dropped": 96, "rejected": 4}
    ]


def test_pictures_stay_within_their_budget_the_most_wanted_first() -> None:
    shots = {i: pictures.Shot(thumbnail=b"x" * 10, detail=b"y" * 5) for i in range(6)}
    order = [5, 4, 3, 2, 1, 0]
    kept = pictures._within(shots, order, {"thumbnail": 35, "detail": 100, "whole": 0})
    assert [i for i in order if kept[i].thumbnail] == [5, 4, 3]
    assert all(shot.detail for shot in kept.values())


PHASES = [
    {
        "name": "a",
        "samples": 1000,
        "rungs": {"256": 1.0},
        "kinds": {"general": 1.0, "text_synth": [0.0, 2.0]},
        "size_bands": {"5-7": [0.1, 0.9], "zh 5-7": 0.5, "8-10": 1.0},
    },
    {
        "name": "b",
        "samples": 500,
        "rungs": {"256": [0.7, 0.3], "512": [0.3, 0.7]},
        "kinds": {"general": 0.5, "document": 0.5},
        "densities": {"top": 3.0, "rest": [0.0, 1.0]},
    },
    {
        "name": "c",
        "samples": 100,
        "rungs": {"256": 1, "512": 1},
        "kinds": {"document": 1, "text_synth": 1},
    },
]
GROUPS = [
    ("general", 256, "256x256", None, None, None, 40),
    ("general", 256, "288x224", None, None, None, 20),
    ("general", 512, "512x512", None, None, None, 7),
    ("document", 256, "256x256", None, None, "top", 5),
    ("document", 256, "256x256", None, None, "rest", 15),
    ("document", 512, "512x512", None, None, "rest", 3),
    ("text_synth", 256, "256x256", "en", "5-7", None, 10),
    ("text_synth", 256, "256x256", "zh", "5-7", None, 10),
    ("text_synth", 256, "256x256", "mixed", "8-10", None, 4),
]


def test_epochs_are_those_of_the_trainers_mixture(tmp_path: Path) -> None:
    names = ("kind", "rung", "bucket", "language", "size_band", "density", "samples")
    groups = [dict(zip(names, group, strict=True)) for group in GROUPS]
    whole: dict[str, Any] = {"version": 1, "seed": 0, "groups": groups, "phases": PHASES}
    (tmp_path / "curriculum.json").write_text(json.dumps(whole))
    read = read_curriculum(str(tmp_path))
    mixtures = Mixtures(read.phases, tuple(read.groups), list(read.groups.values()))
    for number, phase in enumerate(epochs.shares_over_time(whole)):
        for i, point in enumerate(phase["points"]):
            mixture = mixtures.at(number, (i + 0.5) / epochs.STEPS)
            expected: Counter[tuple[str, int, str]] = Counter()
            for cell, chance in zip(mixture.cells, mixture.weights, strict=True):
                for g, weight in zip(cell.groups, cell.weights, strict=True):
                    expected[_name(list(read.groups)[g])] += chance * weight
            assert point == pytest.approx(expected)
    shown = {(r["kind"], r["rung"], r["part"]): r for r in epochs.epochs(whole)}
    assert sum(r["shown"] for r in shown.values()) == pytest.approx(1600, abs=5)
    assert shown["text_synth", 256, "en 5-7"]["epochs"] > 0


def _name(group: Group) -> tuple[str, int, str]:
    part = group.size_band if group.kind == "text_synth" else group.density
    return group.kind, group.rung, " ".join(p for p in (group.language, part) if p)


def test_settings_are_named_where_they_differ_without_folders_of_the_machine() -> None:
    config = CorpusConfig.model_validate(
        {
            "out": "/secret/out",
            "plan": {"min_clarity": 0.5, "rung_weights": {256: 1.0}},
            "synth": {"texts": {"en": ["/secret/en.txt"], "zh": ["/secret/zh.txt"]}}
            | {"fonts": ["/secret/fonts"]},
            "engine": {"workers": 0},
        }
    )
    rows = {r["name"]: r for r in changed_settings(config)}
    assert list(rows) == ["plan.min_clarity", "plan.rung_weights", "synth.texts", "synth.fonts"]
    assert rows["plan.min_clarity"] == {
        "name": "plan.min_clarity",
        "value": "0.5",
        "default": "0.45",
    }
    assert rows["plan.rung_weights"]["value"] == "{256: 1.0}"
    assert rows["synth.texts"]["value"] == "{en: [en.txt], zh: [zh.txt]}"
    assert "secret" not in json.dumps(rows)


def test_times_of_stages_that_rested_are_those_of_the_run_that_worked() -> None:
    first = times.run_script(
        None,
        command="a",
        seconds={"score": 50.0, "report": 2.0},
        worked={"score", "report"},
        done={"score": 100},
        workers="4",
    )
    second = times.run_script(
        first,
        command="b",
        seconds={"score": 0.1, "plan": 3.0, "report": 1.0},
        worked={"plan", "report"},
        done={},
        workers="8",
    )
    said = json.loads(second.decode().removeprefix("showRun(").removesuffix(");\n"))
    assert said["command"] == "b"
    assert [(s["stage"], s["seconds"], s["done"]) for s in said["stages"]] == [
        ("score", 50.0, 100),
        ("plan", 3.0, 0),
        ("report", 1.0, 0),
    ]
    torn = times.run_script(
        first[:20], command="", seconds={"plan": 1.0}, worked={"plan"}, done={}, workers="8"
    )
    assert json.loads(torn.decode().removeprefix("showRun(").removesuffix(");\n"))["stages"]


def test_a_plan_without_any_row_gives_an_empty_sample(tmp_path: Path) -> None:
    make(tmp_path, [])
    assert strata.draw_sample(str(tmp_path / "plan"), "", [], seed=0, limit=1000).rows == []


def test_what_is_no_part_of_a_sample_does_not_change_its_shard(tmp_path: Path) -> None:
    before = make(tmp_path / "a", [row(1, ink_cells=[3]), row(2)])["shards"]
    assert make(tmp_path / "b", [row(1, ink_cells=[200]), row(2)])["shards"] == before
