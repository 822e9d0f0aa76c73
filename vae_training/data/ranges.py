"""Reads of byte ranges: pread on a local disk, requests to a store that are made ahead of use.

A request that does not answer is made a second time beside it, and the first answer counts. What
may pass is tried again for minutes (`vae_corpus.storage`). What then still cannot be read is either
one tar (`Lost`), without which training goes on, or the whole store, which ends the run.
"""

from __future__ import annotations

import contextlib
import functools
import os
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, as_completed, wait
from functools import partial
from typing import Protocol

from vae_corpus import storage
from vae_corpus.curriculum import CorpusError
from vae_corpus.storage import flight

_OPEN_FILES = 256
# An answer takes .03 s, and .3 s on a bad day. So long after a request another one is made, twice.
HEDGE_S = 3.0
_REQUESTS_EACH = 3
# A store that lives answers one of many tries in that time.
ALIVE_S = 30.0

# Waits for the bytes of a read that has begun.
Answer = Callable[[], bytes]


class Lost(OSError):
    """A tar of a store is gone, cut, or stays out of reach while the rest of the store answers."""


class Reader(Protocol):
    """Thread-safe reads of byte ranges, by path or URL."""

    def ask(self, path: str, offset: int, size: int) -> Answer:
        """Begin to read; what it returns gives `size` bytes, fewer at the end of a local file.

        It raises OSError when it cannot, Lost among them.
        """
        ...

    def expect(self, now: Sequence[int], then: Sequence[int]) -> None:
        """What will be read, as numbers of shards: now, and after it. Nothing: the end of a run."""
        ...


def reader_of(corpus: str) -> Reader:
    """The reader for files below `corpus`, a folder or fsspec URL."""
    return LocalReader() if storage.is_local(corpus) else RemoteReader(corpus)


class LocalReader:
    """Keeps some files open: opening costs as much as reading a small image."""

    def __init__(self) -> None:
        self._open = functools.lru_cache(_OPEN_FILES)(OpenFile)

    def ask(self, path: str, offset: int, size: int) -> Answer:
        return partial(self._read, path, offset, size)

    def expect(self, now: Sequence[int], then: Sequence[int]) -> None:
        """All is here already."""

    def _read(self, path: str, offset: int, size: int) -> bytes:
        return self._open(path).read(offset, size)


class RemoteReader:
    """One request a read, up to 64 of a process in flight (`storage.allow_requests`)."""

    def __init__(self, corpus: str) -> None:
        self._corpus = corpus
        self._knows_ranges = not corpus.startswith(("http://", "https://"))
        self._lost: dict[str, Lost] = {}
        self._asked: set[Future[bytes]] = set()

    def ask(self, path: str, offset: int, size: int) -> Answer:
        get = partial(self.get, path, offset, size)
        asked = flight.submit(get)
        self._asked.add(asked)
        return partial(self._answer, path, asked, get)

    def expect(self, now: Sequence[int], then: Sequence[int]) -> None:
        """At the end of a run, requests that have not begun are dropped."""
        if not now and not then:
            for asked in list(self._asked):
                asked.cancel()
            self._asked.clear()

    def get(self, path: str, offset: int, size: int) -> bytes:
        """`size` bytes, after many tries if need be; OSError, Lost where that is known of a tar."""
        return bytes(self.view(path, offset, size))

    def view(self, path: str, offset: int, size: int) -> memoryview:
        """As `get`, in the memory in which they came."""
        if path in self._lost:
            raise self._lost[path]
        self._check_ranges(path)
        data = storage.read_view(path, offset, size)
        if len(data) < size:
            raise self._lose(path, f"ends before byte {offset + size}")
        return data

    def _answer(self, path: str, asked: Future[bytes], get: Answer) -> bytes:
        self._asked.discard(asked)
        try:
            return _first_answer(asked, get)
        except (Lost, PermissionError):  # no tar of its own is refused where others are not
            raise
        except FileNotFoundError:
            raise self._lose(path, "is gone") from None
        except OSError as error:
            if not self._store_lives():
                raise
            raise self._lose(path, f"cannot be read ({error})") from None

    def _lose(self, path: str, why: str) -> Lost:
        """Remember that a tar cannot be read: nobody waits minutes for each of its images."""
        return self._lost.setdefault(path, Lost(why))

    def _store_lives(self) -> bool:
        """Whether the store answers at all, while one of its tars does not."""
        answered = threading.Event()

        def look() -> None:
            with contextlib.suppress(OSError):
                storage.size_bytes(f"{self._corpus}/curriculum.json")
                answered.set()

        # A thread of its own: those for requests may all be waiting.
        threading.Thread(target=look, daemon=True).start()
        return answered.wait(ALIVE_S)

    def _check_ranges(self, path: str) -> None:
        """CorpusError where an HTTP server sends whole tars, whatever range it is asked for."""
        if self._knows_ranges:
            return
        fs, inner = storage.filesystem(path)
        if len(storage.patiently(path, lambda: fs.cat_file(inner, start=0, end=1))) > 1:
            raise CorpusError(
                f"{path}: the server does not answer range requests, but sends the whole file; use"
                " one that does, or copy the corpus to a disk"
            )
        self._knows_ranges = True


def _first_answer(asked: Future[bytes], get: Answer) -> bytes:
    """The first good answer to a request, which is made again where none comes."""
    tries = [asked]
    while len(tries) < _REQUESTS_EACH and not wait(tries, HEDGE_S, "FIRST_COMPLETED").done:
        tries.append(flight.submit(get))
    for answered in as_completed(tries):
        if answered.exception() is None:
            break
    return answered.result()


class OpenFile:
    """An open file, closed when its last reference is gone."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_RDONLY)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file."""
        return os.pread(self._handle, size, offset)

    # `close` is bound here, because `os` may be gone at the end of a process.
    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if hasattr(self, "_handle"):
            close(self._handle)
