"""What is compared of pages and tiles where their hashes alone do not decide."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.planning.job import Neighbourhood, PlanJob, column, places
from vae_corpus import storage

# Of a row (and tile) somebody asks for what decides about a worse one: to look at pixels and
# sketches, or to compare what is said.
LOOK, TEXT = 1, 2
_MARKS = pa.list_(pa.struct([("x", pa.float32()), ("y", pa.float32()), ("hash", pa.uint32())]))
# Of a page that is looked at its layout, of one that is read its marks with their places, of a tile
# (a number from 1) its hashes.
SCHEMA = pa.schema(
    [
        ("row", pa.uint64()),
        ("tile", pa.uint16()),
        ("what", pa.uint8()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("text_sketch", pa.binary()),
        ("layout", pa.binary()),
        ("text_marks", _MARKS),
        ("said", pa.list_(pa.uint32())),
    ]
)
# The columns of rows that this is found by, and those that are large.
_NEEDED = (
    *("width", "height", "text_sketch"),
    *("unit", "unit_row", "is_laid_out"),
)
_TO_READ = ("text_marks", "said")


def needed(what: NDArray[np.uint8]) -> tuple[str, ...]:
    """The columns of rows that answer what is asked."""
    return (*_NEEDED, *(_TO_READ if (what == TEXT).any() else ()))


def facts_of(
    job: PlanJob,
    neighbourhood: Neighbourhood,
    rows: pa.Table,
    row: NDArray[np.uint64],
    tile: NDArray[np.uint16],
    what: NDArray[np.uint8],
) -> pa.Table:
    """As `SCHEMA`, each of these once; `rows` has the `needed` columns of the neighbourhood."""
    asked = np.unique(np.stack([row, _second_key(tile, what)], axis=1), axis=0)
    row, tile = asked[:, 0], (asked[:, 1] >> np.uint64(8)).astype(np.uint16)
    what = (asked[:, 1] & np.uint64(0xFF)).astype(np.uint8)
    at, look = places(row), what == LOOK
    taken = rows.select(["width", "height", "text_sketch"]).take(pa.array(at))
    columns = {
        "row": row,
        "tile": tile,
        "what": what,
        **{name: taken[name] for name in ("width", "height", "text_sketch")},
        "layout": _layouts(job, rows, at, look),
        **_texts(rows, at, look, tile),
    }
    return pa.table(columns).cast(SCHEMA)


def _texts(
    rows: pa.Table, at: NDArray[np.int64], look: NDArray[np.bool_], tile: NDArray[np.uint16]
) -> dict[str, pa.Array]:
    """What the pages and tiles say that are read."""
    if look.all():
        return {name: pa.nulls(len(at), SCHEMA.field(name).type) for name in _TO_READ}
    marks = rows["text_marks"].take(pa.array(at)).combine_chunks()
    said = rows["said"].combine_chunks()
    numbers = said.offsets.to_numpy()[at].astype(np.int64) + tile.astype(np.int64) - 1
    return {
        "text_marks": pc.if_else(pa.array(~look & (tile == 0)), marks, pa.scalar(None, marks.type)),
        "said": said.values.take(pa.array(numbers, mask=look | (tile == 0))),
    }


def find(
    facts: pa.Table, row: NDArray[np.uint64], tile: NDArray[np.uint16], what: NDArray[np.uint8]
) -> NDArray[np.int64]:
    """Where in `facts` each of these stands; all do."""
    held = _second_key(column(facts, "tile"), column(facts, "what"))
    both = [
        np.concatenate([column(facts, "row"), row]),
        np.concatenate([held, _second_key(tile, what)]),
    ]
    # Sorted together, equal ones stand side by side, and what `facts` has comes first.
    order = np.lexsort(both[::-1])
    known = np.where(order < len(facts), np.arange(len(order)), 0)
    place = np.empty(len(order), np.int64)
    place[order] = order[np.maximum.accumulate(known)]
    return place[len(facts) :]


def _second_key(tile: NDArray[np.uint16], what: NDArray[np.uint8]) -> NDArray[np.uint64]:
    return (tile.astype(np.uint64) << np.uint64(8)) | what.astype(np.uint64)


def _layouts(
    job: PlanJob, rows: pa.Table, at: NDArray[np.int64], look: NDArray[np.bool_]
) -> pa.Array:
    """The layouts of the rows that are looked at, which are too large to go along with them."""
    wanted = np.unique(at[look])
    few = rows.select(["unit", "unit_row", "is_laid_out"]).take(pa.array(wanted))
    few = few.append_column("place", pa.array(wanted)).filter(few["is_laid_out"])
    found: dict[int, bytes] = {}
    for unit in sorted(set(few["unit"].to_pylist())):
        theirs = few.filter(pc.equal(few["unit"], unit))
        with storage.open_read(storage.join(job.scores, f"{unit}.parquet")) as file:
            layouts = pq.ParquetFile(file, pre_buffer=False).read(["layout"], use_threads=False)
        blobs = layouts["layout"].take(theirs["unit_row"]).to_pylist()
        found |= dict(zip(theirs["place"].to_pylist(), blobs, strict=True))
    pairs = zip(at.tolist(), look.tolist(), strict=True)
    return pa.array([found.get(place) if looked else None for place, looked in pairs], pa.binary())
