"""Rows of one Parquet row group, forwards and a few at a time: row groups of gigabytes are common.

Whole, such a group takes two to three times its size, and arrow cannot build a struct of more than
2 GB at all. Read in batches, memory is that of a batch, and of a page of each column: a page is the
least that can be decompressed, and holds as many values as its writer chose.
"""

from __future__ import annotations

import bisect
import itertools
import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.sources.base import SourceError
from pipelines.sources.files import is_gone, open_read, real_path, storable
from vae_corpus import storage

# Read at once from a column chunk. Without it arrow would read the chunk whole.
_BUFFER_BYTES = 1 << 20
# Sizes vary inside a group: of few rows even the largest ones take little.
_MAX_BATCH_ROWS = 64
# Arrow quotes what it read.
_MAX_SAID_CHARS = 500


class BrokenParquet(SourceError):
    """The file is no Parquet file, or a damaged one."""


@contextmanager
def open_parquet(uri: str) -> Iterator[pq.ParquetFile]:
    """The open file; BrokenParquet when its footer cannot be read."""
    try:
        # Through Python's own files every page would exist once more.
        local = storage.is_local(uri)
        handle = pa.OSFile(os.fsencode(real_path(uri))) if local else open_read(uri)
    except OSError as error:
        if not is_gone(error):
            raise
        raise BrokenParquet(f"{uri}: {os.strerror(error.errno or 2)}") from None
    with handle:
        with telling_damage(uri):
            parquet = pq.ParquetFile(handle, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        yield parquet


@contextmanager
def read_ahead(
    uri: str, parquet: pq.ParquetFile, groups: Iterable[int], leaves: Sequence[str]
) -> Iterator[pq.ParquetFile]:
    """The same file for who reads these columns of these row groups: a store gives them ahead."""
    if storage.is_local(uri):
        yield parquet
        return
    metadata = parquet.metadata
    chunks = (chunk for group in groups for chunk in _chunks_of(metadata.row_group(group), leaves))
    ranges = [(_start_of(chunk), chunk.total_compressed_size) for chunk in chunks]
    with open_read(uri, ranges) as handle:
        yield pq.ParquetFile(handle, metadata=metadata, buffer_size=_BUFFER_BYTES, pre_buffer=False)


@contextmanager
def telling_damage(uri: str) -> Iterator[None]:
    """BrokenParquet for what arrow says of a damaged footer: of a flipped bit it says anything."""
    try:
        yield
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        # Through other files than its own arrow's errors of data look like those of a network.
        if not is_damage(error, uri) and "deserialize" not in str(error):
            raise
        said = str(error)[:_MAX_SAID_CHARS]
        raise BrokenParquet(f"{uri} is not a readable Parquet file: {said}") from None


def is_damage(error: Exception, uri: str) -> bool:
    """Whether another try would end in the same way, which a fault of disk or network need not."""
    if isinstance(error, pa.ArrowException | UnicodeDecodeError):
        return not isinstance(error, pa.ArrowMemoryError | pa.ArrowCancelled)
    # What arrow says of damaged data; from the disk it would have a number.
    return type(error) is OSError and error.errno is None and storage.is_local(uri)


def group_starts(metadata: pq.FileMetaData) -> list[int]:
    """The number of the first row of each row group, and of the first that is not there."""
    groups = range(metadata.num_row_groups)
    rows: list[int] = [metadata.row_group(i).num_rows for i in groups]
    return [0, *itertools.accumulate(rows)]


def group_of(starts: Sequence[int], row: int) -> int:
    """The row group that holds a row."""
    return min(bisect.bisect_right(starts, row) - 1, len(starts) - 2)


def batches(
    parquet: pq.ParquetFile, group: int, leaves: Sequence[str], batch_bytes: int
) -> Iterator[pa.RecordBatch]:
    """The rows of a group in order, in batches of about `batch_bytes` or less."""
    # Of all columns together: to be asked of a column whose footer contradicts itself, arrow ends
    # the process.
    whole = parquet.metadata.row_group(group)
    fitting = batch_bytes * whole.num_rows // max(whole.total_byte_size, 1)
    rows = max(1, min(_MAX_BATCH_ROWS, fitting))
    yield from parquet.iter_batches(
        rows, row_groups=[group], columns=list(leaves), use_threads=False
    )


def _chunks_of(group: Any, leaves: Sequence[str]) -> list[Any]:
    """The column chunks of a row group that hold these leaves."""
    chunks = (group.column(i) for i in range(group.num_columns))
    return [
        chunk
        for chunk in chunks
        if any(f"{chunk.path_in_schema}.".startswith(f"{leaf}.") for leaf in leaves)
    ]


def _start_of(chunk: Any) -> int:
    # Some writers name a dictionary that is not there at place 0.
    pages = (chunk.dictionary_page_offset, chunk.data_page_offset)
    start: int = min(page for page in pages if page)
    return start


def python_value(value: pa.Scalar) -> Any:
    """The value as Python has it; in text that is no UTF-8, odd bytes and % become %XX.

    Arrow writes text without a look at it, and raises when it is asked for it.
    """
    if isinstance(value, pa.DictionaryScalar):
        return python_value(value.value)
    if not value.is_valid:
        return None
    if isinstance(value, pa.StructScalar):
        names = [field.name for field in value.type]
        return {name: python_value(value[place]) for place, name in enumerate(names)}
    if isinstance(value, pa.StringScalar | pa.LargeStringScalar | pa.StringViewScalar):
        return storable(value.as_buffer().to_pybytes().decode("utf-8", "surrogateescape"))
    return value.as_py()


class Forward:
    """Values of a row group, asked for in about ascending order.

    The batches last read stay while they fit into `batch_bytes`, so a small group is read once. A
    step back behind them starts at the beginning of the group.
    """

    def __init__(
        self, uri: str, parquet: pq.ParquetFile, group: int, leaves: Sequence[str], batch_bytes: int
    ) -> None:
        self.group = group
        self._args = (group, leaves, batch_bytes)
        self._uri, self._limit = uri, batch_bytes
        self._parquet = parquet
        self._start()

    def _start(self) -> None:
        self._batches = batches(self._parquet, *self._args)
        self._kept: deque[pa.RecordBatch] = deque()
        self._first = self._stop = 0

    def value(self, row: int, column: str) -> Any:
        """The value of a row of the group, counted from 0, as Python has it."""
        if row < self._first:
            self._start()
        while row >= self._stop:
            self._advance()
        at = self._first
        for batch in self._kept:
            if row < at + batch.num_rows:
                break
            at += batch.num_rows
        return python_value(batch.column(column)[row - at])

    def _advance(self) -> None:
        try:
            batch = next(self._batches, None)
        except BaseException:
            self._start()  # another try finds no iterator that has come to its end
            raise
        if batch is None:
            raise SourceError(f"{self._uri} has fewer rows than when it was scored: run again")
        self._kept.append(batch)
        self._stop += batch.num_rows
        while len(self._kept) > 1 and sum(b.nbytes for b in self._kept) > self._limit:
            self._first += self._kept.popleft().num_rows
