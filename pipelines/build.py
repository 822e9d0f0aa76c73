"""The stages of a corpus build in order: list, score, plan, pack, synthesize, curriculum, report.

Each stage asks what is committed already and does the rest. So the same command again does
nothing, a lost file is made again to the same bytes, and a killed build goes on where it was.
"""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import asdict
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import careful, digests, engine, lease, pack, plan, score, synthesize
from pipelines import shards as committed
from pipelines.built import Build, BuildFailed, scored_units
from pipelines.config import CorpusConfig
from pipelines.finish import finish, write_times
from pipelines.place import check_place
from pipelines.pulse import Pulse
from pipelines.report.board import Board
from pipelines.report.console import Console
from pipelines.report.log import build_log
from pipelines.report.progress import Progress
from pipelines.sources import Source, Unit
from pipelines.tasks import OutOfSpace, Several
from vae_corpus import storage
from vae_corpus.pictures import decode as door

UNIT_SCHEMA = pa.schema(
    [
        ("unit_id", pa.string()),
        ("source", pa.string()),
        ("uri", pa.string()),
        ("start", pa.int64()),
        ("stop", pa.int64()),
        ("bytes", pa.int64()),
        ("members", pa.list_(pa.string())),
    ]
)


def build(
    config: CorpusConfig, console: Console, command: str = "", board: Board | None = None
) -> Build:
    """Build the corpus; `command` is what the report names as the command that made it.

    BuildFailed when something could not be made, LeaseError when another build writes the corpus,
    SettingsError when its place is not for a corpus.
    """
    check_place(config.out, config.sources)
    with (
        lease.hold(config.out, console.say) as ticket,
        storage.guarded(ticket.check),
        build_log(config.out) as log,
    ):
        done = Build(config=config, ticket=ticket, log=log, board=board)
        try:
            _build(done, console)
            write_times(done, command)
        except Exception:
            # A build that has taken over removes what it does not need: then that is the reason.
            with suppress(OSError):
                ticket.check()
            raise
    return done


def _build(done: Build, console: Console) -> None:
    config = done.config
    sources: dict[str, Source] = {source.name: source for source in config.sources}
    with _stage(done, console, "list"):
        done.units = _list_units(done, sources, console)
    with ExitStack() as until_here:
        with console.stage("engine", engine.about(config.engine)):
            cluster = until_here.enter_context(engine.start(config.engine))
        with _stage(done, console, "score"):
            _score(done, sources, cluster, console)
        with _stage(done, console, "plan"):
            _plan(done)
        with _stage(done, console, "pack"):
            _pack(done, sources, cluster, console)
        with _stage(done, console, "synthesize"):
            _synthesize(done, sources, cluster, console)
    with _stage(done, console, "report"):
        finish(done)


@contextmanager
def _stage(done: Build, console: Console, name: str) -> Iterator[None]:
    start = time.monotonic()
    with console.stage(name):
        yield
    done.seconds[name] = time.monotonic() - start


def _list_units(done: Build, sources: dict[str, Source], console: Console) -> list[Unit]:
    found = Pulse()
    units: list[Unit] = []
    console.show(lambda: f"{found.read().get('files', 0):,} files, {len(units):,} units")
    with found.counting():
        for source in sources.values():
            units.extend(source.units())
    units.sort(key=lambda unit: unit.unit_id)
    rows = [asdict(unit) for unit in units]
    table = pa.Table.from_pylist(rows, schema=UNIT_SCHEMA)
    path = storage.join(done.config.out, "units.parquet")
    if storage.commit_bytes(path, storage.table_bytes(table)):
        done.worked.add("list")
    return units


def _score(
    done: Build, sources: dict[str, Source], cluster: engine.Engine, console: Console
) -> None:
    config = done.config
    digest = score.settings_hash(config.score)
    done.score_folder = storage.join(config.out, "scores", digest)
    committed = set(storage.names(done.score_folder, ".parquet"))
    todo = [unit for unit in done.units if f"{unit.unit_id}.parquet" not in committed]
    job = score.ScoreJob(
        settings=config.score,
        versions=score.versions(config.score),
        sources=sources,
        folder=done.score_folder,
    )
    tasks = [
        engine.Task(
            task_id=u.unit_id,
            payload=u,
            weight=sources[u.source].weight(u),
            images=sources[u.source].images(u),
        )
        for u in todo
    ]
    make_careful = functools.partial(
        careful.make_careful_scorer,
        job,
        image_timeout_s=config.engine.image_timeout_s,
        start_timeout_s=config.engine.start_timeout_s,
    )
    make_work = functools.partial(_scorer, job)
    outcome = _run(done, cluster, console, "score", tasks, make_work, make_careful)
    allowed = config.engine.quarantine(len(done.units))
    if len(outcome.failures) > allowed:
        raise BuildFailed(
            _failed("units could not be scored", outcome.failures, _places(done.units))
            + f"\n{allowed} of the {len(done.units)} units may be left out"
            " (engine.max_quarantined). Mend the source and run again: only these units are left."
            " Or let more be left out with --engine.max_quarantined N."
        )
    done.quarantined = outcome.failures


def _scorer(job: score.ScoreJob) -> engine.Work:
    return score.make_scorer(job)


def _plan(done: Build) -> None:
    config = done.config
    ids = [unit.unit_id for unit in scored_units(done)]
    digest = plan.plan_hash(config, storage.name_of(done.score_folder), ids)
    done.plan_folder = storage.join(config.out, "plan", digest)
    # `shards` is written last, but any of them may have been lost since.
    written = storage.names(done.plan_folder, ".parquet")
    if not {f"{name}.parquet" for name in plan.TABLES} <= set(written):
        done.worked.add("plan")
        plan.make_plan(config, done.score_folder, ids, done.plan_folder)


