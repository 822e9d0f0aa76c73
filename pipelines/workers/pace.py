"""Which tasks take much longer than others of their weight: those are begun a second time."""

from __future__ import annotations

from pipelines.workers.tasks import Task

_FACTOR = 3.0
_AT_LEAST_S = 30.0
# So many must have ended before there is anything to compare with.
_KNOWN = 3


class Pace:
    """Seconds per weight over the tasks that ended well."""

    def __init__(self) -> None:
        self._tasks = self._weight = 0
        self._seconds = 0.0

    def done(self, task: Task, seconds: float) -> None:
        self._tasks += 1
        self._weight += max(task.weight, 1)
        self._seconds += seconds

    def is_late(self, task: Task, seconds: float) -> bool:
        """Whether a task at work for so long has taken thrice what is usual, and half a minute."""
        if self._tasks < _KNOWN:
            return False
        usual_s = self._seconds / self._weight * max(task.weight, 1)
        return seconds > max(_FACTOR * usual_s, _AT_LEAST_S)
