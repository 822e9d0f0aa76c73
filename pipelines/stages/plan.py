"""Plan the corpus: queries over the scores that decide what is kept, as what, and where it goes.

Nothing is decoded here. Every scored image ends in exactly one of `selected` and `dropped`; what
could not be decoded is listed in `rejected`. `shards` says what each tar will hold, under a
recipe hash: a shard whose recipe has not changed need not be packed again.

The plan is made in passes. A task of a pass handles a batch of neighbourhoods, or one partition of
all rows by what they are compared by, and commits its files; a plan that was killed goes on where
it was. With one batch, as small corpora have, all tasks run here, else on the engine.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipelines import engine
from pipelines.config import CorpusConfig
from pipelines.planning import tables, taken_down
from pipelines.planning.editing import lets_in, take_out
from pipelines.planning.job import Neighbourhood, PlanJob, done_path
from pipelines.planning.passes.exact import find_exact
from pipelines.planning.passes.fates import decide_batch
from pipelines.planning.passes.judge import in_order, judge_batch, judge_rows
from pipelines.planning.passes.near import find_near
from pipelines.planning.passes.said import ask_for, find_leaders, find_met
from pipelines.planning.passes.settle import deal_rest, list_shards, settle_batch, weigh_batch
from pipelines.planning.passes.show import show_batch
from pipelines.planning.quotas import find_last
from pipelines.planning.shards import PACK_VERSION, draw_shards
from pipelines.stages.runner import BuildFailed, Runner, tell_failures
from pipelines.stages.score import Scored
from vae_corpus import storage
from vae_corpus.words import GENERAL

# Raised when the same settings would give another plan.
VERSION = 8

# Neighbourhoods that one task handles: some 10^6 images.
_BATCH = 16
_WORK = "work-"


@dataclass(frozen=True, kw_only=True)
class Pass:
    """A step of the plan: what each of its tasks does; `single`: there is one task."""

    name: str
    work: Callable[[PlanJob, int], dict[str, Any]]
    single: bool = False


PASSES = (
    Pass(name="judge", work=judge_batch),
    Pass(name="exact", work=find_exact),
    Pass(name="near", work=find_near),
    Pass(name="leaders", work=find_leaders),
    Pass(name="met", work=find_met),
    Pass(name="ask", work=ask_for),
    Pass(name="show", work=show_batch),
    Pass(name="fates", work=decide_batch),
    Pass(name="quotas", work=find_last, single=True),
    Pass(name="weigh", work=weigh_batch),
    Pass(name="rest", work=deal_rest, single=True),
    Pass(name="settle", work=settle_batch),
    Pass(name="shards", work=list_shards, single=True),
)


def plan_corpus(config: CorpusConfig, scored: Scored, runner: Runner) -> str:
    """The folder of the plan, which is made where it is not there."""
    given_up = frozenset(failure.task_id for failure in scored.given_up)
    gone = taken_down.read(config.out)
    folder = storage.join(config.out, "plan", plan_hash(config, scored))
    facts = tables.facts(folder)
    if facts and tables.lost(folder):
        facts = None
    elif facts and facts["taken_down"] != gone.digest and lets_in(folder, gone):
        # The tables do not say what would have become of what comes back.
        storage.remove_folder(folder)
        facts = None
    if facts is None:
        runner.worked.add("plan")
        names = tuple(config.sources_by_name())
        job = plan_job(config, scored.folder, folder, scored.listed.neighbourhoods, names)
        job = replace(job, given_up=given_up, taken_down=gone)
        make_plan(job, functools.partial(_on_engine, runner))
    elif facts["taken_down"] != gone.digest:
        runner.worked.add("plan")
        take_out(folder, gone, config.pack, config.seed)
    return folder


def plan_hash(config: CorpusConfig, scored: Scored) -> str:
    """16 hex digits over all that decides a plan, but for what was taken down since."""
    units = hashlib.sha256()
    for each in scored.listed.neighbourhoods:
        units.update(storage.name_of(each.units).encode())
    parts = {
        "version": VERSION,
        "seed": config.seed,
        "plan": config.plan.model_dump(exclude={"partitions"}),
        "pack": [PACK_VERSION, config.pack.model_dump()],
        "scores": storage.name_of(scored.folder),
        "units": units.hexdigest(),
        "given_up": sorted(failure.task_id for failure in scored.given_up),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def plan_job(
    config: CorpusConfig,
    scores: str,
    folder: str,
    neighbourhoods: Sequence[Neighbourhood],
    sources: tuple[str, ...],
) -> PlanJob:
    """The plan of these neighbourhoods, cut into as many batches as there are partitions."""
    count = config.plan.partitions or -(-len(neighbourhoods) // _BATCH)
    count = max(1, min(count, len(neighbourhoods)))
    edges = [n * len(neighbourhoods) // count for n in range(count + 1)]
    batches = [tuple(neighbourhoods[a:b]) for a, b in zip(edges, edges[1:], strict=False)]
    return PlanJob(
        plan=config.plan,
        pack=config.pack,
        seed=config.seed,
        sources=tuple(sorted(sources)),
        scores=scores,
        folder=folder,
        # What is handed over depends on the number of partitions.
        work=storage.join(folder, f"{_WORK}{count}"),
        batches=tuple(batches),
    )


Run = Callable[[PlanJob, Pass, list[int]], None]


def make_plan(job: PlanJob, run: Run | None = None) -> None:
    """Write the tables of a plan; `run` runs tasks of a pass where there are several."""
    done = set(storage.names(storage.join(job.work, "done"), ".json"))
    for step in PASSES:
        count = 1 if step.single else job.partitions
        todo = [n for n in range(count) if f"{step.name}-{n:06d}.json" not in done]
        if run is None or count == 1:
            for number in todo:
                do_task(job, step, number)
        elif todo:
            run(job, step, todo)
    said = {step.name: _sums(job, step) for step in PASSES if not step.single}
    facts: dict[str, Any] = {"taken_down": job.taken_down.digest}
    facts |= {"capped": said["near"].get("capped", 0), "texts": said["leaders"].get("texts", 0)}
    storage.commit_bytes(storage.join(job.folder, tables.FACTS), json.dumps(facts).encode())
    for name in storage.folders(job.folder):
        # Those of another number of partitions as well.
        if name.startswith(_WORK):
            storage.remove_folder(storage.join(job.folder, name))


def do_task(job: PlanJob, step: Pass, number: int) -> dict[str, Any]:
    """Do one task of a pass and mark it as done."""
    said = step.work(job, number)
    storage.commit_bytes(done_path(job, step.name, number), json.dumps(said).encode())
    return said


def _sums(job: PlanJob, step: Pass) -> Counter[str]:
    total: Counter[str] = Counter()
    for number in range(job.partitions):
        total.update(json.loads(storage.read_bytes(done_path(job, step.name, number))))
    return total


def _on_engine(runner: Runner, job: PlanJob, step: Pass, numbers: list[int]) -> None:
    tasks = [engine.Task(task_id=f"{step.name}-{n:06d}", payload=n, weight=1) for n in numbers]
    failures = runner.run("plan", tasks, functools.partial(_make_work, job, step.name)).failures
    if failures:
        raise BuildFailed(
            tell_failures("parts of the plan could not be made", failures)
            + "\nRun the same command again: only these are left."
        )


def _make_work(job: PlanJob, name: str) -> Callable[[int], dict[str, Any]]:
    (step,) = (step for step in PASSES if step.name == name)
    return functools.partial(do_task, job, step)


def judge_alone(config: CorpusConfig, scores: pa.Table) -> tuple[list[Any], list[Any]]:
    """Kept and dropped rows of a table of scores, each as if no other image were there.

    There are no duplicates and no quotas: those need the whole corpus. Kept rows are as in
    `selected`, without a shard; dropped ones are as in `dropped`.
    """
    scores = in_order(scores)
    rows = judge_rows(scores.filter(pc.is_null(scores["slug"])), config.plan, config.seed)
    slug = rows["slug"].combine_chunks()
    text = pc.not_equal(rows["kind"].combine_chunks(), GENERAL)
    empty = pc.and_(text, pc.equal(pc.list_value_length(rows["tiles"].combine_chunks()), 0))
    blank = pc.greater(rows["blank_tiles"].combine_chunks(), 0)
    why = pc.if_else(empty, pc.if_else(blank, "blank", "no_text"), pa.scalar(None, pa.string()))
    slug = pc.coalesce(slug, why)
    rows = rows.set_column(rows.column_names.index("slug"), "slug", slug)
    rows = rows.drop_columns(["said", "text_lines", "ink_cells", "page_regions", "text_marks"])
    kept = rows.filter(pc.is_null(slug)).combine_chunks()
    draw = draw_shards(kept, config.pack, config.seed, alone=True)
    kept = kept.append_column("ext", pa.array(draw.ext, pa.string()))
    return kept.to_pylist(), rows.filter(pc.is_valid(slug)).to_pylist()
