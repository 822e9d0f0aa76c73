"""Backgrounds of synthetic shards: runs of neighbours, most of them safe from changes."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from pipelines.config import CorpusConfig
from pipelines.planning.job import Neighbourhood
from pipelines.planning.taken_down import SCHEMA as TAKEN_DOWN
from pipelines.planning.taken_down import TakenDown
from pipelines.stages import plan
from pipelines.stages.backgrounds import SCHEMA, Backgrounds, candidates
from tests.pipelines.plans import job_of
from tests.pipelines.test_plan import row, text_row

COUNT, SHARDS = 64, 200


def table(count: int, gone: tuple[int, ...] = (), side: int = 512) -> pa.Table:
    """Candidates one behind the other in one file."""
    rng = np.random.default_rng(0)
    rows = [
        {"key": f"a-{n}", "source": "a", "uri": "/a.tar", "offset": 1000 * n, "bytes": 1000}
        | {"width": side, "height": side + 9, "sha256": rng.bytes(32).hex(), "gone": n in gone}
        for n in range(count)
    ]
    return pa.Table.from_pylist(rows, schema=SCHEMA)


def drawn(made: pa.Table, count: int = COUNT, seed: int = 0) -> list[list[int]]:
    """Which candidates each of the shards gets."""
    pool = Backgrounds(made, 256, seed)
    return [[int(key[2:]) for key in pool.keys(number, count)] for number in range(SHARDS)]


def runs(places: list[int], size: int) -> int:
    """How many runs of neighbours, where the first follows the last."""
    return sum((place - 1) % size not in places for place in places)


@pytest.mark.parametrize("count", [1, 5, 20, 64])
def test_a_shard_has_as_many_as_asked_in_few_runs(count: int) -> None:
    size = 3000
    for places in drawn(table(size), count):
        assert len(set(places)) == len(places) == count
        assert places == sorted(places)
        assert runs(places, size) <= -(-count // 16) + 1


def test_each_image_serves_and_none_far_more_often_than_others() -> None:
    counts = Counter(place for places in drawn(table(500)) for place in places)
    assert len(counts) == 500
    assert max(counts.values()) < 5 * sum(counts.values()) / 500


def test_shards_rungs_and_seeds_draw_others() -> None:
    made = table(3000)
    first = Backgrounds(made, 256, 0)
    others = [first.keys(1, COUNT), Backgrounds(made, 512, 0).keys(0, COUNT)]
    others.append(Backgrounds(made, 256, 1).keys(0, COUNT))
    for other in others:
        assert len(set(other) & set(first.keys(0, COUNT))) < COUNT / 2


@pytest.mark.parametrize("lost", [0, 17, 499])
def test_one_image_less_changes_only_the_shards_that_had_it(lost: int) -> None:
    made = table(2000)
    before = drawn(made)
    fewer = made.filter(pa.array(np.arange(2000) != lost))
    after = drawn(fewer)
    changed = [n for n in range(SHARDS) if before[n] != after[n]]
    # The run before it may have begun with it.
    near = {(lost - 1) % 2000, lost, (lost + 1) % 2000}
    assert len(changed) < SHARDS / 4
    assert all(near & {*before[n], *after[n]} for n in changed)


def test_what_was_taken_down_is_left_out_where_it_was_drawn() -> None:
    gone = tuple(range(40, 60))
    before, after = drawn(table(600)), drawn(table(600, gone))
    touched = 0
    for old, new in zip(before, after, strict=True):
        assert new == [place for place in old if place not in gone]
        touched += new != old
    assert 0 < touched < SHARDS


def test_a_shard_whose_images_were_all_taken_down_gets_others() -> None:
    gone = tuple(range(0, 300))
    for places in drawn(table(310, gone), 8):
        assert places and not set(places) & set(gone)


def test_a_few_candidates_are_all_taken() -> None:
    assert all(places == list(range(12)) for places in drawn(table(12)))


def test_large_images_are_preferred_and_small_ones_better_than_none() -> None:
    both = pa.concat_tables([table(50, side=300), table(10)])
    assert len(Backgrounds(both, 512, 0).keys(0, COUNT)) == 10
    assert len(Backgrounds(both, 1024, 0).keys(0, COUNT)) == 60


def planned(
    folder: Path, groups: list[list[dict[str, Any]]], generations: list[int], **changes: Any
) -> tuple[str, list[Neighbourhood]]:
    job = replace(job_of(folder, groups, CorpusConfig(), generations), **changes)
    plan.make_plan(job)
    return job.folder, [each for batch in job.batches for each in batch]


def group(number: int, count: int) -> list[dict[str, Any]]:
    rows = [row(100 * number + n, unit=f"u{number}") for n in range(count)]
    return [*rows, text_row(100 * number + 99, unit=f"u{number}")]


def test_candidates_are_general_images_of_the_oldest_generation(tmp_path: Path) -> None:
    before, old = planned(tmp_path / "a", [group(0, 5), group(1, 4)], [0, 0])
    grown = [group(0, 5), group(1, 4), group(2, 6)]
    after, all_of_them = planned(tmp_path / "b", grown, [0, 0, 1])
    found = candidates(before, old, 0, taken_down=False)
    assert len(found) == 9
    assert candidates(after, all_of_them, 0, taken_down=False).equals(found)


def test_where_the_oldest_has_none_the_next_generation_serves(tmp_path: Path) -> None:
    texts = [text_row(n, unit="u0") for n in range(3)]
    folder, all_of_them = planned(tmp_path, [texts, group(1, 4)], [0, 1])
    assert len(candidates(folder, all_of_them, 0, taken_down=False)) == 4
    folder, all_of_them = planned(tmp_path / "none", [texts], [0])
    assert len(candidates(folder, all_of_them, 0, taken_down=False)) == 0


def test_taken_down_images_keep_their_place_among_candidates(tmp_path: Path) -> None:
    groups = [group(0, 5), group(1, 4)]
    before, all_of_them = planned(tmp_path / "a", groups, [0, 0])
    key = groups[0][2]["key"]
    down = TakenDown(
        pa.Table.from_pylist([{"what": "key", "value": key, "why": "x"}], schema=TAKEN_DOWN)
    )
    after, _ = planned(tmp_path / "b", groups, [0, 0], taken_down=down)
    whole = candidates(before, all_of_them, 0, taken_down=False)
    fewer = candidates(after, all_of_them, 0, taken_down=True)
    assert whole["key"].to_pylist() == fewer["key"].to_pylist()
    gone = fewer.filter(fewer["gone"])["key"].to_pylist()
    assert gone == [key]
