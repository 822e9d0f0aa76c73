"""What synthetic text stands on: runs of neighbouring general images, drawn for each shard.

Images that lie one behind the other cost a store few requests. Candidates are the kept general
images of a few neighbourhoods of the oldest generation, so that what comes when a corpus grows
changes no shard. What was taken down since is drawn and then left out: no other shard changes.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import groupby
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.planning import tables
from pipelines.planning.job import Neighbourhood
from pipelines.planning.passes.judge import in_order
from pipelines.planning.taken_down import TAKEN_DOWN
from vae_corpus import storage
from vae_corpus.seeds import generator
from vae_corpus.words import GENERAL

# Images in a run, and neighbourhoods of which candidates come: some 10^5 images, enough for
# variety at any scale, few enough to be read by every build.
_RUN = 16
_NEIGHBOURHOODS = 8
# Runs that are tried for a shard: those of a few candidates overlap.
_TRIES = 64

# A row of candidates.
_ADDRESS = ("key", "source", "uri", "offset", "member", "bytes", "width", "height", "sha256")
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in ("key", "source", "uri")),
        ("offset", pa.int64()),
        ("member", pa.string()),
        ("bytes", pa.int64()),
        *((name, pa.int32()) for name in ("width", "height")),
        ("sha256", pa.string()),
        ("gone", pa.bool_()),
    ]
)


def candidates(
    plan: str, neighbourhoods: Sequence[Neighbourhood], seed: int, *, taken_down: bool
) -> pa.Table:
    """Addresses of the images that may serve, in order; `gone` are those that were taken down.

    Without `taken_down` nothing was, and it is not looked for.
    """
    oldest_first = sorted(neighbourhoods, key=lambda n: (n.generation, n.number))
    for _, theirs in groupby(oldest_first, key=lambda n: n.generation):
        by_chance = sorted(theirs, key=lambda n: _chance(seed, n.number))[:_NEIGHBOURHOODS]
        names = [n.name for n in sorted(by_chance, key=lambda n: n.number)]
        with ThreadPoolExecutor(_NEIGHBOURHOODS) as pool:
            found = pa.concat_tables(pool.map(lambda name: _of(plan, name, taken_down), names))
        if not pc.all(found["gone"], min_count=0).as_py():
            return found.combine_chunks()
    return SCHEMA.empty_table()


def _chance(seed: int, number: int) -> int:
    return int(generator(seed, "backgrounds", number).integers(1 << 63))


def _of(plan: str, neighbourhood: str, taken_down: bool) -> pa.Table:
    kept = _general(tables.path(plan, tables.SELECTED, neighbourhood), gone=False)
    if not taken_down:
        return kept
    gone = _general(tables.path(plan, tables.DROPPED, neighbourhood), gone=True)
    return in_order(pa.concat_tables([kept, gone]))


def _general(path: str, *, gone: bool) -> pa.Table:
    columns = [*_ADDRESS, "kind", *(("slug",) if gone else ())]
    data = storage.read_bytes(path)
    rows = pq.read_table(io.BytesIO(data), columns=columns, use_threads=False)
    wanted = pc.equal(rows["kind"], GENERAL)
    if gone:
        wanted = pc.and_(wanted, pc.equal(rows["slug"], TAKEN_DOWN))
    rows = rows.filter(wanted).select(_ADDRESS)
    return rows.append_column("gone", pa.array([gone] * len(rows), pa.bool_())).cast(SCHEMA)


class Backgrounds:
    """The candidates that are large enough for a rung, or all where none is; drawn by shard."""

    def __init__(self, table: pa.Table, rung: int, seed: int) -> None:
        sides = pc.min_element_wise(table["width"], table["height"]).to_numpy()
        there = ~table["gone"].to_numpy()
        large = np.flatnonzero(sides >= rung)
        self._rows = table.take(pa.array(large)) if there[large].any() else table
        self._rows = self._rows.combine_chunks()
        digests = self._rows["sha256"].to_pylist()
        ids = np.array([int(digest[:16], 16) for digest in digests], np.uint64)
        self._order = np.argsort(ids, kind="stable")
        self._ids = ids[self._order]
        self._gone = self._rows["gone"].to_numpy()
        self._seed, self._rung = seed, rung

    def keys(self, number: int, count: int) -> list[str]:
        """The keys of up to `count` images for a shard of the rung, in order of address."""
        keys: list[str] = self._rows["key"].take(pa.array(self._drawn(number, count))).to_pylist()
        return keys

    def rows(self, number: int, count: int) -> list[dict[str, Any]]:
        """The same images with their addresses."""
        rows = self._rows.take(pa.array(self._drawn(number, count))).drop_columns(["gone"])
        found: list[dict[str, Any]] = rows.to_pylist()
        return found

    def _drawn(self, number: int, count: int) -> NDArray[np.int64]:
        """Places of the runs that begin with the images whose hashes follow drawn numbers.

        One image more or less in the corpus changes only the runs that it lies in.
        """
        size = len(self._ids)
        wanted = min(count, size)
        if wanted == size:
            return np.flatnonzero(~self._gone)
        rng = generator(self._seed, "backgrounds", self._rung, number)
        found = np.zeros(0, np.int64)
        for point in rng.integers(1 << 64, size=_TRIES, dtype=np.uint64):
            first = self._order[np.searchsorted(self._ids, point) % size]
            run = (first + np.arange(min(_RUN, wanted))) % size
            # Where all that were wanted were taken down, others come in their place.
            room = wanted - len(found) or _RUN
            found = np.concatenate([found, run[~np.isin(run, found)][:room]])
            if len(found) >= wanted and not self._gone[found].all():
                break
        kept = np.sort(found[~self._gone[found]])
        return kept if len(kept) else np.flatnonzero(~self._gone)[:count]
