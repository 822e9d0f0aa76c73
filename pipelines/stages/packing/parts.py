"""Parts: what neighbourhoods leave of a lane, from which shards of several are put together.

They lie in `parts/` until all those shards are committed, which copy their bytes: nothing is
decoded again.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.scores import PACKED_INDEX_SCHEMA
from pipelines.planning import tables
from pipelines.planning.shards import Shard
from pipelines.stages.packing.drafts import Drafts
from pipelines.stages.packing.job import Target, is_committed
from pipelines.workers import pulse
from vae_corpus import storage, tar
from vae_corpus.tables import INDEX_SCHEMA
from vae_corpus.words import GROUP_COLUMNS, Group

FOLDER = "parts"
_LOOKS_AT_ONCE = 64
_SCORES = [name for name in PACKED_INDEX_SCHEMA.names if name not in INDEX_SCHEMA.names]


def neighbourhood_of(part: str) -> str:
    """The neighbourhood whose images a part holds."""
    return part.rpartition("-")[2]


def missing(out: str, plan: str, parts: Collection[str]) -> list[Target]:
    """Those of these parts of a plan that are not there."""
    made_by = recipe(plan)
    targets = [Target(name=part, recipe=made_by) for part in sorted(parts)]
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        there = list(pool.map(lambda target: is_committed(out, target), targets))
    return [target for target, is_there in zip(targets, there, strict=True) if not is_there]


def recipe(plan: str) -> str:
    """The recipe of all parts is the plan, and what was taken down: they do not outlive it."""
    return tar.recipes(storage.name_of(plan))((tables.facts(plan) or {}).get("taken_down"))


def remove(out: str) -> None:
    """Remove all parts, and drafts of parts."""
    if FOLDER in storage.folders(out):
        storage.remove_folder(storage.join(out, FOLDER))


def make_joiner(out: str) -> Callable[[Shard], dict[str, Any]]:
    """The work of a process that puts shards together out of their parts."""

    def put_together(shard: Shard) -> dict[str, Any]:
        target = Target(name=shard.name, recipe=shard.recipe)
        with Drafts(out) as drafts:
            for part in shard.parts:
                for sample in _samples(out, part, shard.name):
                    drafts.add(target, sample, shard.name)
                    pulse.beat(images=1, bytes=len(sample.data))
            return dict(drafts.finish(shard.name))

    return put_together


def _samples(out: str, part: str, shard: str) -> Iterator[tar.Stored]:
    """The samples of a part that are for this shard, in order."""
    data = storage.read_bytes(storage.join(out, f"{part}.parquet"))
    index = pq.read_table(io.BytesIO(data), use_threads=False)
    index = index.filter(pc.equal(index["shard"], f"{shard}.tar"))
    # An image and its label lie one behind the other.
    ends = pc.add(index["json_offset"], index["json_bytes"])
    sizes = pc.subtract(ends, index["offset"]).to_pylist()
    ranges = zip(index["offset"].to_pylist(), sizes, strict=True)
    found = storage.read_ranges(storage.join(out, f"{part}.tar"), ranges)
    for row, held in zip(_each(index), found, strict=True):
        yield tar.Stored(
            key=row["key"],
            ext=row["ext"],
            data=held[: row["bytes"]],
            width=row["width"],
            height=row["height"],
            group=Group(**{name: row[name] for name in GROUP_COLUMNS}),
            source=row["source"],
            parent=row["parent"],
            label=held[row["json_offset"] - row["offset"] :].decode(),
            scores={name: row[name] for name in _SCORES},
        )


def _each(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=256):
        yield from batch.to_pylist()
