"""What is counted inside a task, while it runs: images, bytes, rejected images by slug.

The work says `beat` for each image and need not know who counts; nobody does unless the engine
asks. A counter is read from another thread than the one that works.
"""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

Counts = dict[str, Any]


class Pulse:
    """Counts that grow while work goes on; `told` is called after each step."""

    def __init__(self, told: Callable[[], None] | None = None) -> None:
        self._lock = threading.Lock()
        self._sums: Counter[str] = Counter()
        self._rejected: Counter[str] = Counter()
        self._told = told

    def add(self, rejected: str | None, sums: dict[str, int]) -> None:
        with self._lock:
            self._sums.update(sums)
            if rejected is not None:
                self._rejected[rejected] += 1
        if self._told is not None:
            self._told()

    def read(self) -> Counts:
        """The sums by name, and `rejected` by slug where there are some; empty at the start."""
        with self._lock:
            rejected = {"rejected": dict(self._rejected)} if self._rejected else {}
            return dict(self._sums) | rejected

    @contextmanager
    def counting(self) -> Iterator[None]:
        """Let `beat` in this block, in this thread, count here."""
        before = _counting.set(self)
        try:
            yield
        finally:
            _counting.reset(before)


_counting: ContextVar[Pulse | None] = ContextVar("_counting", default=None)


def beat(*, rejected: str | None = None, **sums: int) -> None:
    """Count one step of the work, for example `beat(images=1, bytes=len(data))`."""
    pulse = _counting.get()
    if pulse is not None:
        pulse.add(rejected, sums)


def by_slug(stats: Counts) -> dict[tuple[str, str], int]:
    """Images by the slug that they were rejected with, "" for none, and bytes: (what, slug)."""
    rejected = stats.get("rejected", {})
    found = {("images", slug): count for slug, count in rejected.items()}
    good = stats.get("images", 0) - sum(rejected.values())
    return {("images", ""): good, ("bytes", ""): stats.get("bytes", 0), **found}
