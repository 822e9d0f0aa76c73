"""Score every unit: a task each, which commits the rows of its images."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from filters.scores import Scores
from filters.settings import ScoreSettings
from pipelines import engine
from pipelines.config import CorpusConfig
from pipelines.sources import Source, Unit
from pipelines.stages.runner import BuildFailed, Runner, tell_failures
from pipelines.workers import careful, scorer
from vae_corpus import storage


@dataclass(frozen=True, kw_only=True)
class Scored:
    """Where the rows lie, the units that have them, and those that were given up."""

    folder: str
    units: tuple[Unit, ...]
    given_up: tuple[engine.Failure, ...]
    versions: dict[str, Any]


def score_units(
    config: CorpusConfig, sources: dict[str, Source], units: Sequence[Unit], runner: Runner
) -> Scored:
    """Score what is not committed; BuildFailed when more units fail than may be left out."""
    versions = scorer.versions(Scores(config.score))
    folder = storage.join(config.out, "scores", settings_hash(config.score))
    committed = set(storage.names(folder, ".parquet"))
    job = scorer.ScoreJob(settings=config.score, versions=versions, sources=sources, folder=folder)
    tasks = [
        engine.Task(
            task_id=unit.unit_id,
            payload=unit,
            weight=sources[unit.source].weight(unit),
            images=sources[unit.source].images(unit),
        )
        for unit in units
        if f"{unit.unit_id}.parquet" not in committed
    ]
    make_careful = functools.partial(
        careful.make_careful_scorer,
        job,
        image_timeout_s=config.engine.image_timeout_s,
        start_timeout_s=config.engine.start_timeout_s,
    )
    make_work = functools.partial(scorer.make_scorer, job)
    # Only scoring runs models: packing and rendering must not wait for GPUs.
    gpus = config.engine.gpus_per_worker
    allowed = config.engine.quarantine(len(units))
    failures = runner.run("score", tasks, make_work, make_careful, gpus, allowed).failures
    if len(failures) > allowed:
        places = {u.unit_id: f"{u.source}: {u.uri} [{u.start}:{u.stop}]" for u in units}
        raise BuildFailed(
            tell_failures("units could not be scored", failures, places)
            + f"\n{allowed} of the {len(units)} units may be left out"
            " (engine.max_quarantined). Mend the source and run again: only these units are left."
            " Or let more be left out with --engine.max_quarantined N."
        )
    lost = {failure.task_id for failure in failures}
    return Scored(
        folder=folder,
        units=tuple(unit for unit in units if unit.unit_id not in lost),
        given_up=tuple(failures),
        versions=versions,
    )


def settings_hash(settings: ScoreSettings) -> str:
    """16 hex digits over all that decides a score: settings and the versions of the filters."""
    # The version of text density names engine, models and device; where they lie does not matter.
    known = [settings.model_dump(exclude={"ocr"}), scorer.versions(Scores(settings))]
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:16]
