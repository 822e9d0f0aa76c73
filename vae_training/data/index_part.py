"""The rows of one shard's Parquet index, checked against its tar and sorted for the index."""

from __future__ import annotations

import functools
import io
from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from vae_corpus import storage
from vae_corpus.curriculum import CorpusError
from vae_corpus.tables import INDEX_SCHEMA
from vae_corpus.words import GROUP_COLUMNS, Bucket, Group

_COLUMNS = ["shard", "key", "offset", "bytes", "parent"]
_GROUP = list(GROUP_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class Part:
    """The rows of one tar by group, in the order of `in_order`, and by offset.

    `groups` has the distinct groups in their order and `counts` their rows. `letters` are the keys
    one behind the other, `ends` where each ends, `parent` a hash of each parent's name.
    """

    groups: tuple[Group, ...]
    counts: NDArray[np.int64]
    offset: NDArray[np.int64]
    bytes: NDArray[np.int64]
    parent: NDArray[np.uint64]
    letters: NDArray[np.uint8]
    ends: NDArray[np.int64]


def read_part(corpus: str, name: str, tar_bytes: int, index_bytes: int) -> Part:
    """The rows of the shard `name` of `corpus`, whose tar and index have so many bytes.

    CorpusError when the index cannot be read, is none, or does not fit the tar.
    """
    path, tar = f"{corpus}/{name}.parquet", f"{name}.tar"
    table = _read(path, index_bytes)
    if wrong := set(pc.unique(table["shard"]).to_pylist()) - {tar}:
        raise CorpusError(f"{path} speaks of {min(wrong)}, not of {tar}: delete both, build again")
    offset, size = table["offset"].to_numpy(), table["bytes"].to_numpy()
    for row in np.flatnonzero((offset < 0) | (size < 1))[:1]:
        raise CorpusError(
            f"{path} places {table['key'][int(row)]} at byte {offset[row]} with {size[row]} bytes:"
            f" delete both it and {tar}, build again"
        )
    if (end := int((offset + size).max(initial=0))) > tar_bytes:
        raise CorpusError(
            f"{corpus}/{tar} has {tar_bytes} bytes, its index needs {end}: the tar is truncated"
            " or the index is of another; delete both and build the corpus again"
        )
    groups, group = _groups(table)
    for bucket in {g.bucket for g in groups}:
        try:
            Bucket.parse(bucket)
        except ValueError as error:
            raise CorpusError(f"{path}: {error}: delete it and build again") from None
    sorted_rows = np.lexsort((offset, group))
    keys = table["key"].combine_chunks().take(pa.array(sorted_rows))
    letters, ends = _letters(keys)
    return Part(
        groups=groups,
        counts=np.bincount(group, minlength=len(groups)),
        offset=offset[sorted_rows],
        bytes=size[sorted_rows],
        parent=hashes(table["parent"])[sorted_rows],
        letters=letters,
        ends=ends,
    )


def hashes(names: pa.ChunkedArray) -> NDArray[np.uint64]:
    """64 bits of a SHA-256 of each name; without the interpreter's lock, so that threads help."""
    named = pa.table({"name": names})
    sql = "select unhex(substr(sha256(concat('holdout:', name)), 1, 16)) as hash from named"
    with _database().cursor() as cursor:
        cursor.register("named", named)
        found = cursor.sql(sql).to_arrow_table()["hash"].combine_chunks()
    values = found.cast(pa.binary(8)).buffers()[1]
    return np.frombuffer(values or b"", dtype=">u8", count=len(found)).astype(np.uint64)


def in_order(group: Group) -> tuple[str, ...]:
    """What groups are sorted by."""
    values = (getattr(group, name) for name in _GROUP)
    return tuple("" if value is None else str(value) for value in values)


def _read(path: str, size: int) -> pa.Table:
    try:
        data = storage.read_bytes(path, 0, size)
    except OSError as error:
        raise CorpusError(
            f"cannot read {path} ({error}): mend the disk or the way to the server; the same"
            " command goes on"
        ) from None
    try:
        source = pq.ParquetFile(io.BytesIO(data))
        missing = set(_COLUMNS + _GROUP) - set(source.schema_arrow.names)
        # Many indexes are read at once: threads of Arrow's own would only wait for each other.
        table = source.read(columns=_COLUMNS + _GROUP, use_threads=False)
        table = table.cast(pa.schema([INDEX_SCHEMA.field(n) for n in table.column_names]))
    except (pa.ArrowInvalid, ValueError) as error:
        raise CorpusError(
            f"{path} is no shard index ({error}): delete it and build again"
        ) from None
    if missing:
        raise CorpusError(f"{path} lacks the columns {sorted(missing)}: delete it and build again")
    return table


def _groups(table: pa.Table) -> tuple[tuple[Group, ...], NDArray[np.int64]]:
    """The distinct groups of a table in their order, and for each row the index of its group."""
    code = np.zeros(table.num_rows, dtype=np.int64)
    for name in _GROUP:
        column = table[name].combine_chunks().dictionary_encode(null_encoding="encode")
        code = code * len(column.dictionary) + column.indices.to_numpy()
    _, first, number = np.unique(code, return_index=True, return_inverse=True)
    found = [Group(**row) for row in table.select(_GROUP).take(first).to_pylist()]
    by_name = sorted(range(len(found)), key=lambda i: in_order(found[i]))
    place = np.empty(len(found), dtype=np.int64)
    place[by_name] = np.arange(len(found))
    return tuple(found[i] for i in by_name), place[number]


@functools.cache
def _database() -> duckdb.DuckDBPyConnection:
    """To make one takes longer than to hash the names of a shard."""
    return duckdb.connect()


def _letters(keys: pa.StringArray) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """The bytes of all keys, and where each ends."""
    _, ends, letters = keys.buffers()
    borders = np.frombuffer(ends, dtype=np.int32)[keys.offset : keys.offset + len(keys) + 1]
    if not len(keys):
        return np.empty(0, dtype=np.uint8), np.empty(0, dtype=np.int64)
    used = np.frombuffer(letters, dtype=np.uint8)[borders[0] : borders[-1]]
    return used, borders[1:].astype(np.int64) - borders[0]
