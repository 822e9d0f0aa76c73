"""A plan is the same whatever the number of its partitions, and grows without changing."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.config import CorpusConfig
from pipelines.planning import tables
from pipelines.planning.editing import lets_in, take_out
from pipelines.planning.taken_down import SCHEMA, TakenDown
from pipelines.stages import plan
from tests.pipelines.plans import Row, job_of, make_all, read
from tests.pipelines.test_plan import row, text_row

GROUPS = 7


def flipped(bits: int, rng: np.random.Generator, count: int) -> int:
    for at in rng.choice(64, count, replace=False):
        bits ^= 1 << int(at)
    return bits


def crowd(seed: int = 0, groups: int = GROUPS, each: int = 60) -> list[list[Row]]:
    """Neighbourhoods of photographs and pages, with copies, near copies and shared texts."""
    rng = np.random.default_rng(seed)
    rows: list[Row] = []
    for n in range(groups * each):
        new = row(1000 * seed + n) if rng.random() < 0.6 else page(1000 * seed + n, rng)
        if rows and rng.random() < 0.4:
            new = like(rows[int(rng.integers(len(rows)))], new, rng)
        rows.append(new | {"unit": f"{seed}u{n % groups}-{n % 3}"})
    return [rows[n::groups] for n in range(groups)]


def page(n: int, rng: np.random.Generator) -> Row:
    hashes = np.unique(rng.integers(0, 2**32, 120))
    marks = [
        {"x": float(rng.integers(600)), "y": float(rng.integers(450)), "hash": int(h)}
        for h in hashes
    ]
    known = {
        "text_marks": marks,
        "text_sketch": rng.bytes(128),
        "content": "document",
        "text_stage": "known",
    }
    scan = {"layout": rng.integers(0, 256, 4096, dtype=np.uint8).tobytes()}
    return text_row(n, 300.0, **(known if rng.random() < 0.7 else scan))


def like(old: Row, new: Row, rng: np.random.Generator) -> Row:
    """A copy of an old row, of its look or of its text, at a place of its own."""
    place = {name: new[name] for name in ("member", "uri", "unit")}
    kind = rng.random()
    if kind < 0.25:
        return old | place
    own = {name: new[name] for name in ("key", "sha256")}
    if kind < 0.7 or not old.get("text_marks"):
        clarity = round(float(rng.uniform(0.85, 0.95)), 3)
        phash = flipped(old["phash"], rng, int(rng.integers(6)))
        return old | place | own | {"phash": phash, "clarity": clarity}
    return old | place | own | {"phash": new["phash"], "phash_fine": new["phash_fine"]}


def tables_of(folder: Path) -> dict[str, bytes]:
    root = folder / "plan"
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.parquet"))}


def config(partitions: int, **sections: Any) -> CorpusConfig:
    plan_settings = {"partitions": partitions, "rung_weights": {256: 1.0}}
    pack = {"shard_samples": 24}
    whole = {"plan": plan_settings | sections.pop("plan", {}), "pack": pack}
    return CorpusConfig.model_validate(whole | sections)


@pytest.mark.parametrize("quotas", [{}, {"general": 41, "document": 17}])
def test_the_number_of_partitions_changes_no_byte(tmp_path: Path, quotas: dict[str, int]) -> None:
    rows = crowd()
    found = {}
    for count in (1, 3, GROUPS):
        make_all(tmp_path / str(count), rows, config(count, plan={"quotas": quotas}))
        found[count] = tables_of(tmp_path / str(count))
    assert found[1] == found[3] == found[GROUPS]
    made = read(str(tmp_path / "1" / "plan"))
    slugs = Counter(r["slug"] for r in made["dropped"])
    assert slugs["duplicate"] > 10 and slugs["near_duplicate"] > 20
    assert len(made["selected"]) + len(made["dropped"]) == sum(map(len, rows))
    for kind, quota in quotas.items():
        assert sum(r["kind"] == kind for r in made["selected"]) == quota
    assert slugs["over_quota"] > 10 or not quotas
    # Shards of a neighbourhood alone, and shards of what several have left.
    parts = [len(shard["parts"]) for shard in made["shards"]]
    assert min(parts) == 0 and max(parts) > 1


def test_a_plan_that_was_stopped_goes_on_and_is_the_same(tmp_path: Path) -> None:
    rows = crowd(each=20)
    make_all(tmp_path / "whole", rows, config(3))
    job = job_of(tmp_path / "stopped", rows, config(3))
    for step in plan.PASSES[:6]:
        for number in range(2 if step.name == "ask" else 1 if step.single else 3):
            plan.do_task(job, step, number)
    asked: list[str] = []

    def run(job: Any, step: plan.Pass, numbers: list[int]) -> None:
        asked.extend(f"{step.name}-{n}" for n in numbers)
        for number in numbers:
            plan.do_task(job, step, number)

    plan.make_plan(job, run)
    assert asked[0] == "ask-2" and not any(name.startswith("judge") for name in asked)
    assert tables_of(tmp_path / "stopped") == tables_of(tmp_path / "whole")
    assert not Path(job.work).exists()


def test_twins_of_other_neighbourhoods_are_found(tmp_path: Path) -> None:
    rows = [[row(n, phash=5, phash_fine=bytes(32), unit=f"u{n}", width=600 + n)] for n in range(9)]
    made = make_all(tmp_path, rows, config(9))
    assert [r["member"] for r in made["selected"]] == ["8.jpg"]
    assert {r["duplicate_of"] for r in made["dropped"]} == {made["selected"][0]["key"]}


def test_new_neighbourhoods_leave_the_others_as_they_are(tmp_path: Path) -> None:
    old, new = crowd(), crowd(seed=1, groups=3)
    # What comes later may be better than what is there, and has to go even so.
    better = [old[0][n] | {"width": 900, "height": 675, "unit": "late"} for n in range(10)]
    better = [
        r | {"member": f"late{n}.jpg", "uri": f"/b/late{n}.jpg"} for n, r in enumerate(better)
    ]
    better = [r | {"sha256": f"{n:064x}", "key": f"a-{n:016x}"} for n, r in enumerate(better)]
    make_all(tmp_path / "old", old, config(2))
    grown = [0] * len(old) + [1] * 4
    make_all(tmp_path / "new", [*old, *new, better], config(5), grown)
    before, after = tables_of(tmp_path / "old"), tables_of(tmp_path / "new")
    # All tables of the neighbourhoods that were there.
    names = set(before) - {tables.SHARDS}
    assert len(names) == 4 * GROUPS and all(after[name] == before[name] for name in names)
    shards = [
        {r["shard"]: r for r in pq.read_table(tmp_path / name / "plan" / tables.SHARDS).to_pylist()}
        for name in ("old", "new")
    ]
    assert shards[0].items() <= shards[1].items() and len(shards[1]) > len(shards[0])
    made = read(str(tmp_path / "new" / "plan"))
    late = {r["member"]: r["slug"] for r in made["dropped"] if r["member"].startswith("late")}
    kept = {r["member"] for r in made["selected"] if r["member"].startswith("late")}
    assert len(late) >= 5 and len(late) + len(kept) == 10


def test_shards_are_of_even_size_and_hold_what_is_kept_once(tmp_path: Path) -> None:
    rows = [[row(100 * g + n, unit=f"u{g}") for n in range(37)] for g in range(11)]
    made = make_all(tmp_path, rows, config(2))
    sizes = [shard["samples"] for shard in made["shards"]]
    assert sum(sizes) == len(made["selected"]) == 11 * 37
    assert np.mean([19 <= size <= 29 for size in sizes]) >= 0.95
    held = Counter(r["shard"] for r in made["selected"])
    assert held == {shard["shard"]: shard["samples"] for shard in made["shards"]}
    for shard in made["shards"]:
        parts = {r["part"] for r in made["selected"] if r["shard"] == shard["shard"]}
        assert parts == (set(shard["parts"]) or {None})
    # What a neighbourhood leaves may go to several shards.
    used = Counter(part for shard in made["shards"] for part in shard["parts"])
    assert max(used.values()) > 1


@pytest.fixture(scope="module")
def of_two_sources(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[list[Row]], Path]:
    """Rows, and the folder of their plan, for reading alone."""
    rows, folder = crowd(each=40), tmp_path_factory.mktemp("sources")
    for n in range(0, len(rows[2]), 9):
        rows[2][n] |= {"source": "b", "key": rows[2][n]["key"].replace("a-", "b-")}
    make_all(folder, rows, config(2))
    return rows, folder / "plan"


@pytest.mark.parametrize("what", ["key", "sha256", "source"])
def test_what_is_taken_down_changes_its_own_shards_alone(
    of_two_sources: tuple[list[list[Row]], Path], tmp_path: Path, what: str
) -> None:
    rows, planned = of_two_sources
    edited = str(shutil.copytree(planned, tmp_path / "edited" / "plan"))
    before = read(edited)
    chosen = [r[what] for r in before["selected"][::40]] if what != "source" else ["b"]
    table = [{"what": what, "value": value, "why": "asked for"} for value in chosen]
    gone = TakenDown(pa.Table.from_pylist(table, schema=SCHEMA))
    job = job_of(tmp_path / "remade", rows, config(2))
    plan.make_plan(replace(job, taken_down=gone))
    count = take_out(edited, gone, job.pack, job.seed)
    assert tables_of(tmp_path / "edited") == tables_of(tmp_path / "remade")
    assert tables.facts(edited) == tables.facts(job.folder)
    assert take_out(edited, gone, job.pack, job.seed) == 0

    after = read(edited)
    out = [r for r in before["selected"] if r[what] in chosen]
    assert len(out) == count >= 3
    assert not any(r[what] in chosen for r in after["selected"])
    assert sum(r["slug"] == "taken_down" for r in after["dropped"]) == count
    recipes = {shard["shard"]: shard["recipe"] for shard in after["shards"]}
    concerned = {r["shard"] for r in out}
    for shard in before["shards"]:
        same = recipes.get(shard["shard"]) == shard["recipe"]
        assert same == (shard["shard"] not in concerned)
    assert not lets_in(edited, gone) and lets_in(edited, TakenDown())
