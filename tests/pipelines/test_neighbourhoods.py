"""Units are dealt once; what comes later makes neighbourhoods of its own or fills gaps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

from pipelines.planning import neighbourhoods
from pipelines.planning.neighbourhoods import Dealt, deal
from pipelines.stages import dealing
from tests.pipelines.builds import run, write_config, write_inputs
from vae_corpus import storage
from vae_corpus.demo import DemoInputs


def units(count: int, seed: int = 0) -> NDArray[np.uint64]:
    return np.random.default_rng(seed).integers(1, 1 << 63, count).astype(np.uint64)


def held(dealt: list[Dealt]) -> list[list[int]]:
    return [each.ids.tolist() for each in dealt]


def test_units_are_dealt_evenly_and_each_once() -> None:
    dealt = deal([], units(100), 16)
    sizes = [len(ids) for ids in held(dealt)]
    assert len(sizes) == 7 and max(sizes) - min(sizes) <= 1
    assert sorted(sum(held(dealt), [])) == sorted(units(100).tolist())
    assert {each.generation for each in dealt} == {0}


def test_the_order_of_listing_changes_nothing() -> None:
    found = units(100)
    names = [each.file_name for each in deal([], found, 16)]
    assert names == [each.file_name for each in deal([], found[::-1], 16)]


def test_large_units_make_smaller_neighbourhoods() -> None:
    assert len(deal([], units(64), 64, bytes_each=0.1)) == 1
    assert len(deal([], units(64), 64, bytes_each=4.0)) == 8
    assert len(deal([], units(4), 64, bytes_each=500.0)) == 4


def test_what_is_new_makes_a_generation_and_leaves_the_others() -> None:
    first = deal([], units(100), 16)
    grown = deal(first, np.concatenate([units(100), units(20, seed=1)]), 16)
    assert [each.file_name for each in grown[:7]] == [each.file_name for each in first]
    assert [(each.number, each.generation) for each in grown[7:]] == [(7, 1), (8, 1)]


def test_what_is_new_takes_the_places_of_what_is_gone() -> None:
    first = deal([], units(100), 16)
    lost = first[2].ids[3]
    other = units(1, seed=1)
    changed = deal(first, np.append(units(100)[units(100) != lost], other), 16)
    assert len(changed) == 7 and {each.generation for each in changed} == {0}
    differs = [n for n in range(7) if changed[n].file_name != first[n].file_name]
    assert differs == [2] and other[0] in changed[2].ids and lost not in changed[2].ids


def test_a_neighbourhood_without_units_is_no_more() -> None:
    first = deal([], units(100), 16)
    rest = np.concatenate([each.ids for each in first[1:]])
    assert [each.number for each in deal(first, rest, 16)] == [1, 2, 3, 4, 5, 6]
    assert deal(first, np.zeros(0, np.uint64), 16) == []


def test_a_deal_that_was_stopped_does_not_count(
    tmp_path: Path, demo: DemoInputs, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_inputs(tmp_path / "in")
    out, whole = tmp_path / "out", tmp_path / "whole"
    sections = {"pack": {"neighbourhood_units": 1}, "synth": {"samples": {}}}
    config = write_config(tmp_path / "c.yaml", tmp_path / "in", demo, **sections)
    committed: list[str] = []
    commit = storage.commit

    def once(path: str):  # type: ignore[no-untyped-def]
        if "/units/" in path and committed:
            raise OSError("stopped")
        committed.append(path)
        return commit(path)

    with monkeypatch.context() as patch:
        patch.setattr(dealing.storage, "commit", once)
        assert run(config, out) == 1
    assert neighbourhoods.listed(str(out / "units")) == []
    assert len(list((out / "units").glob("*.parquet"))) == 1
    assert run(config, out) == run(config, whole) == 0
    names = [sorted(p.name for p in (root / "units").iterdir()) for root in (out, whole)]
    assert names[0] == names[1] and len(names[0]) == 3
    for file in (whole / "units").glob("*.parquet"):
        assert pq.ParquetFile(file).num_row_groups == pq.ParquetFile(file).metadata.num_rows
