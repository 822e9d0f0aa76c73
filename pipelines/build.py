"""The stages of a corpus build in order: list, score, plan, pack, synthesize, curriculum, report.

Each stage asks what is committed already and does the rest. So the same command again does
nothing, a lost file is made again to the same bytes, and a killed build goes on where it was.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pipelines import stopping
from pipelines.config import CorpusConfig
from pipelines.guard import lease
from pipelines.guard.folder import check_folder
from pipelines.planning.shards import Shard
from pipelines.report.board import Board
from pipelines.report.console import Console
from pipelines.report.log import build_log
from pipelines.stages.committed import Stock
from pipelines.stages.list import list_units
from pipelines.stages.pack import pack_shards
from pipelines.stages.plan import plan_corpus
from pipelines.stages.report import Reported, finish, write_times
from pipelines.stages.runner import BuildFailed, Runner
from pipelines.stages.score import Scored, score_units
from pipelines.stages.synthesize import synthesize_shards
from pipelines.workers.tasks import EngineError
from vae_corpus import storage

__all__ = ["Built", "BuildFailed", "build"]


@dataclass(frozen=True, kw_only=True)
class Built:
    """A finished build: what each stage gave, and in `runner` how long it took."""

    config: CorpusConfig
    scored: Scored
    shards: list[Shard]
    reported: Reported
    runner: Runner


def build(
    config: CorpusConfig, console: Console, command: str = "", board: Board | None = None
) -> Built:
    """Build the corpus; `command` is what the report names as the command that made it.

    BuildFailed when something could not be made, LeaseError when another build writes the corpus,
    SettingsError when its place is not for a corpus.
    """
    storage.allow_requests(config.engine.requests_per_worker)
    check_folder(config.out, config.sources)
    with (
        lease.hold(config.out, console.say) as ticket,
        storage.guarded(ticket.check),
        build_log(config.out) as log,
    ):
        runner = Runner(console, ticket, log, board)
        try:
            built = _build(config, runner)
            write_times(config, runner, command)
        except Exception as error:
            if isinstance(error, (EngineError, OSError)):
                stopping.hurry(f"error: {error}")
            # A build that has taken over removes what it does not need: then that is the reason.
            with suppress(OSError):
                ticket.check()
            raise
    return built


def _build(config: CorpusConfig, runner: Runner) -> Built:
    sources = config.sources_by_name()
    with runner.stage("list"):
        listed = list_units(config, list(sources.values()), runner)
    stock = Stock(config.out)
    with runner.start_engine(config.engine):
        with runner.stage("score"):
            scored = score_units(config, sources, listed, runner)
        with runner.stage("plan"):
            plan = plan_corpus(config, scored, runner)
        with runner.stage("pack"):
            packed = pack_shards(config, sources, plan, stock, runner)
        with runner.stage("synthesize"):
            rendered, notices = synthesize_shards(
                config, sources, plan, listed.neighbourhoods, stock, runner
            )
    shards = [*packed, *rendered]
    with runner.stage("report"):
        reported = finish(config, scored, plan, shards, notices, stock, runner)
    return Built(config=config, scored=scored, shards=shards, reported=reported, runner=runner)
