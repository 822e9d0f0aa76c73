"""How far a stage is: images of a total, rates, time left by weight, what was rejected."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from pipelines.workers.tasks import Crew, Listener, Stats, Task, Tasks, in_order
from vae_corpus.progress import clock

# So many slugs are named; the others are summed up.
_SLUGS = 3


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A stage at one moment. `total` is estimated where not all tasks know what they hold."""

    tasks: int
    tasks_total: int
    images: int
    total: int | None
    estimated: bool
    bytes: int
    share: float
    seconds: float
    left_s: float | None
    rejected: Counter[str] = field(default_factory=Counter)
    crew: Crew = field(default_factory=Crew)
    retries: int = 0
    failed: int = 0

    def __str__(self) -> str:
        parts = [self._done()]
        if self.images and self.seconds > 0:
            parts.append(f"{self.images / self.seconds:.1f} images/s")
            parts.append(f"{self.bytes / 1e6 / self.seconds:.1f} MB/s")
        if self.left_s is not None and self.tasks < self.tasks_total:
            parts.append(f"{clock(self.left_s)} left")
        parts += self._crew()
        if self.rejected:
            named = [f"{n:,} {slug}" for slug, n in self.rejected.most_common(_SLUGS)]
            more = "..." if len(self.rejected) > _SLUGS else None
            parts.append(f"{sum(self.rejected.values()):,} rejected")
            parts[-1] += f" ({', '.join(filter(None, [*named, more]))})"
        if self.retries:
            parts.append("1 retry" if self.retries == 1 else f"{self.retries} retries")
        if self.failed:
            parts.append(f"{self.failed} given up")
        return ", ".join(parts)

    def _done(self) -> str:
        if self.total is None:
            return f"{self.images:,} images"
        about = "about " if self.estimated else ""
        return f"{self.images:,} of {about}{self.total:,} images"

    def _crew(self) -> list[str]:
        crew, words = self.crew, []
        if crew.at_work:
            words.append("1 worker" if crew.at_work == 1 else f"{crew.at_work} workers")
        if crew.loading:
            # The first worker on a machine compiles; the others wait for it.
            words.append(f"{crew.loading} loading (loops are compiled once per machine)")
        if not words and crew.asked:
            words.append("workers are starting")
        return words


class Progress(Listener):
    """Adds up what a run tells; `snapshot` may be asked from any thread."""

    def __init__(
        self, tasks: Tasks | Sequence[Task], now: Callable[[], float] = time.monotonic
    ) -> None:
        whole = in_order(tasks)
        self._now = now
        self._lock = threading.Lock()
        self._all_weight, self._known = whole.total_weight, whole.images
        self._tasks_total = len(whole)
        self._tasks = self._images = self._bytes = self._done_weight = 0
        self._rejected: Counter[str] = Counter()
        self._running: dict[str, tuple[Task, Stats]] = {}
        self._crew = Crew()
        self._retries = self._failed = 0
        self._began_s: float | None = None

    def running(self, tasks: Sequence[tuple[Task, Stats]], crew: Crew) -> None:
        with self._lock:
            if tasks and self._began_s is None:
                # Rates and time left leave out how long workers take to start.
                self._began_s = self._now()
            self._running = {task.task_id: (task, stats) for task, stats in tasks}
            self._crew = crew

    def done(self, task: Task, stats: Stats, seconds: float) -> None:
        with self._lock:
            if self._began_s is None:
                self._began_s = self._now() - seconds
            self._running.pop(task.task_id, None)
            self._tasks += 1
            self._images += stats.get("images", 0)
            self._bytes += stats.get("bytes", 0)
            self._rejected.update(stats.get("rejected", {}))
            self._done_weight += _weight(task)

    def failed(self, task: Task, slug: str, why: str, *, again: bool) -> None:
        with self._lock:
            self._running.pop(task.task_id, None)
            self._retries += again
            self._failed += not again
            if not again:
                self._done_weight += _weight(task)

    def snapshot(self) -> Snapshot:
        with self._lock:
            images, size, weight = self._images, self._bytes, float(self._done_weight)
            rejected = self._rejected.copy()
            for task, stats in self._running.values():
                images += stats.get("images", 0)
                size += stats.get("bytes", 0)
                rejected.update(stats.get("rejected", {}))
                weight += _weight(task) * _part(task, stats)
            seconds = 0.0 if self._began_s is None else max(self._now() - self._began_s, 1e-6)
            share = weight / self._all_weight if self._all_weight else 1.0
            total = self._known
            if total is None and share:
                total = max(images, round(images / share)) or None
            return Snapshot(
                tasks=self._tasks,
                tasks_total=self._tasks_total,
                images=images,
                total=total,
                estimated=self._known is None and self._tasks < self._tasks_total,
                bytes=size,
                share=share,
                seconds=seconds,
                left_s=seconds * (1 - share) / share if share and seconds else None,
                rejected=rejected,
                crew=self._crew,
                retries=self._retries,
                failed=self._failed,
            )


def _weight(task: Task) -> int:
    # A weight of nothing would let a task count for nothing.
    return max(task.weight, 1)


def _part(task: Task, stats: Stats) -> float:
    """How much of a task at work is done, by images if it knows how many, else by bytes."""
    done, of = ("images", task.images) if task.images else ("bytes", _weight(task))
    return min(1.0, int(stats.get(done, 0)) / of)
