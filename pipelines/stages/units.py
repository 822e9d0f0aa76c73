"""The units of a build: where each stands, and the numbers that are known before one is read.

Names of files are in the tables of units and nowhere else. The numbers lie in a temporary file
without a name, heaviest unit first, and pass by in parts, so that this process holds nothing of a
unit.
"""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.planning.job import Neighbourhood
from pipelines.sources import Unit
from vae_corpus import storage

FOLDER = "units"
UNIT_SCHEMA = pa.schema(
    [
        ("unit_id", pa.string()),
        ("source", pa.string()),
        ("uri", pa.string()),
        ("start", pa.int64()),
        ("stop", pa.int64()),
        ("bytes", pa.int64()),
        ("members", pa.list_(pa.string())),
    ]
)
# `images` is -1 where it is not known; `table` counts neighbourhoods, `row` the rows of its table.
NUMBERS = np.dtype(
    [("id", "<u8"), ("weight", "<f4"), ("images", "<i4"), ("table", "<u4"), ("row", "<u4")]
)
_AT_ONCE = 1 << 15


@dataclass(frozen=True, kw_only=True)
class UnitRef:
    """Where a unit stands: a table of units, and its row there."""

    table: str
    row: int


class Numbers:
    """A file of `NUMBERS`, which may be removed while this is there."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_RDONLY)
        weakref.finalize(self, os.close, self._file)

    def parts(self) -> Iterator[NDArray[np.void]]:
        """All of them, some ten thousand at a time; as often as asked."""
        at = 0
        while data := os.pread(self._file, _AT_ONCE * NUMBERS.itemsize, at):
            yield np.frombuffer(data, NUMBERS)
            at += len(data)


@dataclass(frozen=True, kw_only=True, eq=False)
class Listed:
    """The units of a build, neighbourhood by neighbourhood; `by_source` counts them."""

    neighbourhoods: tuple[Neighbourhood, ...]
    by_source: dict[str, int]

    @property
    def count(self) -> int:
        return sum(self.by_source.values())


@dataclass(frozen=True, kw_only=True, eq=False)
class Counted(Listed):
    """The same with the numbers of each unit, as whoever reads them needs."""

    numbers: Numbers

    def ref(self, numbers: np.void) -> UnitRef:
        """Where the unit with these numbers stands."""
        of = self.neighbourhoods[int(numbers["table"])]
        return UnitRef(table=of.units, row=int(numbers["row"]))

    def unit(self, unit_id: str) -> Unit:
        """The unit with this id, which is one of these."""
        wanted = np.uint64(int(unit_id, 16))
        found = (one for part in self.numbers.parts() for one in part[part["id"] == wanted])
        return read_unit(self.ref(next(found)))


@functools.lru_cache(maxsize=4)
def _table(path: str) -> Any:
    return pq.ParquetFile(pa.BufferReader(storage.read_bytes(path)))


def read_unit(ref: UnitRef) -> Unit:
    """The unit that stands there."""
    (row,) = _table(ref.table).read_row_group(ref.row).to_pylist()
    return Unit(**{**row, "members": tuple(row["members"])})
