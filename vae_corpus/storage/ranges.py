"""Many ranges of a file, and many files, with few requests and many of them in flight."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from vae_corpus.storage import flight
from vae_corpus.storage.faults import TooLarge

# A request brings up to so much: 1,000 images of 100 kB are then six requests.
PART_BYTES = 16 * 1024**2
FIRST_BYTES = 2 * 1024**2
# Ranges that lie nearer to each other are read together with what lies between them.
GAP_BYTES = 1024**2
# Files of unknown size are read whole up to here; a larger one costs a second request.
WHOLE_BYTES = 4 * 1024**2

Range = tuple[int, int]
Get = Callable[[int, int], Any]


@dataclass
class _Run:
    """Ranges (offset, size) that are read together, and how many requests that takes."""

    start: int
    stop: int
    ranges: list[Range] = field(default_factory=list)

    @property
    def requests(self) -> int:
        return max(1, -(-(self.stop - self.start) // PART_BYTES))

    def cut(self, data: Any) -> Iterator[bytes]:
        view = memoryview(data)
        for offset, size in self.ranges:
            yield bytes(view[offset - self.start : offset - self.start + size])


def read_ranges(get: Get, ranges: Iterable[Range]) -> Iterator[bytes]:
    """What there is of each range (offset, size), in this order; `get(start, stop)` reads one.

    Neighbours are read together, also those that overlap, as long as offsets do not go back.
    """
    ahead: deque[_Run] = deque()

    def asks() -> Iterator[tuple[int, Callable[[], Any]]]:
        for run in _runs(ranges):
            ahead.append(run)
            for number in range(run.requests):
                start = run.start + number * PART_BYTES
                stop = min(start + PART_BYTES, run.stop)
                yield stop - start, partial(get, start, stop)

    parts = flight.in_order(asks())
    for first in parts:
        run = ahead.popleft()
        rest = itertools.islice(parts, run.requests - 1)
        yield from run.cut(b"".join((first, *rest)) if run.requests > 1 else first)


def _runs(ranges: Iterable[Range]) -> Iterator[_Run]:
    run: _Run | None = None
    number = 0
    for offset, size in ranges:
        stop = offset + size
        if run is not None:
            near = run.start <= offset <= run.stop + GAP_BYTES
            if near and max(stop, run.stop) - run.start <= part_bytes(number):
                run.stop = max(stop, run.stop)
                run.ranges.append((offset, size))
                continue
            yield run
            number += 1
        run = _Run(offset, stop, [(offset, size)])
    if run is not None:
        yield run


def part_bytes(number: int) -> int:
    """The size of the n-th request over a file: the first is small, so that it is soon there."""
    return min(PART_BYTES, FIRST_BYTES << min(number, 8))


def _brought(answer: tuple[Any | None, int] | OSError) -> int:
    return len(answer[0] or b"") if isinstance(answer, tuple) else 0


def read_many(
    whole: Callable[[str, int], tuple[Any | None, int]],
    get: Callable[[str, int, int], Any],
    paths: Iterable[str],
    max_bytes: int,
    sizes: Sequence[int] | None,
) -> Iterator[bytes | OSError]:
    """See `storage.read_many`; `whole` and `get` read as a `Reader` does."""
    paths = list(paths)

    def ask(path: str, limit: int) -> tuple[Any | None, int] | OSError:
        try:
            return whole(path, limit)
        except OSError as error:
            return error

    limits = [min(max_bytes, max(WHOLE_BYTES, size)) for size in sizes or [0] * len(paths)]
    asks = (
        (size or WHOLE_BYTES, partial(ask, path, limit))
        for path, limit, size in zip(paths, limits, sizes or limits, strict=True)
    )
    answers = flight.in_order(asks, _brought)
    for path, answer in zip(paths, answers, strict=True):
        if isinstance(answer, OSError):
            yield answer
            continue
        data, size = answer
        if data is not None:
            yield bytes(data)
        elif size > max_bytes:
            yield TooLarge(size)
        else:
            yield next(read_ranges(partial(get, path), [(0, size)]))
