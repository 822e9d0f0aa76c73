"""Shards of several neighbourhoods: what is in them, and what a fault or a loss makes of them."""

from __future__ import annotations

import errno
import json
import os
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipelines.config import CorpusConfig
from pipelines.planning import tables
from pipelines.planning.shards import Shard
from pipelines.sources import WebDatasetSource
from pipelines.stages import pack
from pipelines.stages.packing import parts
from pipelines.stages.packing.job import PackTask, Target
from pipelines.stages.runner import BuildFailed
from pipelines.workers.tasks import OutOfSpace
from tests.once import made_once
from tests.pictures import tree
from tests.pipelines import packs
from vae_corpus import storage, tar

Built = tuple[CorpusConfig, Path, str]


@pytest.fixture(scope="module")
def inputs(shared: Path) -> Path:
    return made_once(shared / "packed-inputs", packs.write_inputs)


@pytest.fixture(scope="module")
def first(inputs: Path, shared: Path) -> Path:
    """A corpus up to its shards, for reading alone."""

    def make(folder: Path) -> None:
        packs.build(packs.config(str(inputs), str(folder)))

    return made_once(shared / "packed", make)


@pytest.fixture
def packed(inputs: Path, first: Path, tmp_path: Path) -> Built:
    """A copy of it that a test may change: settings, folder, plan."""
    out = Path(shutil.copytree(first, tmp_path / "corpus"))
    (plan,) = (out / "plan").iterdir()
    return packs.config(str(inputs), str(out)), out, str(plan)


@pytest.fixture
def fetched(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int, int]]:
    """The addresses that are asked for from here on."""
    asked: list[tuple[str, int, int]] = []
    fetch_many = WebDatasetSource.fetch_many

    def counting(self: Any, addresses: Sequence[tuple[str, int, int]]) -> Iterator[bytes]:
        asked.extend(addresses)
        return fetch_many(self, addresses)

    monkeypatch.setattr(WebDatasetSource, "fetch_many", counting)
    return asked


def shards_of(plan: str, *, shared: bool) -> list[Shard]:
    found = [shard for shard in pack.read_shards(plan) if bool(shard.parts) == shared]
    assert found
    return found


def lose(out: Path, shard: Shard) -> None:
    (out / f"{shard.name}.tar").unlink()


def drafts(out: Path) -> list[Path]:
    return list(out.rglob("*.tmp"))


def test_shards_hold_exactly_what_is_planned(packed: Built) -> None:
    config, out, plan = packed
    planned = packs.planned_tars(config, plan)
    found = {f"shards/{name}": data for name, data in tree(out / "shards").items()}
    assert found.keys() == planned.keys()
    for name, data in planned.items():
        assert found[name] == data, name
    # There are shards of both sorts; how many depends on where the inputs lie.
    assert any(len(shard.parts) > 1 for shard in shards_of(plan, shared=True))
    assert shards_of(plan, shared=False)


def test_nothing_is_lost_and_nothing_is_twice(packed: Built) -> None:
    _, out, plan = packed
    indexes = [pq.read_table(path).to_pylist() for path in (out / "shards").rglob("*.parquet")]
    keys = [row["key"] for rows in indexes for row in rows]
    assert len(set(keys)) == len(keys)
    assert {row["parent"] for rows in indexes for row in rows} == {
        row["key"] for row in packs.selected(plan)
    }
    assert len(keys) == sum(shard.samples for shard in pack.read_shards(plan))


def test_parts_are_gone_when_their_shards_are_there(packed: Built) -> None:
    _, out, _ = packed
    assert not (out / parts.FOLDER).exists() and not drafts(out)


@pytest.mark.slow
def test_workers_make_the_same_bytes(inputs: Path, first: Path, tmp_path: Path) -> None:
    out = tmp_path / "corpus"
    # With several partitions the plan is theirs to make as well.
    plan, engine = packs.PLAN | {"partitions": 3}, {"workers": 1}
    packs.build(packs.config(str(inputs), str(out), engine=engine, plan=plan))
    assert tree(out) == tree(first)
    tables = (sorted(root.glob("plan/*/*/*.parquet")) for root in (out, first))
    assert [t.read_bytes() for t in next(tables)] == [t.read_bytes() for t in next(tables)]


def test_a_lost_shard_alone_is_made_again(
    packed: Built, fetched: list[tuple[str, int, int]]
) -> None:
    config, out, plan = packed
    before = tree(out)
    shard = shards_of(plan, shared=False)[-1]
    others = {path: path.stat().st_mtime_ns for path in (out / "shards").rglob("*.tar")}
    lose(out, shard)
    packs.build(config)
    assert tree(out) == before
    del others[out / f"{shard.name}.tar"]
    assert others == {path: path.stat().st_mtime_ns for path in others}
    rows = [row for row in packs.selected(plan) if row["shard"] == shard.name]
    assert fetched == [(row["uri"], row["offset"], row["bytes"]) for row in rows]


def test_a_lost_shard_of_several_neighbourhoods_takes_its_parts_alone(
    packed: Built, fetched: list[tuple[str, int, int]]
) -> None:
    config, out, plan = packed
    before = tree(out)
    shard = shards_of(plan, shared=True)[-1]
    lose(out, shard)
    packs.build(config)
    assert tree(out) == before
    rows = [row for row in packs.selected(plan) if row["part"] in shard.parts]
    assert fetched and sorted(fetched) == sorted((r["uri"], r["offset"], r["bytes"]) for r in rows)
    assert not (out / parts.FOLDER).exists()


