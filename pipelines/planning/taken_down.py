"""What was taken down: images that must not be in the corpus, and why.

They keep their place in the plan, so that the shards of all others stay as they are, and what was
dropped for their sake (copies of them) does not come back.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vae_corpus import storage

# Why a row is dropped that was taken down.
TAKEN_DOWN = "taken_down"
NAME = "taken_down.parquet"
KEY, SHA256, SOURCE = "key", "sha256", "source"
SCHEMA = pa.schema([("what", pa.string()), ("value", pa.string()), ("why", pa.string())])


@dataclass(frozen=True)
class TakenDown:
    """A list of keys of images, hashes of bytes and names of sources, as `SCHEMA`."""

    table: pa.Table = field(default_factory=SCHEMA.empty_table)

    def split(self, rows: pa.Table) -> tuple[pa.Table, pa.Table]:
        """Rows that stay and rows that were taken down; both tables have the columns of `rows`."""
        gone = self.covers(rows)
        return rows.filter(pc.invert(gone)).combine_chunks(), rows.filter(gone).combine_chunks()

    def covers(self, rows: pa.Table) -> pa.Array:
        """Which rows, with columns key, sha256 and source, were taken down."""
        found = pa.array([False] * len(rows), pa.bool_())
        for what in (KEY, SHA256, SOURCE):
            values = self.table.filter(pc.equal(self.table["what"], what))["value"]
            if len(values):
                found = pc.or_(found, pc.is_in(rows[what].combine_chunks(), values))
        return found

    def shortened(self) -> TakenDown:
        """The same with the first 16 digits of each hash, which are what keys of images have."""
        what, value = self.table["what"], self.table["value"]
        short = pc.if_else(pc.equal(what, SHA256), pc.utf8_slice_codeunits(value, 0, 16), value)
        return TakenDown(self.table.set_column(1, SCHEMA.field("value"), short))

    def with_more(self, more: pa.Table) -> TakenDown:
        """This list and what it does not name yet of another one."""
        pairs = {(row["what"], row["value"]): row for row in self.table.to_pylist()}
        for row in more.to_pylist():
            pairs.setdefault((row["what"], row["value"]), row)
        rows = [pairs[pair] for pair in sorted(pairs)]
        return TakenDown(pa.Table.from_pylist(rows, schema=SCHEMA))

    @property
    def digest(self) -> str:
        """16 hex digits over what was taken down; why does not matter. Empty for nothing."""
        if not len(self.table):
            return ""
        pairs = sorted(zip(*(self.table[n].to_pylist() for n in ("what", "value")), strict=True))
        return hashlib.sha256(repr(pairs).encode()).hexdigest()[:16]


def read(out: str) -> TakenDown:
    """The list of a corpus; an empty one where there is none."""
    try:
        with storage.open_read(storage.join(out, NAME)) as file:
            return TakenDown(pq.read_table(file).cast(SCHEMA))
    except FileNotFoundError:
        return TakenDown()
