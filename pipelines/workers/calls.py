"""The calls of a pool that are in flight, by what they are for and by the task they work at."""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from pipelines.workers.cluster import Place
from pipelines.workers.pulse import Counts
from pipelines.workers.tasks import Task


@dataclass(eq=False)
class Hired:
    """An actor, where it runs once that is known, and how many tasks it has done.

    One that was `kept` from an earlier run has shown that it can start.
    """

    actor: Any
    place: Place = Place()
    served: int = 0
    kept: bool = False


@dataclass(kw_only=True, eq=False)
class Call:
    """A call in flight: for a place to run, to load the work, or (with a task) to do it.

    `question` is the last one beside it that has no answer, for `silent_s` by now.
    """

    hired: Hired
    step: str
    deadline: float = math.inf
    limit: str = ""
    task: Task | None = None
    careful: bool = False
    began_s: float = field(default_factory=time.monotonic)
    question: Any = None
    asked_s: float = 0.0
    silent_s: float = 0.0
    counts: Counts = field(default_factory=dict)


class Calls:
    """Calls by their reference, counted by step; two of them may work at one task."""

    def __init__(self) -> None:
        self.steps: Counter[str] = Counter()
        self._calls: dict[Any, Call] = {}
        self._at: dict[str, list[Any]] = {}

    def __iter__(self) -> Iterator[Any]:
        return iter(self._calls)

    def __contains__(self, ref: Any) -> bool:
        return ref in self._calls

    def items(self) -> Iterator[tuple[Any, Call]]:
        return iter(self._calls.items())

    def begin(self, ref: Any, call: Call) -> None:
        self._calls[ref] = call
        self.steps[call.step] += 1
        if call.task is not None:
            self._at.setdefault(call.task.task_id, []).append(ref)

    def end(self, ref: Any) -> Call:
        call = self._calls.pop(ref)
        self.steps[call.step] -= 1
        if call.task is not None:
            copies = self._at[call.task.task_id]
            copies.remove(ref)
            if not copies:
                del self._at[call.task.task_id]
        return call

    def copies(self, task_id: str) -> list[Any]:
        """The calls that work at a task, the first one first."""
        return list(self._at.get(task_id, ()))

    def at_work(self) -> list[tuple[Task, Call]]:
        """Each task that is worked at, with the first of its calls."""
        first = (self._calls[copies[0]] for copies in self._at.values())
        return [(call.task, call) for call in first if call.task is not None]

    def alone(self) -> int:
        """How many tasks are worked at by one call."""
        return sum(len(copies) == 1 for copies in self._at.values())
