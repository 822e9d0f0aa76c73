"""Questions asked of many files at once, answered in the order of the files."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")

_AT_ONCE = 16


def ahead(
    ask: Callable[[Asked], Answer], every: Iterable[Asked]
) -> Iterator[tuple[Asked, Future[Answer]]]:
    """Each with its answer, or the error that its `result` raises; up to 16 are asked at once."""
    pool = ThreadPoolExecutor(_AT_ONCE)
    waiting: deque[tuple[Asked, Future[Answer]]] = deque()
    try:
        for one in every:
            waiting.append((one, pool.submit(ask, one)))
            if len(waiting) == _AT_ONCE:
                yield waiting.popleft()
        yield from waiting
    finally:
        pool.shutdown(cancel_futures=True)