def _pack(
    done: Build, sources: dict[str, Source], cluster: engine.Engine, console: Console
) -> None:
    config = done.config
    with storage.open_read(storage.join(done.plan_folder, "shards.parquet")) as file:
        rows = pq.read_table(file).to_pylist()
    shards = [
        pack.Shard(name=row["shard"], recipe=row["recipe"], samples=row["samples"]) for row in rows
    ]
    job = pack.PackJob(
        settings=config.pack,
        score=config.score,
        sources=sources,
        plan=done.plan_folder,
        out=config.out,
    )
    _make_shards(done, cluster, console, "pack", shards, functools.partial(pack.make_packer, job))


def _synthesize(
    done: Build, sources: dict[str, Source], cluster: engine.Engine, console: Console
) -> None:
    config = done.config
    if not any(config.synth.samples.values()):
        return
    if not config.synth.texts:
        done.notices.append("no synthetic text: synth.texts names no text files")
        return
    backgrounds = synthesize.background_rows(done.plan_folder, config.seed)
    if not backgrounds:
        done.notices.append("no synthetic text: no general image was kept as a background")
        return
    known = digests.Digests(config.out)
    shards = synthesize.synth_shards(config, backgrounds, known)
    known.save()
    job = synthesize.SynthJob(
        settings=config.synth,
        seed=config.seed,
        sources=sources,
        limits=door.Limits(
            max_pixels=config.score.max_pixels, max_side_px=config.score.max_side_px
        ),
        out=config.out,
    )
    make = functools.partial(synthesize.make_synthesizer, job)
    _make_shards(done, cluster, console, "synthesize", shards, make)


def _make_shards(
    done: Build,
    cluster: engine.Engine,
    console: Console,
    stage: str,
    shards: Sequence[pack.Shard],
    make_work: Callable[[], engine.Work],
) -> None:
    if done.look is None:
        done.look = committed.look(done.config.out)
    todo = done.look.not_committed(shards)
    done.look.ledger.save()
    if todo:
        done.look = None
        # While shards are replaced the corpus is not whole: its commit mark must not stand.
        storage.remove(storage.join(done.config.out, "curriculum.json"))
    tasks = [
        engine.Task(task_id=s.name, payload=s, weight=s.samples, images=s.samples) for s in todo
    ]
    outcome = _run(done, cluster, console, stage, tasks, make_work)
    if outcome.failures:
        raise BuildFailed(
            _failed("shards could not be made", outcome.failures, {})
            + "\nRun the same command again: only these shards are left."
        )
    done.shards.extend(shards)


def _run(
    done: Build,
    cluster: engine.Engine,
    console: Console,
    stage: str,
    tasks: Sequence[engine.Task],
    make_work: Callable[[], engine.Work],
    make_careful: Callable[[], engine.Work] | None = None,
) -> engine.Outcome:
    if tasks:
        done.worked.add(stage)
    else:
        console.say("  nothing to do: all is committed")
    # Only scoring runs models: packing and rendering must not wait for GPUs.
    gpus = done.config.engine.gpus_per_worker if stage == "score" else 0.0
    held = functools.partial(_while_held, make_work, done.ticket)
    held_careful = make_careful and functools.partial(_while_held, make_careful, done.ticket)
    progress = Progress(tasks)
    console.show(progress.snapshot)
    listeners: list[engine.Listener] = [progress, done.log]
    done.log.stage = stage
    if done.board:
        done.board.begin(stage, progress)
        listeners.append(done.board)
    try:
        outcome = cluster.run(tasks, held, Several(*listeners), gpus, held_careful, stage)
    except OutOfSpace as error:
        now = progress.snapshot()
        if stage == "score" or not now.share:
            raise
        more = now.bytes / now.share * (1 - now.share)
        raise OutOfSpace(f"{error}. This stage needs about {more / 1e6:,.0f} MB more") from None
    if done.board:
        done.board.tell()
    for stats in outcome.stats.values():
        done.items[stage] += stats.get("images", 0)
    # A lost lease fails every task: that is one error to tell, not one for each.
    done.ticket.check()
    return outcome


def _while_held(make_work: Callable[[], engine.Work], ticket: lease.Ticket) -> engine.Work:
    """Work that neither begins nor commits anything once the lease is lost."""
    work = make_work()

    def call(payload: Any) -> engine.Stats:
        ticket.check()
        try:
            with storage.guarded(ticket.check):
                return work(payload)
        except storage.DiskFull as error:
            # The other units would fail in the same way, three times each.
            raise OutOfSpace(str(error)) from None

    return call


def _places(units: Sequence[Unit]) -> dict[str, str]:
    return {u.unit_id: f"{u.source}: {u.uri} [{u.start}:{u.stop}]" for u in units}


def _failed(what: str, failures: Sequence[engine.Failure], places: dict[str, str]) -> str:
    slugs = Counter(failure.slug for failure in failures)
    lines = [f"{len(failures)} {what} ({', '.join(f'{n} {s}' for s, n in slugs.items())}):"]
    lines += [f"  {places.get(f.task_id, f.task_id)}: {f.slug}: {f.why}" for f in failures[:10]]
    if len(failures) > 10:
        lines.append(f"  and {len(failures) - 10} more")
    return "\n".join(lines)
