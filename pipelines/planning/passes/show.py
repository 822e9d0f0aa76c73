"""What decides about a worse page or tile is fetched where the better one is known.

A task answers what was asked about the rows of its batch. Of what is an exact duplicate nothing is
shown: the one that stays was asked for as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.planning import database, exchange
from pipelines.planning.job import Neighbourhood, PlanJob, column, exchange_name, places, row_ids
from pipelines.planning.passes.judge import rows_of
from pipelines.planning.passes.near import ASKS_SCHEMA, LOOK
from pipelines.planning.ranks import better, hash_bytes, prefixes
from vae_corpus import storage

# What is compared of a page or tile, besides its size.
COMPARED = ("width", "height", "text_sketch", "layout", "text_marks", "said")
# Of what it is found.
NEEDED = (
    *("width", "height", "text_sketch", "text_marks", "said"),
    *("unit", "uri", "offset", "member", "is_laid_out"),
)
_ASKS = ("looks", "equals", "asks")


def show_batch(job: PlanJob, number: int) -> dict[str, Any]:
    """Hand what was asked for to the batches of the worse."""
    asks = asked(job, number)
    shown: list[pa.Table] = []
    for neighbourhood in job.batches[number]:
        mine = of_neighbourhood(asks, "row", neighbourhood)
        if not len(mine):
            continue
        rows = rows_of(job, neighbourhood, (*NEEDED, "sha256", "clarity", "source"))
        sources = {name: n for n, name in enumerate(job.sources)}
        first, second = better(rows, neighbourhood.generation, prefixes(hash_bytes(rows)))
        rows = rows.append_column("first", pa.array(first)).append_column(
            "second", pa.array(second)
        )
        at = places(column(mine, "row"))
        look = column(mine, "what") == LOOK
        known = compared(job, neighbourhood, rows, at, look, column(mine, "tile"))
        taken = rows.select(["first", "second", "source", "sha256"]).take(pa.array(at))
        of = [sources[name] for name in taken["source"].to_pylist()]
        columns = {name: mine[name] for name in ("worse", "worse_tile", "what")}
        columns |= {"other": mine["row"], "first": taken["first"], "second": taken["second"]}
        columns["source"] = pa.array(of, pa.uint16())
        columns["prefix"] = pa.array(prefixes(hash_bytes(taken)))
        shown.append(pa.table(columns | {name: known[name] for name in COMPARED}))
    path = storage.join(job.work, "shown", exchange_name(number))
    whole = pa.concat_tables([SHOWN_SCHEMA.empty_table(), *(t.cast(SHOWN_SCHEMA) for t in shown)])
    exchange.write(path, whole, job.batch_of_rows(column(whole, "worse")), job.partitions)
    return {"shown": len(whole)}


_MARKS = pa.list_(pa.struct([("x", pa.float32()), ("y", pa.float32()), ("hash", pa.uint32())]))
SHOWN_SCHEMA = pa.schema(
    [
        ("worse", pa.uint64()),
        ("worse_tile", pa.uint16()),
        ("what", pa.uint8()),
        ("other", pa.uint64()),
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("source", pa.uint16()),
        ("prefix", pa.uint64()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("text_sketch", pa.binary()),
        ("layout", pa.binary()),
        ("text_marks", _MARKS),
        ("said", pa.list_(pa.uint32())),
    ]
)


def asked(job: PlanJob, number: int) -> pa.Table:
    """What is asked about the rows of a batch that are no exact duplicates."""
    found = [exchange.read(storage.join(job.work, name), job.numbered(), number) for name in _ASKS]
    asks = pa.concat_tables([ASKS_SCHEMA.empty_table(), *found]).combine_chunks()
    if not len(asks):
        return asks
    copies = exchange.read(storage.join(job.work, "exact"), job.numbered(), number)
    return asks.filter(pc.invert(pc.is_in(asks["row"], copies["row"]))).combine_chunks()


def of_neighbourhood(table: pa.Table, name: str, neighbourhood: Neighbourhood) -> pa.Table:
    """The rows of a table that name, in this column, a row of a neighbourhood."""
    low, high = row_ids(neighbourhood, 1)[0], row_ids(neighbourhood, 1)[0] + np.uint64(1 << 32)
    rows = column(table, name)
    return table.filter(pa.array((rows >= low) & (rows < high))).combine_chunks()


def compared(
    job: PlanJob,
    neighbourhood: Neighbourhood,
    rows: pa.Table,
    at: NDArray[np.int64],
    look: NDArray[np.bool_],
    tile: NDArray[np.uint16],
) -> dict[str, Any]:
    """What is compared of the rows at these places: of pixels for a look, else of texts.

    Of a page its marks with their places, of a tile (a number from 1) its hashes.
    """
    taken = rows.select(["width", "height", "text_sketch", "text_marks"]).take(pa.array(at))
    known: dict[str, Any] = {name: taken[name] for name in ("width", "height", "text_sketch")}
    known["layout"] = _layouts(job, rows, at, look)
    marks = taken["text_marks"].combine_chunks()
    of_page = pa.array(~look & (tile == 0))
    known["text_marks"] = pc.if_else(of_page, marks, pa.scalar(None, marks.type))
    said = rows["said"].combine_chunks()
    of_tile = ~look & (tile > 0)
    numbers = said.offsets.to_numpy()[at].astype(np.int64) + tile.astype(np.int64) - 1
    known["said"] = said.values.take(pa.array(numbers, mask=~of_tile))
    return known


def _layouts(
    job: PlanJob, rows: pa.Table, at: NDArray[np.int64], look: NDArray[np.bool_]
) -> pa.Array:
    """The layouts of the rows that are looked at, which are too large to go along with them."""
    wanted = np.unique(at[look])
    few = rows.select(["unit", "uri", "offset", "member", "is_laid_out"]).take(pa.array(wanted))
    few = few.append_column("place", pa.array(wanted)).filter(few["is_laid_out"])
    found: dict[int, bytes] = {}
    with database.connect() as db:
        for unit in sorted(set(few["unit"].to_pylist())):
            with storage.open_read(storage.join(job.scores, f"{unit}.parquet")) as file:
                scores = pq.ParquetFile(file).read(columns=["uri", "offset", "member", "layout"])
            db.register("scores", scores)
            db.register("few", few.filter(pc.equal(few["unit"], unit)))
            found |= dict(
                db.sql(
                    """
                    SELECT place, any_value(layout) FROM few JOIN scores
                    ON scores.uri = few.uri AND scores."offset" = few."offset"
                       AND scores.member = few.member
                    GROUP BY place
                    """
                ).fetchall()
            )
    pairs = zip(at.tolist(), look.tolist(), strict=True)
    return pa.array([found.get(place) if looked else None for place, looked in pairs], pa.binary())
