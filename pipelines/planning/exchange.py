"""Rows that change hands: one task writes them in partitions, each of which another task reads.

A file is Arrow IPC with one record batch per partition, so that a reader takes its own with two
ranged reads, and there are as many files as writers, whatever the number of readers.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vae_corpus import storage

# Each is two requests to an object store, which answers slowly.
_READS_AT_ONCE = 32


def write(
    path: str,
    table: pa.Table,
    partition: NDArray[np.int64],
    count: int,
    rows: NDArray[np.int64] | None = None,
) -> None:
    """Commit the rows, each in its partition of 0..count-1, in their order there.

    With `rows` those of these numbers, of which one may come several times.
    """
    order = np.argsort(partition, kind="stable")
    ends = np.searchsorted(partition[order], np.arange(count + 1)).tolist()
    if rows is not None:
        order = rows[order]
    whole = table.combine_chunks()
    with storage.commit(path) as file, pa.ipc.new_file(file, table.schema) as sink:
        for start, stop in zip(ends, ends[1:], strict=False):
            taken = whole.take(pa.array(order[start:stop])).combine_chunks()
            sink.write_batch(taken.to_batches()[0] if stop > start else _no_rows(table.schema))


def read(folder: str, names: Sequence[str], partition: int) -> pa.Table:
    """The rows of a partition in these files of a folder, in their order."""
    paths = [storage.join(folder, name) for name in names]
    if storage.is_local(folder):
        # Few bytes of a large file: whoever maps it copies no others.
        tables = [_batch(pa.memory_map(path), partition) for path in paths]
    else:
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            tables = list(pool.map(lambda path: _read(path, partition), paths))
    return pa.concat_tables(tables).combine_chunks()


def _read(path: str, partition: int) -> pa.Table:
    with storage.open_read(path) as file:
        return _batch(file, partition)


def _batch(file: object, partition: int) -> pa.Table:
    with pa.ipc.open_file(file) as source:
        return pa.Table.from_batches([source.get_batch(partition)])


def _no_rows(schema: pa.Schema) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([pa.array([], f.type) for f in schema], schema=schema)
