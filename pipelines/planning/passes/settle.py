"""The tables of a plan: who is kept and goes to which shard, who is dropped and why.

`weigh_batch` tells how much of each lane fills no shard, `deal_rest` deals that to the shards of a
generation, `settle_batch` writes the tables of each neighbourhood, `list_shards` lists all shards.
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.planning import quotas, tables
from pipelines.planning.job import Neighbourhood, PlanJob, read_done
from pipelines.planning.passes.judge import CARRIED, DERIVED, in_order, rows_of
from pipelines.planning.shards import (
    LEFT_SCHEMA,
    Draw,
    deal_left,
    draw_shards,
    left_over,
    part_name,
    recipe,
    recipe_base,
    shard_name,
    shared_name,
)
from pipelines.planning.taken_down import TAKEN_DOWN
from vae_corpus import storage

_MADE = ("kind", "slug", "rung", "bucket", "tiles", "tile_count", "blank_tiles")
_WEIGHED = (
    *("side", "bytes", "format", "colour_converted", "text_stage", *quotas.CONTESTED),
    *("width", "height", "jpeg_quality", "kind", "slug", "rung", "tiles", "tile_count"),
)
_READS_AT_ONCE = 32
# A line for each shard, or part of one, of a neighbourhood.
_SHARDS_SCHEMA = pa.schema(
    [
        ("shard", pa.string()),
        ("recipe", pa.string()),
        ("samples", pa.int64()),
        ("neighbourhood", pa.string()),
        ("part", pa.string()),
    ]
)


def weigh_batch(job: PlanJob, number: int) -> dict[str, Any]:
    """Write how large the pieces are that fill no shard of their neighbourhoods."""
    left = [LEFT_SCHEMA.empty_table()]
    last = read_done(job, "quotas", 0)["last"]
    for neighbourhood in job.batches[number]:
        if not job.is_alone(neighbourhood):
            rows = rows_of(job, neighbourhood, _WEIGHED)
            kept, _ = _split(job, last, neighbourhood, rows)
            draw = draw_shards(kept, job.pack, job.seed, alone=False)
            left.append(left_over(draw, neighbourhood))
    path = storage.join(job.work, "left", f"{number:06d}.parquet")
    storage.commit_table(path, pa.concat_tables(left))
    return {}


def deal_rest(job: PlanJob, number: int) -> dict[str, Any]:
    """Write which shard of its generation each piece goes to."""
    left = [
        _table(storage.join(job.work, "left", f"{n:06d}.parquet")) for n in range(job.partitions)
    ]
    storage.commit_table(storage.join(job.work, "rest.parquet"), deal_left(pa.concat_tables(left)))
    return {}


def settle_batch(job: PlanJob, number: int) -> dict[str, Any]:
    """Write `selected` and `dropped` of each neighbourhood, and what shards it fills."""
    last = read_done(job, "quotas", 0)["last"]
    rest = _table(storage.join(job.work, "rest.parquet"))
    base = recipe_base(job.pack, job.seed)
    for neighbourhood in job.batches[number]:
        rows = rows_of(job, neighbourhood, (*CARRIED, *DERIVED, *_MADE))
        kept, dropped = _split(job, last, neighbourhood, rows)
        draw = draw_shards(kept, job.pack, job.seed, alone=job.is_alone(neighbourhood))
        mine = rest.filter(pc.equal(rest["neighbourhood"], neighbourhood.number))
        kept = _named(job, kept, draw, neighbourhood, mine)
        kept, gone = job.taken_down.split(kept)
        made = {
            tables.SELECTED: kept,
            tables.DROPPED: with_taken_down(dropped, gone),
            tables.FILLED: filled(base, neighbourhood.name, kept),
        }
        for name, table in made.items():
            storage.commit_table(tables.path(job.folder, name, neighbourhood.name), table)
    return {}


def list_shards(job: PlanJob, number: int) -> dict[str, Any]:
    """Write `shards`: each with its recipe, where it is packed, or from which parts."""
    write_shards(job.folder)
    return {}


def write_shards(plan: str) -> None:
    """Write the list of all shards of a plan from what each neighbourhood fills."""
    paths = tables.paths(plan, tables.FILLED)
    with ThreadPoolExecutor(_READS_AT_ONCE) as pool:
        lines = pa.concat_tables(pool.map(_table, paths)).to_pylist()
    storage.commit_table(storage.join(plan, tables.SHARDS), _joined(lines))


def _joined(lines: list[dict[str, Any]]) -> pa.Table:
    """Shards of several neighbourhoods get one line, with one recipe over those of their parts."""
    by_name: dict[str, list[dict[str, Any]]] = {}
    for line in lines:
        by_name.setdefault(line["shard"], []).append(line)
    rows = []
    for name, theirs in sorted(by_name.items()):
        row = {"shard": name, "samples": sum(line["samples"] for line in theirs)}
        if theirs[0]["part"] is None:
            row |= {name: theirs[0][name] for name in ("recipe", "neighbourhood")} | {"parts": []}
        else:
            theirs.sort(key=lambda line: line["part"])
            said = "".join(f"{line['part']} {line['recipe']}\n" for line in theirs)
            row |= {"recipe": hashlib.sha256(said.encode()).hexdigest()[:16], "neighbourhood": ""}
            row["parts"] = [line["part"] for line in theirs]
        rows.append(row)
    return pa.Table.from_pylist(rows, schema=LISTED_SCHEMA)


LISTED_SCHEMA = pa.schema(
    [
        ("shard", pa.string()),
        ("recipe", pa.string()),
        ("samples", pa.int64()),
        ("neighbourhood", pa.string()),
        ("parts", pa.list_(pa.string())),
    ]
)


def filled(base: bytes, neighbourhood: str, kept: pa.Table) -> pa.Table:
    """A line for each shard or part of one that these selected rows fill."""
    # One pass over the rows, shard by shard.
    ordered = kept.take(pc.sort_indices(kept, [("shard", "ascending")])).combine_chunks()
    names = ordered["shard"].combine_chunks()
    runs = pc.run_end_encode(names)
    lines, start = [], 0
    for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        rows = ordered.slice(start, end - start)
        tiles = pc.fill_null(pc.list_value_length(rows["tiles"]), 1)
        lines.append(
            {
                "shard": name,
                "recipe": recipe(base, rows),
                "samples": pc.sum(tiles).as_py(),
                "neighbourhood": neighbourhood,
                "part": rows["part"][0].as_py(),
            }
        )
        start = end
    return pa.Table.from_pylist(lines, schema=_SHARDS_SCHEMA)


def _split(
    job: PlanJob, last: dict[str, list[int]], neighbourhood: Neighbourhood, rows: pa.Table
) -> tuple[pa.Table, pa.Table]:
    """Rows that are kept and those that are dropped, with the columns of a plan."""
    fates = _table(storage.join(job.work, "fates", f"{neighbourhood.name}.parquet"))
    slug = fates["slug"].combine_chunks()
    over = pc.and_(pc.is_null(slug), pa.array(quotas.over_quota(last, neighbourhood, rows)))
    slug = pc.if_else(over, "over_quota", slug)
    twins = fates["twin_tiles"].combine_chunks()
    counts = pc.cast(pc.list_value_length(twins), pa.int32())
    cut = pc.is_valid(rows["tile_count"].combine_chunks())
    whole = rows.set_column(
        rows.column_names.index("tiles"), "tiles", _without(rows["tiles"].combine_chunks(), twins)
    )
    whole = whole.append_column("twin_tiles", pc.if_else(cut, counts, pa.scalar(None, pa.int32())))
    whole = whole.drop_columns(["slug", "tile_count"])
    whole = whole.append_column("slug", slug).append_column("duplicate_of", fates["duplicate_of"])
    bad = pc.is_valid(slug)
    return (
        whole.filter(pc.invert(bad)).drop_columns(["slug", "duplicate_of"]).combine_chunks(),
        whole.filter(bad).drop_columns(["tiles"]).combine_chunks(),
    )


def _without(tiles: pa.ListArray, twins: pa.ListArray) -> pa.ListArray:
    """Lists of tiles without those of these numbers, from 1."""
    if not len(twins.flatten()):
        return tiles
    sizes = np.diff(tiles.offsets.to_numpy())
    valid = tiles.is_valid().to_numpy(zero_copy_only=False)
    sizes = np.where(valid, sizes, 0)
    starts = np.cumsum(sizes) - sizes
    owner = np.repeat(np.arange(len(tiles)), np.diff(twins.offsets.to_numpy()))
    keep = np.ones(int(sizes.sum()), np.bool_)
    keep[starts[owner] + twins.flatten().to_numpy().astype(np.int64) - 1] = False
    left = np.add.reduceat(np.append(keep, False).astype(np.int64), starts) * (sizes > 0)
    ends = np.concatenate(([0], np.cumsum(left))).astype(np.int32)
    values = tiles.flatten().filter(pa.array(keep))
    # As the column is named that it comes from: bytes must not tell who was cut.
    return pa.ListArray.from_arrays(pa.array(ends), values, tiles.type, mask=pa.array(~valid))


def _named(
    job: PlanJob, kept: pa.Table, draw: Draw, neighbourhood: Neighbourhood, rest: pa.Table
) -> pa.Table:
    """Kept rows with ext, shard, and the part that they come to it with, if any."""
    shared = {(r["lane"], r["piece"]): r["number"] for r in rest.to_pylist()}
    names: dict[tuple[str, int, int], tuple[str, str | None]] = {}
    shard: list[str] = []
    part: list[str | None] = []
    numbers: NDArray[np.int64] = draw.number
    for key in zip(draw.lane.tolist(), numbers.tolist(), draw.piece.tolist(), strict=True):
        if key not in names:
            lane, number, piece = key
            to = shared.get((lane, piece))
            if to is not None:
                whole = shared_name(job.pack, lane, neighbourhood.generation, to)
                names[key] = whole, part_name(job.pack, lane, neighbourhood)
            else:
                assert number >= 0, f"nobody took piece {piece} of {lane}"
                names[key] = shard_name(job.pack, lane, neighbourhood, number), None
        shard.append(names[key][0])
        part.append(names[key][1])
    kept = kept.append_column("ext", pa.array(draw.ext, pa.string()))
    kept = kept.append_column("shard", pa.array(shard, pa.string()))
    return kept.append_column("part", pa.array(part, pa.string()))


def with_taken_down(dropped: pa.Table, gone: pa.Table) -> pa.Table:
    """The dropped rows and the selected ones that were taken down, in order of address."""
    rows = gone.drop_columns(["tiles", "ext", "shard", "part"])
    slug = pa.array([TAKEN_DOWN] * len(rows), pa.string())
    none = pa.nulls(len(rows), pa.string())
    rows = rows.append_column("slug", slug).append_column("duplicate_of", none)
    return in_order(pa.concat_tables([dropped, rows.select(dropped.column_names)]))


def _table(path: str) -> pa.Table:
    with storage.open_read(path) as file:
        return pq.read_table(file, use_threads=False).combine_chunks()
