"""Whether the head of a cluster still answers, and an end to waiting for it.

A driver whose head is gone waits: calls to the head do not come back, for a minute or for ever,
and what ends it at last is a crash inside of Ray. So a thread asks the head again and again, and
another one counts the seconds since it last answered. Who leads a run asks for the verdict and
ends with a sentence; when that is stuck in a call as well, the process is ended with the same one.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from pipelines.workers.last_words import hush
from pipelines.workers.tasks import EngineError

_ASK_EVERY_S = 3.0
SILENCE_S = 40.0
# Leaving by itself takes actors, a log and a lease; more than that is being stuck.
_GRACE_S = 15.0
# A look that comes late was kept from looking: this process stood still, and nobody was silent.
_MOST_BETWEEN_S = 2.0


class HeadWatch:
    """Counts how long the head has been silent."""

    def __init__(self, ask: Callable[[], object], sentence: str) -> None:
        self._ask = ask
        self._sentence = sentence
        self._silent_s = 0.0
        self._ended = threading.Event()

    def check(self) -> None:
        """EngineError when the head has not answered for `SILENCE_S`."""
        if self._silent_s > SILENCE_S:
            raise EngineError(self._sentence)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """Watch while the block lasts."""
        for act in (self._go_on_asking, self._count):
            threading.Thread(target=act, name="head", daemon=True).start()
        try:
            yield
        finally:
            self._ended.set()

    def _go_on_asking(self) -> None:
        while not self._ended.wait(_ASK_EVERY_S):
            try:
                self._ask()
            except Exception:
                continue  # no answer; a thread that ends would take the head for dead
            self._silent_s = 0.0

    def _count(self) -> None:
        looked_s = time.monotonic()
        while not self._ended.wait(1.0):
            now = time.monotonic()
            self._silent_s += min(now - looked_s, _MOST_BETWEEN_S)
            looked_s = now
            if self._silent_s > SILENCE_S + _GRACE_S:
                hush()
                sys.stdout.flush()
                os.write(2, f"error: {self._sentence}\n".encode())
                os._exit(1)
