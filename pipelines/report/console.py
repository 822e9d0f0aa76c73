"""What a person sees while a build runs: stages, and progress with rate and time left.

On a terminal a live bar; in a log a line every few seconds. Both name the same figures.
"""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rich.console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

_LOG_EVERY_S = 10.0
_ABOUT = {
    "list": "list the units of every source",
    "score": "decode and score every image once",
    "plan": "decide by query what is kept",
    "pack": "copy kept images into shards",
    "synthesize": "render text onto kept images",
    "report": "write the curriculum, make the page to look at",
}


class Console:
    """Prints to stdout; `quiet` prints nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A name that the terminal has no letters for must not end a build.
            sys.stdout.reconfigure(errors="backslashreplace")
        self.out = rich.console.Console(quiet=quiet, highlight=False, soft_wrap=True)

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self.out.print(text, markup=False)

    def stage(self, name: str) -> None:
        self.say(f"{name}: {_ABOUT[name]}")

    @contextmanager
    def progress(
        self, stage: str, total: int, unit: str
    ) -> Iterator[Callable[[dict[str, Any]], None]]:
        """Yields what to call with each finished task's stats (`images` or `samples`)."""
        if total == 0:
            self.say(f"  nothing to do: all {unit} are committed")
            yield lambda stats: None
        elif self.out.is_terminal:
            with self._bar(stage, total, unit) as advance:
                yield advance
        else:
            yield _Lines(self, total, unit).advance

    @contextmanager
    def _bar(self, stage: str, total: int, unit: str) -> Iterator[Callable[[dict[str, Any]], None]]:
        columns = (
            TextColumn("  {task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(unit + "  {task.fields[rate]}  left"),
            TimeRemainingColumn(),
        )
        count = _Count()
        with Progress(*columns, console=self.out) as bars:
            bar = bars.add_task(stage, total=total, rate="")

            def advance(stats: dict[str, Any]) -> None:
                count.add(stats)
                bars.update(bar, advance=1, rate=f"{count.rate():.1f} images/s")

            yield advance


class _Count:
    """Images done and their rate."""

    def __init__(self) -> None:
        self.tasks = 0
        self.images = 0
        self._start = time.monotonic()

    def add(self, stats: dict[str, Any]) -> None:
        self.tasks += 1
        self.images += stats.get("images", 0) + stats.get("samples", 0)

    def seconds(self) -> float:
        return max(time.monotonic() - self._start, 1e-6)

    def rate(self) -> float:
        return self.images / self.seconds()


class _Lines:
    """Progress for logs: the first task, the last one, and now and then in between."""

    def __init__(self, console: Console, total: int, unit: str) -> None:
        self._console = console
        self._total = total
        self._unit = unit
        self._count = _Count()
        self._next_s = 0.0

    def advance(self, stats: dict[str, Any]) -> None:
        self._count.add(stats)
        seconds, tasks = self._count.seconds(), self._count.tasks
        if seconds < self._next_s and tasks < self._total:
            return
        self._next_s = seconds + _LOG_EVERY_S
        left = seconds / tasks * (self._total - tasks)
        self._console.say(
            f"  {tasks}/{self._total} {self._unit}, {self._count.images} images,"
            f" {self._count.rate():.1f} images/s, {clock(left)} left"
        )


def clock(seconds: float) -> str:
    """Seconds as 0:05, 12:30 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
