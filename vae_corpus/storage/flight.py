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
from typing import TypeVar

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
    pending: deque[tuple[int, Future[T]]] = deque()
    try:
        for size, ask in asks:
            # Twice as many as are in flight: a slow answer at the head stops none behind it.
            while pending and (
                len(pending) >= 2 * _requests or _ahead(pending, weigh) + size > MOST_BYTES
            ):
                yield pending.popleft()[1].result()
            pending.append((size, submit(ask)))
        while pending:
            yield pending.popleft()[1].result()
    finally:
        for _, answer in pending:
            answer.cancel()


def _ahead(pending: Iterable[tuple[int, Future[T]]], weigh: Callable[[T], int] | None) -> int:
    """Bytes that are here, or may come, and that nobody has taken."""
    if weigh is None:
        return sum(size for size, _ in pending)
    return sum(
        weigh(answer.result()) if answer.done() and not answer.exception() else size
        for size, answer in pending
    )


# Threads do not survive a fork.
@functools.lru_cache(maxsize=1)
def _pool(process: int, requests: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(requests, thread_name_prefix="store")
