"""Score every unit: a task each, which commits the rows of its images."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.scores import Scores
from filters.settings import ScoreSettings
from pipelines import engine
from pipelines.config import CorpusConfig
from pipelines.planning.neighbourhoods import are_among
from pipelines.sources import Source
from pipelines.stages.runner import BuildFailed, Runner, tell_failures
from pipelines.stages.units import Counted, Listed, read_unit
from pipelines.workers import careful, scorer
from vae_corpus import storage

# Failed units that a message names.
_MOST_TOLD = 10


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Where the rows lie, all units, and those of them that were given up and have none."""

    folder: str
    listed: Listed
    given_up: tuple[engine.Failure, ...]
    versions: dict[str, Any]


class UnitTasks:
    """A task for each unit that has no rows yet, as the engine's `Tasks`."""

    def __init__(self, listed: Counted, committed: NDArray[np.uint64]) -> None:
        committed.sort()
        self._listed = listed
        self._waiting: list[NDArray[np.bool_]] = []
        self._count = self.total_weight = images = 0
        all_known = True
        for part in listed.numbers.parts():
            waiting = ~are_among(part["id"], committed)
            todo = part[waiting]
            self._waiting.append(waiting)
            self._count += len(todo)
            self.total_weight += int(np.maximum(todo["weight"], 1).astype(np.int64).sum())
            images += int(todo["images"].sum(dtype=np.int64))
            all_known &= not (todo["images"] < 0).any()
        self.images = images if all_known else None

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[engine.Task]:
        for part, waiting in zip(self._listed.numbers.parts(), self._waiting, strict=True):
            for one in part[waiting]:
                images = int(one["images"])
                yield engine.Task(
                    task_id=f"{int(one['id']):016x}",
                    payload=self._listed.ref(one),
                    weight=int(one["weight"]),
                    images=None if images < 0 else images,
                )


def score_units(
    config: CorpusConfig, sources: dict[str, Source], listed: Counted, runner: Runner
) -> Scored:
    """Score what is not committed; BuildFailed when more units fail than may be left out."""
    versions = scorer.versions(Scores(config.score))
    folder = storage.join(config.out, "scores", settings_hash(config.score))
    job = scorer.ScoreJob(settings=config.score, versions=versions, sources=sources, folder=folder)
    make_careful = functools.partial(
        careful.make_careful_scorer,
        job,
        image_timeout_s=config.engine.image_timeout_s,
        start_timeout_s=config.engine.start_timeout_s,
    )
    # Only scoring runs models: packing and rendering must not wait for GPUs.
    gpus = config.engine.gpus_per_worker
    count = listed.count
    allowed = config.engine.quarantine(count)
    failures = runner.run(
        "score",
        UnitTasks(listed, _committed(folder)),
        functools.partial(_read_first, functools.partial(scorer.make_scorer, job)),
        functools.partial(_read_first, make_careful),
        gpus,
        allowed,
    ).failures
    if len(failures) > allowed:
        units = [listed.unit(failure.task_id) for failure in failures[:_MOST_TOLD]]
        places = {u.unit_id: f"{u.source}: {u.uri} [{u.start}:{u.stop}]" for u in units}
        raise BuildFailed(
            tell_failures("units could not be scored", failures, places)
            + f"\n{allowed} of the {count} units may be left out"
            " (engine.max_quarantined). Mend the source and run again: only these units are left."
            " Or let more be left out with --engine.max_quarantined N."
        )
    return Scored(folder=folder, listed=listed, given_up=tuple(failures), versions=versions)


def _committed(folder: str) -> NDArray[np.uint64]:
    """The units that have rows, by one listing."""
    names = storage.each_name(folder, ".parquet")
    return np.fromiter((int(name.removesuffix(".parquet"), 16) for name in names), np.uint64)


def _read_first(make: Callable[[], engine.Work]) -> engine.Work:
    """Work for units of which the task says where they stand."""
    work = make()
    return lambda ref: work(read_unit(ref))


def settings_hash(settings: ScoreSettings) -> str:
    """16 hex digits over all that decides a score: settings and the versions of the filters."""
    # The version of text density names engine, models and device; where they lie does not matter.
    known = [settings.model_dump(exclude={"ocr"}), scorer.versions(Scores(settings))]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
