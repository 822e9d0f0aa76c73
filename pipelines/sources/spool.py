"""A list of files that is put in order on a disk when it is long.

Up to some ten thousand files stay in memory and are sorted there. More go in chunks to a temporary
file, each chunk is sorted, and sorted chunks are merged: however many files there are, one chunk is
in memory, and later a block of each chunk that is merged. The temporary files have no names, so
that they are gone with the process, however it ends. They lie where TMPDIR says, and take about 30
bytes a file, twice while they are merged.
"""

from __future__ import annotations

import errno
import heapq
import itertools
import marshal
import os
import struct
import tempfile
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

import pyarrow as pa

from pipelines.sources.base import SourceError
from pipelines.sources.buckets import name_hash
from pipelines.sources.files import FileInfo
from vae_corpus import storage

# Python holds a file in some 400 bytes: 13 MB a chunk, and 4 MB of blocks when chunks are merged.
CHUNK_FILES = 32 * 1024
_BLOCK_ROWS = 128
_MERGED_AT_ONCE = 64

# Key, and the fields of a FileInfo. Plain tuples compare, and are written, without Python code.
_Row = tuple[str, str, str, int, str]


class Spool:
    """Files that are added in any order and handed out sorted, as often as asked.

    To be closed, best by `with`.
    """

    def __init__(self) -> None:
        self.count = self.bytes = 0
        self._files: list[FileInfo] = []
        self._stored: _Runs | None = None
        self._chunks: list[_Run] = []

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: Any) -> None:
        if self._stored is not None:
            self._stored.close()

    def add(self, file: FileInfo) -> None:
        self._files.append(file)
        self.count += 1
        self.bytes += file.bytes
        if len(self._files) == CHUNK_FILES:
            if self._stored is None:
                self._stored = _Runs()
            self._chunks.append(self._stored.append(("", *file) for file in self._files))
            self._files = []

    def by_name(self) -> Iterator[FileInfo]:
        """Every file; SourceError when two would be stored under one name."""
        return _refusing_twins(self.by_key(lambda file: file.name))

    def by_bucket(self, count: int) -> Iterator[list[FileInfo]]:
        """The files of each bucket that has some, by name; SourceError as `by_name`.

        A file's bucket is its `name_hash` modulo `count`.
        """
        digits = len(f"{count - 1:x}")
        keyed = self._sorted(lambda file: f"{name_hash(file.name) % count:0{digits}x}{file.name}")
        for _, rows in itertools.groupby(keyed, lambda row: row[0][:digits]):
            yield list(_refusing_twins(FileInfo._make(row[1:]) for row in rows))

    def by_key(self, key: Callable[[FileInfo], str]) -> Iterator[FileInfo]:
        """Every file, in the order of `key`."""
        return (FileInfo._make(row[1:]) for row in self._sorted(key))

    def _sorted(self, key: Callable[[FileInfo], str]) -> Iterator[_Row]:
        rest = sorted((key(file), *file) for file in self._files)
        if self._stored is None:
            yield from rest
            return
        runs = _Runs()
        try:
            stored = []
            for chunk in self._chunks:
                files = (FileInfo._make(row[1:]) for row in self._stored.read(chunk))
                stored.append(runs.append(sorted((key(file), *file) for file in files)))
            while len(stored) >= _MERGED_AT_ONCE:
                merged = _Runs()
                try:
                    stored = [
                        merged.append(heapq.merge(*map(runs.read, stored[i : i + _MERGED_AT_ONCE])))
                        for i in range(0, len(stored), _MERGED_AT_ONCE)
                    ]
                finally:
                    runs, merged = merged, runs
                    merged.close()
            yield from heapq.merge(rest, *map(runs.read, stored))
        finally:
            runs.close()


def _refusing_twins(files: Iterable[FileInfo]) -> Iterator[FileInfo]:
    last = None
    for file in files:
        if last is not None and last.name == file.name:
            raise SourceError(f"two files would be stored as {file.uri}: rename one of them")
        yield file
        last = file


class _Run(NamedTuple):
    """Where rows lie in a file, in bytes."""

    start: int
    stop: int


class _Runs:
    """Runs of rows in a temporary file without a name; each run is read block by block."""

    _HEAD = struct.Struct("<II")

    def __init__(self) -> None:
        self._file = tempfile.TemporaryFile(buffering=0)  # noqa: SIM115 (closed by `close`)
        self._codec = pa.Codec("zstd")
        self._end = 0

    def append(self, rows: Iterable[_Row]) -> _Run:
        start, left = self._end, iter(rows)
        while block := list(itertools.islice(left, _BLOCK_ROWS)):
            # Marshal is for data that never leave this version of Python; pickle takes longer.
            raw = marshal.dumps(block)
            packed = self._codec.compress(raw, asbytes=True)
            self._write(self._HEAD.pack(len(packed), len(raw)) + packed)
        return _Run(start, self._end)

    def read(self, run: _Run) -> Iterator[_Row]:
        at = run.start
        while at < run.stop:
            packed, raw = self._HEAD.unpack(os.pread(self._file.fileno(), self._HEAD.size, at))
            at += self._HEAD.size
            data = os.pread(self._file.fileno(), packed, at)
            at += packed
            yield from marshal.loads(self._codec.decompress(data, raw, asbytes=True))

    def _write(self, data: bytes) -> None:
        try:
            # Readers have places of their own, so the file's is always its end.
            while data:
                written = self._file.write(data)
                self._end += written
                data = data[written:]
        except OSError as error:
            if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
                raise
            raise storage.DiskFull(
                f"no room for the list of files in {tempfile.gettempdir()}: {error.strerror}, after"
                f" {self._end:,} bytes. Make room, or name a folder on another disk with TMPDIR"
            ) from None

    def close(self) -> None:
        self._file.close()
