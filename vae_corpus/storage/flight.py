"""Many requests of a process in flight at once, their answers in order and few bytes ahead.

A request to an object store takes some 30 ms, whatever its size: one after the other they would be
30 a second.
"""

from __future__ import annotations

import functools
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")

DEFAULT_REQUESTS = 64
# What one reader may have asked for and not yet taken.
MOST_BYTES = 256 * 1024**2
_requests = DEFAULT_REQUESTS


def allow_requests(count: int) -> None:
    """At most so many requests in flight, of all readers of this process together."""
    global _requests
    _requests = count


def submit(ask: Callable[[], T]) -> Future[T]:
    """Begin a request as soon as one may be in flight."""
    return _pool(os.getpid(), _requests).submit(ask)


def in_order(
    asks: Iterable[tuple[int, Callable[[], T]]], weigh: Callable[[T], int] | None = None
) -> Iterator[T]:
    """The answers to these requests, each given with the bytes that it may bring at most.

    `weigh` tells how many an answer has brought. Requests are taken from the iterator as those
    before are answered and taken. Beside one that alone brings more than `MOST_BYTES`, nothing else
    is ahead.
    """
    pending: deque[_Pending[T]] = deque()
    ahead = 0
    try:
        for size, ask in asks:
            # Twice as many as are in flight: a slow answer at the head stops none behind it.
            while pending and (len(pending) >= 2 * _requests or ahead + size > MOST_BYTES):
                if weigh is not None and ahead + size > MOST_BYTES:
                    ahead -= sum(each.settle(weigh) for each in pending)
                    if len(pending) < 2 * _requests and ahead + size <= MOST_BYTES:
                        break
                first = pending.popleft()
                yield first.answer.result()
                ahead -= first.size
            pending.append(_Pending(size, submit(ask)))
            ahead += size
        while pending:
            yield pending.popleft().answer.result()
    finally:
        for each in pending:
            each.answer.cancel()


@dataclass
class _Pending(Generic[T]):
    """A request whose answer nobody has taken yet, and the bytes that it holds or may bring."""

    size: int
    answer: Future[T]
    settled: bool = False

    def settle(self, weigh: Callable[[T], int]) -> int:
        """Count what has come in place of what might; how many bytes fewer that is."""
        if self.settled or not self.answer.done():
            return 0
        self.settled = True
        if self.answer.cancelled() or self.answer.exception() is not None:
            return 0
        before, self.size = self.size, weigh(self.answer.result())
        return before - self.size


# Threads do not survive a fork.
@functools.lru_cache(maxsize=1)
def _pool(process: int, requests: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(requests, thread_name_prefix="store")
