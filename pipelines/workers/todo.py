"""What is still to be given out: tasks that nobody has tried, and those to be tried again.

Untried tasks are made when they are taken, so what is held does not grow with their number. Tries
that failed come back first, for the same reason: were they left for the end, a run in which many
tasks fail would collect all of them.
"""

from __future__ import annotations

import heapq
import itertools

from pipelines.workers.tasks import Task, Tasks

# While so many wait for another try nothing new is begun: most likely that would fail as well.
_MOST_AGAIN = 1000


class Todo:
    """Tasks by turns; `len` counts those that are not given out."""

    def __init__(self, tasks: Tasks) -> None:
        self._fresh, self._untried = iter(tasks), len(tasks)
        self._again: list[tuple[float, int, Task]] = []
        self._number = itertools.count()

    def __len__(self) -> int:
        return self._untried + len(self._again)

    def again(self, task: Task, due_s: float) -> None:
        """Take a task back, to be given out no sooner than at `due_s`, as the clock of `take`."""
        heapq.heappush(self._again, (due_s, next(self._number), task))

    def take(self, now_s: float) -> Task | None:
        """The next task; None when there is none, or when all of them are to wait."""
        if self._again and self._again[0][0] <= now_s:
            return heapq.heappop(self._again)[2]
        if not self._untried or len(self._again) >= _MOST_AGAIN:
            return None
        self._untried -= 1
        return next(self._fresh)
