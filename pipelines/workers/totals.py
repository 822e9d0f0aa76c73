"""What is counted while a run goes on, as sums that only grow: for monitoring."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

from pipelines.workers.pulse import by_slug
from pipelines.workers.tasks import Crew, Listener, Stats, Task

# The metric, the slug, by how much it grew.
Grow = Callable[[str, str, float], None]


class Totals(Listener):
    """Images by slug, bytes, and seconds of workers, of tasks that ended and of those at work.

    They never go down: what a try had counted when it failed is not counted again.
    """

    def __init__(self, grow: Grow) -> None:
        self._grow = grow
        self._ended: Counter[tuple[str, str]] = Counter()
        self._told: Counter[tuple[str, str]] = Counter()

    def running(self, tasks: Sequence[tuple[Task, Stats]], crew: Crew) -> None:
        sums = self._ended.copy()
        for _, stats in tasks:
            sums.update(by_slug(stats))
        self._tell(sums)

    def done(self, task: Task, stats: Stats, seconds: float) -> None:
        self._ended.update(by_slug(stats))
        self._ended["seconds", ""] += seconds  # type: ignore[assignment]
        self._tell(self._ended)

    def _tell(self, sums: Counter[tuple[str, str]]) -> None:
        for (name, slug), value in sums.items():
            if (more := value - self._told[name, slug]) > 0:
                self._told[name, slug] = value
                self._grow(name, slug, more)
