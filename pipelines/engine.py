"""Run one function over many tasks on a Ray cluster: the only file that knows ray.

A pool of actors, one per CPU, each holding what is dear to load (OCR models, fonts). A task is
one call: it commits its own output file and returns a small row of counts. No pixels go through
the object store, the driver keeps nothing but the tasks still to do, and at most one task is in
flight per actor.

Faults are counted per task: a dead worker or node, an exception or a passed time limit each cost
one attempt; after `attempts` the task is quarantined with a slug and the others go on.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
import traceback
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import ray
from pydantic import Field
from ray.exceptions import OutOfMemoryError, RayActorError, RayTaskError

from pipelines.settings import Settings

Stats = dict[str, Any]
Work = Callable[[Any], Stats]


class EngineSettings(Settings):
    """How tasks are run. None of these changes a byte of what is made."""

    workers: int | None = Field(
        None, ge=0, description="worker processes; none: one per CPU; 0: in this process, no Ray"
    )
    attempts: int = Field(3, ge=1, description="tries of one task before it is quarantined")
    task_timeout_s: float = Field(3600, gt=0, description="time limit of one try of one task")
    tasks_per_worker: int = Field(
        200, ge=1, description="a worker process is replaced after this many tasks (leaks)"
    )
    cpus_per_worker: float = Field(1, gt=0, description="CPUs that Ray reserves for one worker")
    gpus_per_worker: float = Field(
        0, ge=0, description="GPUs (or a share of one) reserved for each worker that scores"
    )
    max_quarantined: int = Field(
        0, ge=0, description="go on without up to this many failed units; exit code stays 1"
    )


@dataclass(frozen=True, kw_only=True)
class Task:
    """One call: `payload` goes to the worker, `weight` (bytes, pages...) sets the order."""

    task_id: str
    payload: Any
    weight: int = 0


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A task that failed for good.

    Slugs: `exception`, `worker_died`, `out_of_memory`, `timeout`.
    """

    task_id: str
    slug: str
    why: str


@dataclass(kw_only=True)
class Outcome:
    """What a stage did: the stats of each finished task by id, and the quarantined ones."""

    stats: dict[str, Stats] = field(default_factory=dict)
    failures: list[Failure] = field(default_factory=list)


Listener = Callable[[Stats], None]


class EngineError(RuntimeError):
    """No worker can start; trying the other tasks would fail in the same way."""


class Engine:
    """Runs tasks in this process or on Ray; make one with `start`."""

    def __init__(self, settings: EngineSettings, *, on_ray: bool) -> None:
        self._settings = settings
        self._on_ray = on_ray

    def run(
        self,
        tasks: Sequence[Task],
        make_work: Callable[[], Work],
        listener: Listener = lambda stats: None,
        gpus_per_worker: float = 0.0,
    ) -> Outcome:
        """Call `make_work()(task.payload)` for every task, the heaviest first.

        `make_work` runs once in each worker process and loads what all its tasks share.
        """
        ordered = sorted(tasks, key=lambda task: (-task.weight, task.task_id))
        if not ordered:
            return Outcome()
        if not self._on_ray:
            return _run_here(ordered, make_work, listener, self._settings)
        return _Pool(self._settings, make_work, listener, gpus_per_worker).run(ordered)


@contextmanager
def start(settings: EngineSettings) -> Iterator[Engine]:
    """Join the cluster that `RAY_ADDRESS` names, else start an embedded one for this run."""
    if settings.workers == 0:
        yield Engine(settings, on_ray=False)
        return
    # Ray's own variables must be set before init. Warnings about future defaults are not for
    # the reader of a build log.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    common: dict[str, Any] = {"logging_level": logging.ERROR}
    if os.environ.get("RAY_ADDRESS"):
        # Inside a job the working directory is already set; passing it again is an error.
        ray.init(**common)
    else:
        # Ray guards a local cluster by a token. Left alone it writes one to the home folder, and
        # every later `ray start` on this machine would then ask for it; ours ends with this run.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # An explicit "local" keeps a stale address file of another cluster from being joined.
        ray.init(
            address="local",
            num_cpus=settings.workers or os.cpu_count(),
            include_dashboard=False,
            # Without an install the workers would not find our packages.
            runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}},
            **common,
        )
    try:
        yield Engine(settings, on_ray=True)
    finally:
        ray.shutdown()


def _run_here(
    tasks: Sequence[Task], make_work: Callable[[], Work], listener: Listener, s: EngineSettings
) -> Outcome:
    outcome, work = Outcome(), _load(make_work)
    for task in tasks:
        for attempt in range(1, s.attempts + 1):
            try:
                stats = work(task.payload)
            except Exception as error:
                if attempt == s.attempts:
                    why = _last_line(error)
                    outcome.failures.append(
                        Failure(task_id=task.task_id, slug="exception", why=why)
                    )
            else:
                outcome.stats[task.task_id] = stats
                listener(stats)
                break
    return outcome


