"""Parquet tables on any place: written as a stream, read by query."""

from __future__ import annotations

import functools
import io
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from vae_corpus.storage import files

if TYPE_CHECKING:
    import pyarrow.dataset as ds

_BATCH_ROWS = 8192
_GROUP_ROWS = 64 * 1024


def table_bytes(table: pa.Table) -> bytes:
    """A table as Parquet bytes, the same for the same table; for large ones: `commit_table`."""
    sink = io.BytesIO()
    _write(table, sink)
    return sink.getvalue()


def commit_table(path: str, table: pa.Table) -> None:
    """Commit a table with the bytes of `table_bytes`, which are never in memory together."""
    with files.commit(path) as file:
        _write(table, file)


def _write(table: pa.Table, sink: Any) -> None:
    pq.write_table(table, sink, compression="zstd", row_group_size=_GROUP_ROWS)


def parquet_metadata(path: str) -> dict[str, str] | None:
    """The key-value marks of a Parquet file; None when it is not there or not whole."""
    try:
        with files.open_read(path) as file:
            marks = pq.ParquetFile(file).schema_arrow.metadata
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    return {key.decode(): value.decode() for key, value in (marks or {}).items()}


def dataset(paths: Sequence[str]) -> ds.Dataset:
    """Parquet files as one table that is read piece by piece; any of them missing is an error."""
    # It brings pandas along, which takes as long to load as all else here; most processes that
    # score or render never ask.
    import pyarrow.dataset as ds

    if not paths:
        return ds.dataset([])
    places = [files.at(path) for path in paths]
    return ds.dataset([inner for _, inner in places], filesystem=places[0][0].arrow())


def query(
    paths: Sequence[str], sql: str, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The answer to `sql` over the table `stored`, all rows of these Parquet files.

    With `columns` the table has these alone and is read once, little ahead: millions of wide rows
    would take a gigabyte otherwise.
    """
    if not paths:
        return []
    # Paths stay out of the SQL: quotes and brackets are names there, not syntax.
    with _database(os.getpid()).cursor() as db:
        stored: Any = dataset(paths)
        if columns is not None:
            ahead = {"batch_size": _BATCH_ROWS, "batch_readahead": 2, "fragment_readahead": 1}
            stored = stored.scanner(columns=list(columns), **ahead).to_reader()
        db.register("stored", stored)
        answer: Any = db.sql(sql)
        rows: list[dict[str, Any]] = answer.to_arrow_table().to_pylist()
    return rows


@functools.cache
def _database(process: int) -> duckdb.DuckDBPyConnection:
    """The empty database of this process; to make one takes longer than most queries.

    What a cursor of it registers no other sees.
    """
    return duckdb.connect()
