"""Patience with stores: what may pass is tried again, after pauses of random length.

Pauses double up to `LONGEST_S` and each is drawn anew between nothing and all of it ("full
jitter"), so that thousands of workers that a store sent away do not come back together.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from vae_corpus.storage.faults import passes, status_of, told

T = TypeVar("T")

FIRST_S = 0.2
LONGEST_S = 10.0
# From the first fault of a call on. A store that has never answered is more likely misspelt.
GIVE_UP_S = 300.0
NEVER_ANSWERED_S = 20.0


class Patience:
    """Of one store in one process."""

    def __init__(self) -> None:
        self._answered = False

    def call(self, ask: Callable[[], T], url: str) -> T:
        """What `ask` returns, in the end; else the last error as callers know it (`faults.told`).

        `ask` must be such that doing it twice is the same as once.
        """
        began_s: float | None = None
        pause = FIRST_S
        while True:
            try:
                answer = ask()
            except Exception as error:
                self._answered |= status_of(error) is not None
                now_s = time.monotonic()
                began_s = now_s if began_s is None else began_s
                limit = GIVE_UP_S if self._answered else NEVER_ANSWERED_S
                if not passes(error) or now_s - began_s >= limit:
                    # Without its cause, which may show more than ours.
                    raise told(error, url) from None
            else:
                self._answered = True
                return answer
            # Decides nothing but when to ask again.
            time.sleep(random.uniform(0, pause))
            pause = min(LONGEST_S, 2 * pause)
