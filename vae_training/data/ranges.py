"""Reads of byte ranges: pread on a local disk, ranged requests to anything else (fsspec)."""

from __future__ import annotations

import functools
import os
import time
from collections.abc import Callable
from typing import Protocol

import fsspec

_OPEN_FILES = 256
_ATTEMPTS = 5
_FIRST_WAIT_S = 0.5


class Reader(Protocol):
    """Thread-safe reads of byte ranges."""

    def read(self, path: str, offset: int, size: int) -> bytes:
        """`size` bytes from `offset`, fewer at the end of the file; OSError when it cannot."""
        ...


def reader_of(corpus: str) -> Reader:
    """The reader for files below `corpus`, a folder or fsspec URL."""
    return RemoteReader() if "://" in corpus else LocalReader()


class LocalReader:
    """Keeps some files open: opening costs as much as reading a small image."""

    def __init__(self) -> None:
        self._open = functools.lru_cache(_OPEN_FILES)(_File)

    def read(self, path: str, offset: int, size: int) -> bytes:
        return self._open(path).read(offset, size)


class RemoteReader:
    """Repeats a failed request up to four times, with doubling waits from 0.5 s on."""

    def read(self, path: str, offset: int, size: int) -> bytes:
        fs, inner = fsspec.core.url_to_fs(path)
        for attempt in range(_ATTEMPTS):
            try:
                return bytes(fs.cat_file(inner, start=offset, end=offset + size))
            except FileNotFoundError:
                raise
            except Exception as error:  # each protocol has errors of its own
                if attempt + 1 == _ATTEMPTS:
                    raise OSError(f"{_ATTEMPTS} requests failed, the last: {error}") from error
            time.sleep(_FIRST_WAIT_S * 2**attempt)
        raise AssertionError("the loop returns or raises")


class _File:
    """An open file, closed when its last reference is gone."""

    def __init__(self, path: str) -> None:
        self._handle = os.open(path, os.O_RDONLY)

    def read(self, offset: int, size: int) -> bytes:
        return os.pread(self._handle, size, offset)

    # `close` is bound here, because `os` may be gone at the end of a process.
    def __del__(self, close: Callable[[int], None] = os.close) -> None:
        if hasattr(self, "_handle"):
            close(self._handle)
