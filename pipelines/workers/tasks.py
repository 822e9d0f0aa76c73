"""The words of the engine: tasks, what became of them, and how they are run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import Field, field_validator

from vae_corpus.settings import Settings

Stats = dict[str, Any]
Work = Callable[[Any], Stats]


class EngineSettings(Settings):
    """How tasks are run. None of these changes a byte of what is made, unless images hang."""

    workers: int | None = Field(
        None,
        ge=0,
        description="worker processes at most; none: as many as fit; 0: in this process, no Ray",
    )
    attempts: int = Field(3, ge=1, description="tries of one task before it is quarantined")
    task_timeout_s: float = Field(
        3600,
        gt=0,
        description="time limit of one try of one unit or shard; ten times that when a unit is"
        " tried image by image",
    )
    silence_timeout_s: float = Field(
        45,
        gt=0,
        description="a worker that gives no sign of life for so long is replaced: its process is"
        " stopped, or its machine cannot be reached",
    )
    image_timeout_s: float = Field(
        120,
        gt=0,
        description="time limit of one image, when a unit that twice took its worker down is tried"
        " image by image",
    )
    start_timeout_s: float = Field(
        600, gt=0, description="give up after so long with no worker that could start"
    )
    tasks_per_worker: int = Field(
        200, ge=1, description="a worker process is replaced after this many tasks (leaks)"
    )
    cpus_per_worker: float = Field(1, gt=0, description="CPUs that Ray reserves for one worker")
    gpus_per_worker: float = Field(
        0, ge=0, description="GPUs (or a share of one) reserved for each worker that scores"
    )
    requests_per_worker: int = Field(
        64,
        ge=1,
        description="requests to object stores that each worker has in flight, for what it reads"
        " and writes together",
    )
    max_quarantined: float = Field(
        0.001,
        ge=0,
        description="go on without up to so many failed units; below 1: a share of all units,"
        " rounded down; exit code stays 1",
    )

    @field_validator("max_quarantined")
    @classmethod
    def _share_or_number(cls, limit: float) -> float:
        if limit > 1 and limit != int(limit):
            raise ValueError("a share of all units is below 1, a number of units is whole")
        return limit

    def quarantine(self, units: int) -> int:
        """How many of so many units may be left out."""
        if self.max_quarantined >= 1:
            return int(self.max_quarantined)
        # 0.29 * 100 is a little less than 29.
        return int(self.max_quarantined * units + 1e-6)


@dataclass(frozen=True, kw_only=True)
class Task:
    """One call: `payload` goes to the worker, `weight` (bytes, pages...) sets the order.

    `images` is how many it holds, None where nobody knows before it is read. A try that makes
    several `pieces` may take the time of all of them.
    """

    task_id: str
    payload: Any
    weight: int = 0
    images: int | None = None
    pieces: int = 1


class Tasks(Protocol):
    """The tasks of a run, each made when its turn comes: nobody holds a list of them.

    Iterated once, the heaviest first, and gives as many tasks as `len` says.
    """

    @property
    def total_weight(self) -> int:
        """The weights in all, where a task counts for at least 1."""

    @property
    def images(self) -> int | None:
        """Images in all; None when a task does not know how many it holds."""

    def __len__(self) -> int: ...

    def __iter__(self) -> Iterator[Task]: ...


class TaskList:
    """A few tasks that exist already, as `Tasks`."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self._tasks = sorted(tasks, key=lambda task: (-task.weight, task.task_id))
        self.total_weight = sum(max(task.weight, 1) for task in tasks)
        known = [task.images for task in tasks if task.images is not None]
        self.images = sum(known) if len(known) == len(tasks) else None

    def __len__(self) -> int:
        return len(self._tasks)

    def __iter__(self) -> Iterator[Task]:
        return iter(self._tasks)


def in_order(tasks: Tasks | Sequence[Task]) -> Tasks:
    """The same tasks, the heaviest first; what makes its tasks itself is in that order already."""
    return TaskList(tasks) if isinstance(tasks, Sequence) else tasks


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A task that failed for good, with the slug and the reason of its last fault."""

    task_id: str
    slug: str
    why: str


@dataclass(frozen=True, kw_only=True)
class Crew:
    """The workers of a run: how many have a task, load their work, or wait for a place."""

    at_work: int = 0
    loading: int = 0
    asked: int = 0


class Listener:
    """Is told how a run goes, in the thread that leads it; here nothing comes of it."""

    def running(self, tasks: Sequence[tuple[Task, Stats]], crew: Crew) -> None:
        """About once a second: the tasks at work with what is counted in each so far."""

    def done(self, task: Task, stats: Stats, seconds: float) -> None:
        """A task has ended well, after so many seconds with its worker."""

    def failed(self, task: Task, slug: str, why: str, *, again: bool) -> None:
        """A try has failed; `again`: another one follows."""


class Several(Listener):
    """Tells all of these, in their order."""

    def __init__(self, *listeners: Listener) -> None:
        self._listeners = listeners

    def running(self, tasks: Sequence[tuple[Task, Stats]], crew: Crew) -> None:
        for listener in self._listeners:
            listener.running(tasks, crew)

    def done(self, task: Task, stats: Stats, seconds: float) -> None:
        for listener in self._listeners:
            listener.done(task, stats, seconds)

    def failed(self, task: Task, slug: str, why: str, *, again: bool) -> None:
        for listener in self._listeners:
            listener.failed(task, slug, why, again=again)


@dataclass(kw_only=True)
class Outcome:
    """What a run did, in sums over the tasks that ended well, and the quarantined ones.

    `untried` are left where a run ended because too many failed. Whoever wants to know something
    of each task listens to the run.
    """

    tasks: int = 0
    images: int = 0
    bytes: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    failures: list[Failure] = field(default_factory=list)
    untried: int = 0

    def add(self, stats: Stats) -> None:
        """Count a task that ended well."""
        self.tasks += 1
        self.images += stats.get("images", 0)
        self.bytes += stats.get("bytes", 0)
        self.rejected.update(stats.get("rejected", {}))


class EngineError(RuntimeError):
    """No worker can start; trying the other tasks would fail in the same way."""


class OutOfSpace(EngineError):
    """What is made finds no room where it is to lie."""
