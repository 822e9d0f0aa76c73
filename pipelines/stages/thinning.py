"""Make shards without images that were taken down out of the shards that hold them.

Neither sources nor decoders are asked: the samples that stay are copied, in their order, which
gives the bytes that packing without the others would give.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines import engine
from pipelines.planning.shards import Shard
from pipelines.planning.taken_down import TakenDown
from pipelines.stages.committed import Stock, make_shards
from pipelines.stages.runner import Runner
from pipelines.workers import pulse
from vae_corpus import storage, tar


@dataclass(frozen=True, kw_only=True)
class ThinJob:
    """What a worker needs: the corpus, and what was taken down."""

    out: str
    gone: TakenDown


def thin_shards(
    before: Sequence[Shard],
    after: Sequence[Shard],
    gone: TakenDown,
    stock: Stock,
    runner: Runner,
) -> int:
    """Make the shards whose recipes are others after the take-down; how many.

    Only those that are whole under the recipe before; the rest is left to packing.
    """
    old = {shard.name: shard for shard in before}
    changed = [
        shard for shard in after if shard.name in old and old[shard.name].recipe != shard.recipe
    ]
    damaged = {shard.name for shard in stock.not_committed([old[s.name] for s in changed])}
    todo = [shard for shard in changed if shard.name not in damaged]
    if todo:
        stock.forget()
        storage.remove(storage.join(stock.out, "curriculum.json"))
    tasks = [
        engine.Task(task_id=s.name, payload=s, weight=s.samples, images=s.samples) for s in todo
    ]
    make = functools.partial(_make_thinner, ThinJob(out=stock.out, gone=gone))
    make_shards(runner, "thin", tasks, make)
    return len(todo)


def _make_thinner(job: ThinJob) -> Callable[[Shard], dict[str, Any]]:
    def thin(shard: Shard) -> dict[str, Any]:
        path = storage.join(job.out, shard.name)
        with storage.open_read(f"{path}.parquet") as file:
            index = pq.read_table(file).combine_chunks()
        kept = index.filter(pc.invert(covered(index, job.gone))).combine_chunks()
        offsets: list[tuple[int, int]] = []
        with storage.open_read(f"{path}.tar") as source, storage.commit(f"{path}.tar") as file:
            writer = tar.TarWriter(file)
            for row in kept.select(_COPIED).to_pylist():
                places = []
                for ext, at, size in (
                    (row["ext"], row["offset"], row["bytes"]),
                    ("json", row["json_offset"], row["json_bytes"]),
                ):
                    source.seek(at)
                    places.append(writer.add(f"{row['key']}.{ext}", source.read(size)))
                offsets.append((places[0], places[1]))
                pulse.beat(images=1, bytes=row["bytes"])
            writer.close()
        for n, name in enumerate(("offset", "json_offset")):
            column = pa.array([pair[n] for pair in offsets], pa.int64())
            field = kept.schema.field(name)
            kept = kept.set_column(kept.column_names.index(name), field, column)
        tar.commit_index(job.out, shard.name, shard.recipe, kept)
        return {"images": len(kept)}

    return thin


_COPIED = ["key", "ext", "offset", "bytes", "json_offset", "json_bytes"]


def covered(index: pa.Table, gone: TakenDown) -> pa.Array:
    """Which samples of an index are of images that were taken down, or stand on them.

    The index knows the first 16 digits of a hash, as part of the key of the image.
    """
    parts = pc.split_pattern(index["parent"], "-", max_splits=1, reverse=True).combine_chunks()
    names = pa.table(
        {
            "key": index["parent"],
            "sha256": pc.list_element(parts, 1),
            "source": pc.list_element(parts, 0),
        }
    )
    return gone.shortened().covers(names)
