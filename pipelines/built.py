"""What a build is: its settings, what it has done so far, and how it may end."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from pipelines import engine, lease, pack
from pipelines import shards as committed
from pipelines.config import CorpusConfig
from pipelines.report.board import Board
from pipelines.report.log import BuildLog
from pipelines.sources import Unit


class BuildFailed(RuntimeError):
    """Some units or shards could not be made; the message lists them. Exit code 1."""


@dataclass(kw_only=True)
class Build:
    """What a finished build was: where its parts lie, what it did, how long it took."""

    config: CorpusConfig
    ticket: lease.Ticket
    log: BuildLog
    board: Board | None = None
    score_folder: str = ""
    plan_folder: str = ""
    units: list[Unit] = field(default_factory=list)
    shards: list[pack.Shard] = field(default_factory=list)
    # What lies in the corpus, until shards are made.
    look: committed.Look | None = None
    groups: list[dict[str, Any]] = field(default_factory=list)
    notices: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    quarantined: list[engine.Failure] = field(default_factory=list)
    seconds: dict[str, float] = field(default_factory=dict)
    worked: set[str] = field(default_factory=set)
    items: Counter[str] = field(default_factory=Counter)
    images: dict[str, Any] = field(default_factory=dict)
    page: str = ""


def scored_units(done: Build) -> list[Unit]:
    """The units that were not given up."""
    lost = {failure.task_id for failure in done.quarantined}
    return [unit for unit in done.units if unit.unit_id not in lost]
