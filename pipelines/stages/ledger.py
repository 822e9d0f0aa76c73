"""What is known of finished shards, so that the next build need not look into each of them.

`.made` in the corpus says of every shard what its index said when it was read: the recipe, and the
samples and bytes of each group; and the size and stamp that its tar and its index then had in the
listing of their folder. It is a cache. A row counts only while both files are still listed with
the same size and stamp; everything else is read anew, and a file that is missing or damaged only
costs that time. Its name starts with a dot: nobody takes it for a part of the corpus.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from vae_corpus import storage
from vae_corpus.storage import Entry
from vae_corpus.words import GROUP_COLUMNS

NAME = ".made"

_COUNTED = pa.struct(
    [
        *((name, pa.int32() if name == "rung" else pa.string()) for name in GROUP_COLUMNS),
        ("samples", pa.int64()),
        ("bytes", pa.int64()),
    ]
)
# A file of another version has another schema, and is then not used.
_SCHEMA = pa.schema(
    [
        ("shard", pa.string()),
        ("recipe", pa.string()),
        ("tar_bytes", pa.int64()),
        ("tar_stamp", pa.string()),
        ("index_bytes", pa.int64()),
        ("index_stamp", pa.string()),
        ("groups", pa.list_(_COUNTED)),
    ]
)
# Each is a request to an object store, which answers slowly.
_READS_AT_ONCE = 64
_DIGEST_BYTES = 64


@dataclass(frozen=True, kw_only=True)
class _Row:
    """What is known of a shard, and the number of its row in the table."""

    recipe: str
    tar: Entry
    index: Entry
    number: int


class Ledger:
    """The shards of a corpus that were looked into, by name without extension."""

    def __init__(self, out: str, table: pa.Table | None = None) -> None:
        self._out = out
        self._table = _SCHEMA.empty_table() if table is None else table
        self._rows = _rows(self._table)
        self._changed = False

    def names(self) -> list[str]:
        """All of these shards, in order."""
        return sorted(self._rows)

    def recipe(self, shard: str, tar: Entry, index: Entry) -> str | None:
        """The recipe of a whole shard whose files are listed like this; None: not known."""
        row = self._rows.get(shard)
        if row is None or not (tar.stamp and index.stamp):
            return None
        return row.recipe if (row.tar, row.index) == (tar, index) else None

    def learn(self, shards: Iterable[tuple[str, Entry, Entry]]) -> dict[str, str]:
        """Read the indexes of these shards, listed with a tar and an index; whole ones' recipes."""
        with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
            found = [row for row in pool.map(self._look_into, shards) if row is not None]
        if found:
            whole = pa.concat_tables([self._table, pa.Table.from_pylist(found, schema=_SCHEMA)])
            # The last row of a shard counts.
            last = {name: n for n, name in enumerate(whole["shard"].to_pylist())}
            self._table = whole.combine_chunks().take(pa.array(list(last.values()), pa.int64()))
            self._rows = _rows(self._table)
            self._changed = True
        return {row["shard"]: row["recipe"] for row in found}

    def _look_into(self, shard: tuple[str, Entry, Entry]) -> dict[str, Any] | None:
        name, tar, index = shard
        try:
            data = storage.read_bytes(storage.join(self._out, f"{name}.parquet"))
        except FileNotFoundError:
            return None
        try:
            with pq.ParquetFile(pa.BufferReader(data)) as file:
                marks = file.schema_arrow.metadata or {}
                samples = file.read([*GROUP_COLUMNS, "bytes"])
        except (pa.ArrowException, OSError):
            return None  # not whole
        if set(marks) != {b"recipe", b"tar_bytes"} or marks[b"tar_bytes"] != b"%d" % tar.bytes:
            return None
        counts = samples.group_by(list(GROUP_COLUMNS)).aggregate(
            [("bytes", "count"), ("bytes", "sum")]
        )
        counts = counts.rename_columns({"bytes_count": "samples", "bytes_sum": "bytes"})
        return {
            "shard": name,
            "recipe": marks[b"recipe"].decode(),
            "tar_bytes": tar.bytes,
            "tar_stamp": tar.stamp,
            "index_bytes": index.bytes,
            "index_stamp": index.stamp,
            "groups": counts.to_pylist(),
        }

    def group_counts(self, shards: Sequence[str]) -> list[dict[str, Any]]:
        """Samples and bytes per group over these shards, all of them known, in a fixed order."""
        numbers = pa.array([self._rows[shard].number for shard in shards], pa.int64())
        with duckdb.connect() as db:
            db.register("known", self._table.select(["groups"]).take(numbers))
            columns = ", ".join(GROUP_COLUMNS)
            answer: Any = db.sql(
                f"""
                SELECT {columns}, sum(samples)::BIGINT AS samples, sum("bytes")::BIGINT AS "bytes"
                FROM (SELECT unnest(groups, recursive := true) FROM known)
                GROUP BY ALL ORDER BY {", ".join(f"{name} NULLS FIRST" for name in GROUP_COLUMNS)}
                """
            )
            rows: list[dict[str, Any]] = answer.to_arrow_table().to_pylist()
        return rows

    def save(self, wanted: Collection[str] | None = None) -> None:
        """Write what has been learnt; with `wanted` other shards are forgotten."""
        keep = [
            r.number for name, r in sorted(self._rows.items()) if wanted is None or name in wanted
        ]
        if not self._changed and len(keep) == len(self._rows):
            return
        sink = io.BytesIO()
        pq.write_table(self._table.take(pa.array(keep, pa.int64())), sink, compression="zstd")
        data = sink.getvalue()
        storage.commit_bytes(storage.join(self._out, NAME), _digest(data) + data)
        self._changed = False


def read(out: str) -> Ledger:
    """The ledger of a corpus; an empty one where there is none that is whole."""
    try:
        held = storage.read_bytes(storage.join(out, NAME))
    except FileNotFoundError:
        return Ledger(out)
    digest, data = held[:_DIGEST_BYTES], held[_DIGEST_BYTES:]
    if digest != _digest(data):
        return Ledger(out)
    try:
        table = pq.read_table(pa.BufferReader(data))
    except (pa.ArrowException, OSError):
        return Ledger(out)  # as its writer meant it, but not for this version
    return Ledger(out, table if table.schema.equals(_SCHEMA) else None)


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).hexdigest().encode()


def _rows(table: pa.Table) -> dict[str, _Row]:
    columns: Mapping[str, list[Any]] = {
        name: table[name].to_pylist() for name in _SCHEMA.names if name != "groups"
    }
    return {
        shard: _Row(
            recipe=columns["recipe"][n],
            tar=Entry(bytes=columns["tar_bytes"][n], stamp=columns["tar_stamp"][n]),
            index=Entry(bytes=columns["index_bytes"][n], stamp=columns["index_stamp"][n]),
            number=n,
        )
        for n, shard in enumerate(columns["shard"])
    }
