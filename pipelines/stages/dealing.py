"""Deal listed units to neighbourhoods, and write a table of the units of each.

The work of one call, which may run in a process of its own: it holds a few numbers of every unit.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.planning import database, neighbourhoods
from pipelines.planning.neighbourhoods import Dealt
from pipelines.stages.units import NUMBERS, UNIT_SCHEMA
from vae_corpus import storage

# Numbers of units in a spool: as they were found, and as they were dealt, heaviest first.
FOUND, DEALT = "found", "dealt"
_SORT_MEMORY, _SORTED_UNITS = "512MB", 256
_READS_AT_ONCE, _WRITES_AT_ONCE = 32, 16


def deal_units(spool: str, out: str, size: int, share: float) -> list[str]:
    """Deal the units of a spool, `size` to a neighbourhood at most; the names of their tables.

    The spool has `FOUND` and Parquet files of units; it gets `DEALT`. Tables that are not in `out`
    are written there. A unit fills a `share` of a shard on average.
    """
    numbers = np.fromfile(os.path.join(spool, FOUND), NUMBERS)
    before = _before(out)
    dealt = neighbourhoods.deal(before, numbers["id"], size, share)
    there = {old.file_name for old in before}
    if missing := [each for each in dealt if each.file_name not in there]:
        _write_tables(spool, missing, out)
    _placed(numbers, dealt).tofile(os.path.join(spool, DEALT))
    return [each.file_name for each in dealt]


def _placed(numbers: NDArray[np.void], dealt: Sequence[Dealt]) -> NDArray[np.void]:
    """The numbers with the place of each unit: heaviest first, then in the order of places."""
    sizes = [len(each.ids) for each in dealt]
    order = np.argsort(numbers["id"])
    ids = np.concatenate([each.ids for each in dealt])
    placed = numbers[order[np.searchsorted(numbers["id"], ids, sorter=order)]]
    placed["table"] = np.repeat(np.arange(len(dealt)), sizes)
    placed["row"] = np.concatenate([np.arange(n) for n in sizes])
    return placed[np.argsort(-placed["weight"], kind="stable")]


def _before(folder: str) -> list[Dealt]:
    """What was dealt by the builds before."""
    known = neighbourhoods.listed(folder)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        ids = list(pool.map(_ids, (each.units for each in known)))
    return [
        Dealt(number=each.number, generation=each.generation, ids=theirs)
        for each, theirs in zip(known, ids, strict=True)
    ]


def _ids(path: str) -> NDArray[np.uint64]:
    with storage.open_read(path) as file:
        names = pq.read_table(file, columns=["unit_id"])["unit_id"].to_pylist()
    return np.array([int(name, 16) for name in names], np.uint64)


def _write_tables(spool: str, missing: Sequence[Dealt], out: str) -> None:
    count = [len(each.ids) for each in missing]
    places = pa.table(
        {
            "id": np.concatenate([each.ids for each in missing]),
            "of": np.repeat(np.arange(len(missing)), count),
            "place": np.concatenate([np.arange(n) for n in count]),
        }
    )
    with database.connect(_SORT_MEMORY) as db:
        db.register("places", places)
        db.register("units", storage.dataset(sorted(map(str, Path(spool).glob("*.parquet")))))
        names = ", ".join(UNIT_SCHEMA.names)
        rows: Any = db.sql(
            f"""
            SELECT of, {names} FROM units JOIN places
            ON places.id = ('0x' || unit_id)::UBIGINT ORDER BY of, place
            """
        )
        with ThreadPoolExecutor(_WRITES_AT_ONCE) as pool:
            under_way: deque[Future[None]] = deque()
            for of, table in _by_neighbourhood(rows.to_arrow_reader(_SORTED_UNITS)):
                path = storage.join(out, missing[of].file_name)
                # In this context: whoever asks whether the lease is held still, asks there too.
                under_way.append(pool.submit(copy_context().run, _write_table, path, table))
                if len(under_way) > _WRITES_AT_ONCE:
                    under_way.popleft().result()
            for one in under_way:
                one.result()


def _write_table(path: str, table: pa.Table) -> None:
    with storage.commit(path) as file:
        # A row group each: a worker reads its unit alone.
        pq.write_table(table, file, compression="zstd", row_group_size=1)


def _by_neighbourhood(batches: Any) -> Iterator[tuple[int, pa.Table]]:
    held, number = UNIT_SCHEMA.empty_table(), 0
    for batch in batches:
        table = pa.Table.from_batches([batch])
        of = table["of"].to_numpy()
        table = table.drop_columns(["of"]).cast(UNIT_SCHEMA)
        for value in np.unique(of).tolist():
            if value != number and len(held):
                yield number, held
                held = UNIT_SCHEMA.empty_table()
            number = value
            held = pa.concat_tables([held, table.filter(pa.array(of == value))])
    if len(held):
        yield number, held
