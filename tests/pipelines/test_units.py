"""Units are dealt alike in whatever process, and their tasks pass by without a list of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from pipelines.config import CorpusConfig
from pipelines.sources import FolderSource, Unit
from pipelines.stages import list as listing
from pipelines.stages.score import UnitTasks
from pipelines.stages.units import Counted, read_unit

COUNT = 300


class Named(FolderSource):
    """Units of several weights that nobody reads."""

    def units(self) -> Iterator[Unit]:
        for n in range(COUNT):
            name = hashlib.sha256(str(n).encode()).hexdigest()[:16]
            members = tuple(f"{name}-{i}.jpg" for i in range(n % 4 + 1))
            yield Unit(
                unit_id=name,
                source=self.name,
                uri="/data",
                start=0,
                stop=len(members),
                bytes=1000,
                members=members,
            )


def list_into(out: Path) -> Counted:
    runner: Any = SimpleNamespace(
        console=SimpleNamespace(show=lambda figures: figures()), worked=set()
    )
    return listing.list_units(CorpusConfig(out=str(out)), [Named(name="a", uri="/data")], runner)


def none() -> Any:
    return np.zeros(0, np.uint64)


def test_units_are_dealt_alike_in_a_process_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = list_into(tmp_path / "here")
    monkeypatch.setattr(listing, "_FEW_UNITS", COUNT - 1)
    away = list_into(tmp_path / "away")
    written = [
        {path.name: path.read_bytes() for path in (tmp_path / name / "units").iterdir()}
        for name in ("here", "away")
    ]
    assert len(written[0]) > 3 and written[0] == written[1]
    ids = [[task.task_id for task in UnitTasks(each, none())] for each in (here, away)]
    assert len(ids[0]) == COUNT and ids[0] == ids[1]


def test_there_is_a_task_for_each_unit_that_waits_heaviest_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # In many parts, as millions of units have.
    monkeypatch.setattr("pipelines.stages.units._AT_ONCE", 7)
    listed = list_into(tmp_path)
    units = {unit.unit_id: unit for unit in Named(name="a", uri="/data").units()}
    committed = sorted(units)[::3]
    tasks = UnitTasks(listed, np.array([int(name, 16) for name in committed], np.uint64))
    made = list(tasks)
    assert [task.task_id for task in made] == [task.task_id for task in tasks]
    assert sorted(task.task_id for task in made) == sorted(set(units) - set(committed))
    assert len(tasks) == len(made)
    weights = [task.weight for task in made]
    assert weights == sorted(weights, reverse=True) and len(set(weights)) > 1
    assert tasks.total_weight == sum(weights)
    assert tasks.images == sum(len(units[task.task_id].members) for task in made)
    for task in made:
        assert read_unit(task.payload) == units[task.task_id] == listed.unit(task.task_id)
