"""How far a command is: what is done of what there is, the rate, and the time left."""

from __future__ import annotations

import sys
import time

_TOLD_EVERY_S = 1.0


def clock(seconds: float) -> str:
    """Seconds as 0:05, 12:30 or 1:02:03."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


class ProgressLine:
    """A line that is written over on a terminal, and a line a second in a log."""

    def __init__(self, total: int, what: str) -> None:
        self._total, self._what = total, what
        self._start = self._told = time.monotonic()

    def tell(self, done: int) -> None:
        """Say that `done` of the total are done, once a second and at the end."""
        now = time.monotonic()
        if now - self._told < _TOLD_EVERY_S and done < self._total:
            return
        self._told = now
        rate = done / max(now - self._start, 1e-6)
        left = clock((self._total - done) / rate) if rate else "?"
        end = "\r" if sys.stdout.isatty() and done < self._total else "\n"
        print(f"{done}/{self._total} {self._what}, {rate:.1f} a second, {left} left", end=end)