class _Worker:
    """The actor: loads the work at its first call and keeps it."""

    def __init__(self, make_work: Callable[[], Work]) -> None:
        self._make_work = make_work
        self._work: Work | None = None

    def call(self, payload: Any) -> Stats:
        if self._work is None:
            self._work = _load(self._make_work)
        return self._work(payload)


def _load(make_work: Callable[[], Work]) -> Work:
    try:
        return make_work()
    except Exception as error:
        raise EngineError(f"workers do not start: {_last_line(error)}") from error


@dataclass
class _Flight:
    task: Task
    actor: Any
    deadline: float


class _Pool:
    """Actors, one task in flight each; dead ones are replaced, tired ones retired."""

    def __init__(
        self,
        settings: EngineSettings,
        make_work: Callable[[], Work],
        listener: Listener,
        gpus_per_worker: float,
    ) -> None:
        self._s = settings
        self._gpus = gpus_per_worker
        self._make_work = ray.put(make_work)
        self._listener = listener
        self._idle: list[Any] = []
        self._calls: dict[Any, int] = {}
        self._attempts: dict[str, int] = {}
        self._flights: dict[Any, _Flight] = {}
        self._outcome = Outcome()

    def run(self, tasks: Sequence[Task]) -> Outcome:
        waiting = deque(tasks)
        try:
            while waiting or self._flights:
                self._fill(waiting)
                done, _ = ray.wait(list(self._flights), num_returns=1, timeout=1.0)
                for ref in done:
                    self._land(ref, waiting)
                self._expire(waiting)
        finally:
            for actor in [*self._idle, *(f.actor for f in self._flights.values())]:
                ray.kill(actor)
        return self._outcome

    def _size(self) -> int:
        # Asked anew each time: nodes come and go while a stage runs.
        have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        wanted = {"CPU": self._s.cpus_per_worker, "GPU": self._gpus}
        fits = [have.get(what, 0.0) / share for what, share in wanted.items() if share]
        # At least one: a cluster without such a node yet adds one when somebody asks for it.
        fitting = max(1, int(min(fits)))
        return min(fitting, self._s.workers) if self._s.workers else fitting

    def _fill(self, waiting: deque[Task]) -> None:
        if not waiting or (len(self._flights) >= self._size()):
            return
        size = self._size()
        while waiting and len(self._flights) < size:
            actor = self._idle.pop() if self._idle else self._hire()
            task = waiting.popleft()
            ref = actor.call.remote(task.payload)
            deadline = time.monotonic() + self._s.task_timeout_s
            self._flights[ref] = _Flight(task, actor, deadline)

    def _hire(self) -> Any:
        actor = (
            ray.remote(_Worker)
            .options(
                num_cpus=self._s.cpus_per_worker,
                num_gpus=self._gpus,
                max_restarts=0,
                max_task_retries=0,
            )
            .remote(self._make_work)
        )
        self._calls[actor] = 0
        return actor

    def _land(self, ref: Any, waiting: deque[Task]) -> None:
        flight = self._flights.pop(ref)
        try:
            stats = ray.get(ref)
        except RayTaskError as error:
            if isinstance(error.cause, EngineError):
                raise error.cause from None
            # The work raised: the process is whole, so the actor stays.
            self._retry(flight.task, "exception", _last_line(error.cause or error), waiting)
            self._rest(flight.actor)
        except OutOfMemoryError as error:
            self._retry(flight.task, "out_of_memory", _last_line(error), waiting)
            self._dismiss(flight.actor)
        except RayActorError as error:
            self._retry(flight.task, "worker_died", _last_line(error), waiting)
            self._dismiss(flight.actor)
        else:
            self._outcome.stats[flight.task.task_id] = stats
            self._listener(stats)
            self._rest(flight.actor)

    def _expire(self, waiting: deque[Task]) -> None:
        now = time.monotonic()
        for ref in [r for r, flight in self._flights.items() if flight.deadline < now]:
            flight = self._flights.pop(ref)
            self._dismiss(flight.actor)
            why = f"not done after {self._s.task_timeout_s:g} s (engine.task_timeout_s)"
            self._retry(flight.task, "timeout", why, waiting)

    def _retry(self, task: Task, slug: str, why: str, waiting: deque[Task]) -> None:
        tries = self._attempts.get(task.task_id, 0) + 1
        self._attempts[task.task_id] = tries
        if tries < self._s.attempts:
            waiting.append(task)
        else:
            self._outcome.failures.append(Failure(task_id=task.task_id, slug=slug, why=why))

    def _rest(self, actor: Any) -> None:
        self._calls[actor] += 1
        if self._calls[actor] >= self._s.tasks_per_worker:
            self._dismiss(actor)
        else:
            self._idle.append(actor)

    def _dismiss(self, actor: Any) -> None:
        self._calls.pop(actor, None)
        ray.kill(actor)


def _last_line(error: BaseException) -> str:
    lines = traceback.format_exception_only(error)
    text = " ".join("".join(lines).split())
    return text if len(text) <= 500 else text[:500] + "..."
