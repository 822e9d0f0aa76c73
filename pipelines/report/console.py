"""What a person sees while a build runs: one line per stage, and never a long silence.

On a terminal a live bar with figures, in a log a line now and then. A thread of its own shows
them, so that a stage which is busy inside one call looks alive as well.
"""

from __future__ import annotations

import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rich.console
from rich.progress import BarColumn, Progress, TaskID, TextColumn

from pipelines.report.progress import Snapshot
from vae_corpus.progress import clock

_ABOUT = {
    "list": "list the units of every source",
    "score": "decode and score every image once",
    "plan": "decide by query what is kept",
    "pack": "copy kept images into shards",
    "thin": "copy shards without what was taken down",
    "synthesize": "render text onto kept images",
    "report": "write the curriculum, make the page to look at",
}
_LOG_EVERY_S = 20.0
# The first figures of a stage come sooner: whether it works at all is asked at the beginning.
_LOG_FIRST_S = 5.0
_TERMINAL_EVERY_S = 0.5

# What is shown of a stage: figures, or words where there are none.
Figures = Callable[[], Snapshot | str]


class Console:
    """Prints to stdout; `quiet` prints nothing."""

    def __init__(self, *, quiet: bool = False) -> None:
        if isinstance(sys.stdout, io.TextIOWrapper):
            # A name that the terminal has no letters for must not end a build.
            sys.stdout.reconfigure(errors="backslashreplace")
        self.out = rich.console.Console(quiet=quiet, highlight=False, soft_wrap=True)
        self._stage = ""
        self._began_s = time.monotonic()
        self._figures: Figures = self._at_work

    def say(self, text: str) -> None:
        """Print one line as it is."""
        self.out.print(text, markup=False)

    @contextmanager
    def stage(self, name: str, about: str = "") -> Iterator[None]:
        """Name what begins, and show for the length of the block that it goes on."""
        self.say(f"{name}: {about or _ABOUT[name]}")
        self._stage, self._began_s, self._figures = name, time.monotonic(), self._at_work
        show = self._bar if self.out.is_terminal else self._lines
        with show(name):
            yield
        self._stage = ""

    def show(self, figures: Figures) -> None:
        """Show these figures for the rest of the stage; they are asked for from a thread."""
        self._figures = figures

    def where(self) -> str:
        """Where the build stands, for whoever stops it."""
        if not self._stage:
            return "between two stages: what is done is kept"
        now = self._figures()
        if isinstance(now, str) or now.tasks_total == 0:
            return f"at the stage {self._stage}; the stages before it are done and kept"
        return (
            f"at the stage {self._stage}: {now.images:,} images were done, {now.tasks} of"
            f" {now.tasks_total} parts are finished and kept, {now.tasks_total - now.tasks} are"
            " left"
        )

    def _at_work(self) -> str:
        return f"at work for {clock(time.monotonic() - self._began_s)}"

    def _now(self) -> tuple[Snapshot | None, str]:
        figures = self._figures()
        return (None if isinstance(figures, str) else figures), str(figures)

    @contextmanager
    def _bar(self, name: str) -> Iterator[None]:
        columns = (
            TextColumn("  {task.description:10}"),
            BarColumn(bar_width=20),
            TextColumn("{task.fields[text]}"),
        )
        with Progress(*columns, console=self.out) as bars:
            bar = bars.add_task(name, total=None, text="")
            with _often(lambda: self._move(bars, bar), _TERMINAL_EVERY_S, _TERMINAL_EVERY_S):
                yield
            self._move(bars, bar)
            bars.update(bar, total=1.0, completed=1.0)

    def _move(self, bars: Progress, bar: TaskID) -> None:
        figures, text = self._now()
        done: dict[str, Any] = {} if figures is None else {"total": 1, "completed": figures.share}
        bars.update(bar, text=text, **done)

    @contextmanager
    def _lines(self, name: str) -> Iterator[None]:
        def line() -> None:
            self.say(f"  {name}: {self._now()[1]}")

        with _often(line, _LOG_FIRST_S, _LOG_EVERY_S):
            yield
        if self._figures != self._at_work:
            line()


@contextmanager
def _often(act: Callable[[], None], first_s: float, every_s: float) -> Iterator[None]:
    """Call `act` from a thread, first after `first_s`, until the block ends."""
    ended = threading.Event()

    def beat() -> None:
        wait_s = first_s
        while not ended.wait(wait_s):
            act()
            wait_s = every_s

    thread = threading.Thread(target=beat, name="console", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
