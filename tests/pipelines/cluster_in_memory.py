"""A cluster in memory, whose actors answer when the test lets them, and a pool on it."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from pipelines.workers.calls import Hired
from pipelines.workers.cluster import CallFailed, Place
from pipelines.workers.pool import Pool
from pipelines.workers.pulse import Counts
from pipelines.workers.tasks import (
    Crew,
    EngineError,
    EngineSettings,
    Listener,
    Outcome,
    Stats,
    Task,
    Tasks,
    in_order,
)


class Cluster:
    """`room` actors can be placed; the others wait. `answers` says what a call gives."""

    def __init__(self, room: int, answers: dict[str, Callable[..., Any]] | None = None) -> None:
        self.size = room
        self.answers = {
            "place": lambda: Place("node", 1),
            "load": lambda: None,
            "work": lambda p: {"p": p},
        }
        self.answers |= answers or {}
        self.placed: list[int] = []
        self.asked: list[int] = []
        self.most_asked = 0
        self.calls: list[tuple[int, str, tuple[Any, ...]]] = []
        self.counts: Counter[str] = Counter()
        self.endless: set[str] = set()
        # Actors whose process is stopped: nothing of theirs ends any more.
        self.stopped: set[int] = set()
        # Actors that answer questions and do not get on with their work.
        self.never_ends: set[int] = set()
        self.lost = ""

    def hire(self) -> int:
        self.counts["hire"] += 1
        self.asked.append(self.counts["hire"])
        return self.counts["hire"]

    def dismiss(self, actor: int) -> None:
        (self.placed if actor in self.placed else self.asked).remove(actor)

    def kill(self, place: Place) -> None:
        self.counts["kill"] += 1

    def call(self, actor: int, method: str, *arguments: Any) -> int:
        assert method == "place" or actor in self.placed, "a call to an actor that has no place"
        self.counts[method] += 1
        self.calls.append((actor, method, arguments))
        return len(self.calls) - 1

    def ended(self, calls: Sequence[int]) -> Sequence[int]:
        while self.asked and len(self.placed) < self.size:
            self.placed.append(self.asked.pop(0))
        self.most_asked = max(self.most_asked, len(self.asked))
        ended = [call for call in calls if self._has_ended(*self.calls[call][:2])]
        if not ended:
            time.sleep(0.01)
        return ended

    def rest(self, actor: int) -> None:
        assert actor in self.placed
        self.counts["rest"] += 1

    def peek(self, actor: int) -> int:
        assert actor in self.placed, "a question to an actor that has no place"
        self.counts["peek"] += 1
        return actor

    def told(self, question: int) -> Counts | None:
        if question in self.stopped:
            return None
        return {"images": 7} if question in self.placed else {}

    def _has_ended(self, actor: int, method: str) -> bool:
        stopped = actor in self.stopped | self.never_ends and method != "place"
        return actor in self.placed and not stopped and method not in self.endless

    def answer(self, call: int) -> Any:
        _, method, arguments = self.calls[call]
        return self.answers[method](*arguments)

    def dead_nodes(self) -> set[str]:
        return set()

    def check(self) -> None:
        if self.lost:
            raise EngineError(self.lost)

    def room(self) -> str:
        return "there is no room"


def run(
    cluster: Cluster,
    todo: int | Tasks,
    *,
    limit: float = 1e9,
    careful: bool = False,
    listener: Listener | None = None,
    most_failed: float = math.inf,
    kept: list[Hired] | None = None,
    **settings: Any,
) -> Outcome:
    tasks: Tasks | list[Task]
    if isinstance(todo, int):
        tasks = [Task(task_id=str(i), payload=i) for i in range(todo)]
    else:
        tasks = todo
    pool = Pool(
        cluster,
        EngineSettings(**settings),
        listener or Listener(),
        limit=limit,
        can_be_careful=careful,
        most_failed=most_failed,
        kept=kept,
    )
    outcome = pool.run(in_order(tasks))
    staying = sorted(hired.actor for hired in kept or [])
    assert sorted(cluster.placed) == staying and not cluster.asked, "the others are dismissed"
    return outcome


class Heard(Listener):
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.stats: dict[str, Stats] = {}
        self.told: list[tuple[list[tuple[Task, Stats]], Crew]] = []
        self.again: list[bool] = []

    def running(self, tasks: Sequence[tuple[Task, Stats]], crew: Crew) -> None:
        self.told.append((list(tasks), crew))

    def done(self, task: Task, stats: Stats, seconds: float) -> None:
        self.stats[task.task_id] = stats

    def failed(self, task: Task, slug: str, why: str, *, again: bool) -> None:
        self.again.append(again)


class Numbers:
    """So many tasks, each made when it is asked for; `made` counts them."""

    def __init__(self, count: int) -> None:
        self.count, self.made = count, 0
        self.total_weight, self.images = count, None

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[Task]:
        for number in range(self.count):
            self.made += 1
            yield Task(task_id=str(number), payload=number)


def died(*_: Any) -> Any:
    raise CallFailed("worker_died", "gone", lost=True)