def test_a_build_that_ended_between_both_passes_goes_on_with_its_parts(
    packed: Built, monkeypatch: pytest.MonkeyPatch, fetched: list[tuple[str, int, int]]
) -> None:
    config, out, plan = packed
    before = tree(out)
    shared = shards_of(plan, shared=True)
    for shard in shared:
        lose(out, shard)

    def killed(out: str) -> Any:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(parts, "make_joiner", killed)
        with pytest.raises(KeyboardInterrupt):
            packs.build(config)
    left = list((out / parts.FOLDER).rglob("*.tar"))
    assert len(left) == len({part for shard in shared for part in shard.parts})
    left[0].write_bytes(left[0].read_bytes()[:-700])  # is made again
    fetched.clear()
    packs.build(config)
    assert tree(out) == before
    torn = str(left[0].relative_to(out).with_suffix(""))
    rows = [row for row in packs.selected(plan) if row["part"] == torn]
    assert fetched == [(row["uri"], row["offset"], row["bytes"]) for row in rows]


def test_parts_of_another_plan_are_not_used(packed: Built) -> None:
    _, out, plan = packed
    name = shards_of(plan, shared=True)[0].parts[0]
    with storage.commit(str(out / f"{name}.tar")) as file:
        writer = tar.ShardWriter(file, name)
        index = writer.close()
    mine = parts.recipe(plan)
    tar.commit_index(str(out), name, mine, index)
    assert parts.missing(str(out), plan, [name]) == []
    # As after a take-down, which changes a plan and leaves its name.
    facts = tables.facts(plan)
    assert facts is not None
    text = json.dumps(facts | {"taken_down": "0123456789abcdef"}).encode()
    storage.commit_bytes(storage.join(plan, tables.FACTS), text)
    assert parts.recipe(plan) != mine
    (lacking,) = parts.missing(str(out), plan, [name])
    assert lacking.name == name


def test_a_changed_original_costs_its_own_shard_alone(packed: Built, tmp_path: Path) -> None:
    config, out, plan = packed
    before = tree(out)
    shutil.rmtree(out / "shards")
    (row, *_) = [row for row in packs.selected(plan) if row["part"] is None]
    path = Path(row["uri"])
    kept, stat = path.read_bytes(), path.stat()
    bad = bytearray(kept)
    bad[row["offset"] + row["bytes"] // 2] ^= 0xFF
    try:
        path.write_bytes(bad)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
        with pytest.raises(BuildFailed, match="has changed since it was scored") as error:
            packs.build(config)
    finally:
        path.write_bytes(kept)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    assert row["shard"] in str(error.value)
    assert not drafts(out)
    mine = {shard.name for shard in shards_of(plan, shared=False)}
    there = {str(path.relative_to(out).with_suffix("")) for path in out.rglob("shards/*/*/*.tar")}
    assert there == mine - {row["shard"]}
    packs.build(config)
    assert tree(out) == before


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), OutOfSpace),
        (ValueError("odd"), BuildFailed),
    ],
)
def test_a_fault_while_shards_are_written_leaves_nothing_half_done(
    packed: Built, monkeypatch: pytest.MonkeyPatch, fault: Exception, told: type[Exception]
) -> None:
    config, out, _ = packed
    before = tree(out)
    shutil.rmtree(out / "shards")
    add, added = tar.ShardWriter.add, []

    def failing(self: Any, *args: Any) -> None:
        added.append(args)
        if len(added) > 9:
            raise fault
        add(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(tar.ShardWriter, "add", failing)
        with pytest.raises(told):
            packs.build(config)
    assert not drafts(out)
    there = {name: data for name, data in tree(out).items() if not name.startswith("parts/")}
    assert there.items() < before.items()
    packs.build(config)
    assert tree(out) == before


@pytest.mark.parametrize("workers", [0, 1, 3, 5, 100])
def test_tasks_make_each_shard_and_part_once(packed: Built, workers: int) -> None:
    _, _, plan = packed
    shards = pack.read_shards(plan)
    names = sorted({part for shard in shards for part in shard.parts})
    lacking = [Target(name=name, recipe="x") for name in names]
    tasks = pack.PackTasks(shards, lacking, workers)
    made = list(tasks)
    targets = [target.name for task in made for target in task.payload.targets]
    alone = [shard for shard in shards if not shard.parts]
    assert sorted(targets) == sorted([*(shard.name for shard in alone), *names])
    assert tasks.images == sum(task.images or 0 for task in made) == sum(s.samples for s in alone)
    assert len(made) == len(tasks) >= min(workers, len(targets))
    assert tasks.total_weight == sum(task.weight for task in made)
    assert [task.weight for task in made] == sorted((t.weight for t in made), reverse=True)
    for task in made:
        payload: PackTask = task.payload
        assert task.pieces == len(payload.targets)
        assert payload.targets[0].name in tasks.names(task.task_id)
    if workers <= 1:
        neighbourhoods = [task.payload.neighbourhood for task in made]
        assert len(set(neighbourhoods)) == len(neighbourhoods)
