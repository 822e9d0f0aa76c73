"""A file of a store as an open file: exact ranges, or where it is known what comes, ahead of it."""

from __future__ import annotations

import bisect
import io
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import Future
from functools import partial
from typing import IO, Any, cast

from vae_corpus.storage import flight
from vae_corpus.storage.ranges import GAP_BYTES, Get, Range, part_bytes

# Blocks under way while one is read, and how many stay that were read before: columns of a row
# group are read by turns.
_AHEAD = 3
_KEPT = 2
_BUFFER_BYTES = 128 * 1024


def open_file(get: Get, size_bytes: int, ranges: Iterable[Range], *, now: bool) -> IO[bytes]:
    """A seekable file over `get(start, stop)`, of which these ranges will be read, each in order.

    What lies in them is read in blocks of up to 16 MiB with some under way; all else as it is asked
    for. `now`: the first are asked for before anybody reads. Memory: six blocks at most.
    """
    file = _File(get, size_bytes, _blocks(ranges, size_bytes))
    if now:
        file.begin()
    return cast(IO[bytes], io.BufferedReader(file, _BUFFER_BYTES))


class _File(io.RawIOBase):
    def __init__(self, get: Get, size_bytes: int, blocks: list[Range]) -> None:
        self._get, self._size, self._blocks = get, size_bytes, blocks
        self._starts = [start for start, _ in blocks]
        self._at = 0
        self._read: set[int] = set()
        # By number, the one that was asked for or read longest ago first.
        self._held: OrderedDict[int, Future[Any]] = OrderedDict()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        if base + offset < 0:
            raise ValueError(f"cannot seek to {base + offset}")
        self._at = base + offset
        return self._at

    def readinto(self, buffer: Any) -> int:
        stop = min(self._at + len(buffer), self._size)
        if stop <= self._at:
            return 0
        number = bisect.bisect_right(self._starts, self._at) - 1
        if number >= 0 and self._at < self._blocks[number][1]:
            start, end = self._blocks[number]
            data = memoryview(self._block(number))[self._at - start : min(stop, end) - start]
        else:
            if number + 1 < len(self._starts):
                stop = min(stop, self._starts[number + 1])
            data = memoryview(self._get(self._at, stop))
        buffer[: len(data)] = data
        self._at += len(data)
        return len(data)

    def begin(self) -> None:
        """Ask for the first blocks."""
        for number in range(min(_AHEAD, len(self._blocks))):
            self._ask(number)

    def _block(self, number: int) -> Any:
        self._ask(number)
        self._held.move_to_end(number)
        # From where nobody came in order, nobody may go on: a second column that is read by turns.
        if number == 0 or number - 1 in self._read:
            for after in range(number + 1, min(number + 1 + _AHEAD, len(self._blocks))):
                self._ask(after)
        self._read.add(number)
        while len(self._held) > 1 + _AHEAD + _KEPT:
            self._held.popitem(last=False)[1].cancel()
        try:
            return self._held[number].result()
        except BaseException:
            del self._held[number]  # another try asks again
            raise

    def _ask(self, number: int) -> None:
        if number not in self._held:
            self._held[number] = flight.submit(partial(self._get, *self._blocks[number]))

    def close(self) -> None:
        while self._held:
            self._held.popitem()[1].cancel()
        super().close()


def _blocks(ranges: Iterable[Range], size_bytes: int) -> list[Range]:
    """(start, stop) of blocks over the ranges (offset, size), sorted; near ranges are one."""
    spans: list[list[int]] = []
    for offset, size in sorted(ranges):
        stop = min(offset + size, size_bytes)
        if spans and offset <= spans[-1][1] + GAP_BYTES:
            spans[-1][1] = max(stop, spans[-1][1])
        elif stop > offset:
            spans.append([offset, stop])
    blocks: list[Range] = []
    for start, stop in spans:
        while start < stop:
            end = min(start + part_bytes(len(blocks)), stop)
            blocks.append((start, end))
            start = end
    return blocks
