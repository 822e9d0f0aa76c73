"""List what there is to read: every source says its units, which are dealt to neighbourhoods.

`units/` has a table for each neighbourhood; names of files are in it and nowhere else. This process
keeps three numbers of each unit.
"""

from __future__ import annotations

import functools
import tempfile
from array import array
from collections import Counter, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import asdict, dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.config import CorpusConfig
from pipelines.planning import database, neighbourhoods
from pipelines.planning.job import Neighbourhood
from pipelines.planning.neighbourhoods import Dealt
from pipelines.sources import Source, Unit
from pipelines.stages.runner import Runner
from pipelines.workers.pulse import Pulse
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
# Units are written to the local disk so many at a time, while they are listed.
_SPOOLED_UNITS = 256
_SORT_MEMORY, _FEW_UNITS = "512MB", 5000
_READS_AT_ONCE, _WRITES_AT_ONCE = 32, 16
_AT_ONCE = 1 << 16


@dataclass(frozen=True, kw_only=True)
class UnitRef:
    """Where a unit stands: a table of units, and its row there."""

    table: str
    row: int


@dataclass(frozen=True, kw_only=True, eq=False)
class Listed:
    """The units of a build, neighbourhood by neighbourhood.

    `ids` uint64[N], `weights` float32[N], `images` int32[N] (-1: not known) and `ends`, where each
    neighbourhood ends; `by_source` counts units.
    """

    neighbourhoods: tuple[Neighbourhood, ...]
    ids: NDArray[np.uint64]
    weights: NDArray[np.float32]
    images: NDArray[np.int32]
    ends: NDArray[np.int64]
    by_source: dict[str, int]

    def ref(self, number: int) -> UnitRef:
        """Where unit number `number` stands."""
        of = int(np.searchsorted(self.ends, number, side="right"))
        before = int(self.ends[of - 1]) if of else 0
        return UnitRef(table=self.neighbourhoods[of].units, row=number - before)

    def unit(self, unit_id: str) -> Unit:
        """The unit with this id, which is one of these."""
        number = int(np.flatnonzero(self.ids == np.uint64(int(unit_id, 16)))[0])
        return read_unit(self.ref(number))


def list_units(config: CorpusConfig, sources: Sequence[Source], runner: Runner) -> Listed:
    """List all sources, and write the tables of units that are not there yet."""
    out = storage.join(config.out, FOLDER)
    found, count = Pulse(), 0
    runner.console.show(lambda: f"{found.read().get('files', 0):,} files, {count:,} units")
    by_source: Counter[str] = Counter()
    ids, weights, images = array("Q"), array("f"), array("i")
    size_bytes = 0
    of = {source.name: source for source in sources}
    with tempfile.TemporaryDirectory(prefix="vae-corpus-") as spool:
        with found.counting():
            for part, units in enumerate(_in_parts(sources)):
                count += len(units)
                by_source.update(unit.source for unit in units)
                size_bytes += sum(unit.bytes for unit in units)
                known = [of[unit.source].images(unit) for unit in units]
                images.extend(-1 if n is None else n for n in known)
                weights.extend(of[unit.source].weight(unit) for unit in units)
                ids.extend(int(unit.unit_id, 16) for unit in units)
                table = pa.Table.from_pylist([asdict(u) for u in units], schema=UNIT_SCHEMA)
                pq.write_table(table, f"{spool}/{part:06d}.parquet", compression="zstd")
        # Of each number of a unit there is one copy at a time, or two.
        found_ids = np.frombuffer(ids, np.uint64)
        share = size_bytes / len(found_ids) / config.pack.shard_bytes
        before = _before(out)
        dealt = neighbourhoods.deal(before, found_ids, config.pack.neighbourhood_units, share)
        if _write(spool, dealt, out, {old.file_name for old in before}):
            runner.worked.add("list")
    ends = np.cumsum([len(each.ids) for each in dealt])
    ordered = np.concatenate([each.ids for each in dealt])
    del before, dealt
    at = _places(found_ids, ordered)
    del found_ids, ids
    return Listed(
        neighbourhoods=tuple(neighbourhoods.listed(out)),
        ids=ordered,
        weights=np.frombuffer(weights, np.float32)[at],
        images=np.frombuffer(images, np.int32)[at],
        ends=ends,
        by_source=dict(sorted(by_source.items())),
    )


def _places(ids: NDArray[np.uint64], wanted: NDArray[np.uint64]) -> NDArray[np.uint32]:
    """Where in `ids` each of the wanted ones stands."""
    order = np.argsort(ids)
    at = np.empty(len(wanted), np.uint32)
    for start in range(0, len(wanted), _AT_ONCE):
        part = slice(start, start + _AT_ONCE)
        at[part] = order[np.searchsorted(ids, wanted[part], sorter=order)]
    return at


@functools.lru_cache(maxsize=4)
def _table(path: str) -> Any:
    return pq.ParquetFile(pa.BufferReader(storage.read_bytes(path)))


def read_unit(ref: UnitRef) -> Unit:
    """The unit that stands there."""
    (row,) = _table(ref.table).read_row_group(ref.row).to_pylist()
    return Unit(**{**row, "members": tuple(row["members"])})


def _in_parts(sources: Sequence[Source]) -> Iterator[list[Unit]]:
    part: list[Unit] = []
    for source in sources:
        for unit in source.units():
            part.append(unit)
            if len(part) == _SPOOLED_UNITS:
                yield part
                part = []
    if part:
        yield part


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


def _write(spool: str, dealt: Sequence[Dealt], out: str, there: set[str]) -> bool:
    """Write the tables of units that are not there, then remove those of earlier deals."""
    missing = [each for each in dealt if each.file_name not in there]
    if sum(len(each.ids) for each in missing) > _FEW_UNITS:
        # Sorting takes memory that this process would keep for the rest of the build.
        with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as child:
            child.submit(_write_tables, spool, missing, out).result()
    elif missing:
        _write_tables(spool, missing, out)
    wanted = {each.file_name for each in dealt}
    changed = neighbourhoods.write_list(out, sorted(wanted))
    for name in sorted(set(storage.names(out, ".parquet")) - wanted):
        storage.remove(storage.join(out, name))
    return changed


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
            for of, table in _by_neighbourhood(rows.to_arrow_reader(_SPOOLED_UNITS)):
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
