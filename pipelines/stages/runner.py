"""How the stages of a build run: told of, timed, and their tasks handed to the engine."""

from __future__ import annotations

import functools
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from pipelines import engine
from pipelines.guard.lease import Ticket
from pipelines.report.board import Board
from pipelines.report.console import Console
from pipelines.report.log import BuildLog
from pipelines.report.progress import Progress
from pipelines.workers.tasks import OutOfSpace, Several, in_order
from vae_corpus import storage

# So many failures more than are allowed are worth knowing; a source that is away gives millions.
_NOTED_BEYOND = 100


class BuildFailed(RuntimeError):
    """Some units or shards could not be made; the message lists them. Exit code 1."""


class Runner:
    """Runs the stages of one build on one engine while it holds the lease.

    `seconds` per stage, `items` made per stage, and in `worked` the stages that had work to do.
    """

    def __init__(
        self, console: Console, ticket: Ticket, log: BuildLog, board: Board | None = None
    ) -> None:
        self.console = console
        self.seconds: dict[str, float] = {}
        self.worked: set[str] = set()
        self.items: Counter[str] = Counter()
        self._ticket = ticket
        self._log = log
        self._board = board
        self._engine: engine.Engine | None = None

    @contextmanager
    def stage(self, name: str) -> Iterator[None]:
        """Tell of a stage while it lasts, and time it."""
        start = time.monotonic()
        with self.console.stage(name):
            yield
        self.seconds[name] = time.monotonic() - start

    @contextmanager
    def start_engine(self, settings: engine.EngineSettings) -> Iterator[None]:
        """Start the engine for the stages of the block."""
        with ExitStack() as until_the_end:
            with self.console.stage("engine", engine.about(settings)):
                self._engine = until_the_end.enter_context(engine.start(settings))
            yield

    def run(
        self,
        stage: str,
        tasks: engine.Tasks | Sequence[engine.Task],
        make_work: Callable[[], engine.Work],
        make_careful: Callable[[], engine.Work] | None = None,
        gpus: float = 0.0,
        allowed: int = 0,
    ) -> engine.Outcome:
        """Run the tasks of a stage; `make_careful` makes the work for units that kill workers.

        Nothing is kept of a task that ended well but what `outcome` sums up. Once more tasks have
        failed than the `allowed` ones and a hundred, the rest is not tried any more.
        """
        assert self._engine is not None, "the engine is not started"
        tasks = in_order(tasks)
        if len(tasks):
            self.worked.add(stage)
        else:
            self.console.say("  nothing to do: all is committed")
        held = functools.partial(_while_held, make_work, self._ticket)
        held_careful = make_careful and functools.partial(_while_held, make_careful, self._ticket)
        progress = Progress(tasks)
        self.console.show(progress.snapshot)
        listeners: list[engine.Listener] = [progress, self._log]
        self._log.stage = stage
        if self._board:
            self._board.begin(stage, progress)
            listeners.append(self._board)
        try:
            outcome = self._engine.run(
                tasks,
                held,
                Several(*listeners),
                gpus,
                held_careful,
                stage,
                most_failed=allowed + _NOTED_BEYOND,
            )
        except OutOfSpace as error:
            now = progress.snapshot()
            if stage == "score" or not now.share:
                raise
            more = now.bytes / now.share * (1 - now.share)
            raise OutOfSpace(f"{error}. This stage needs about {more / 1e6:,.0f} MB more") from None
        if self._board:
            self._board.tell()
        self.items[stage] += outcome.images
        # A lost lease fails every task: that is one error to tell, not one for each.
        self._ticket.check()
        if outcome.untried:
            raise BuildFailed(
                tell_failures(f"parts of the stage {stage} could not be made", outcome.failures)
                + f"\nThat are too many: {outcome.untried:,} others were not tried. Mend what is"
                " named; the same command goes on from here."
            )
        return outcome


def _while_held(make_work: Callable[[], engine.Work], ticket: Ticket) -> engine.Work:
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


def tell_failures(
    what: str, failures: Sequence[engine.Failure], places: dict[str, str] | None = None
) -> str:
    """`3 units could not be scored (2 timeout, 1 crashed):` and a line for each of the first."""
    slugs = Counter(failure.slug for failure in failures)
    lines = [f"{len(failures)} {what} ({', '.join(f'{n} {s}' for s, n in slugs.items())}):"]
    for failure in failures[:10]:
        place = (places or {}).get(failure.task_id, failure.task_id)
        lines.append(f"  {place}: {failure.slug}: {failure.why}")
    if len(failures) > 10:
        lines.append(f"  and {len(failures) - 10} more")
    return "\n".join(lines)
