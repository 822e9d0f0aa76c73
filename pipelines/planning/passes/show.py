"""What decides about a worse page or tile is fetched where the better one is known.

A task answers what was asked about the rows of its batch. Of what is an exact duplicate nothing is
shown: the one that stays was asked for as well.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.planning import exchange
from pipelines.planning.job import Neighbourhood, PlanJob, column, exchange_name, places, row_ids
from pipelines.planning.passes.facts import SCHEMA, facts_of, needed
from pipelines.planning.passes.judge import rows_of
from pipelines.planning.passes.near import ASKS_SCHEMA
from pipelines.planning.ranks import better, hash_bytes, prefixes
from vae_corpus import storage

# A pair to compare; how good the better one is, and its key.
PAIRS_SCHEMA = pa.schema(
    [
        ("worse", pa.uint64()),
        ("worse_tile", pa.uint16()),
        ("what", pa.uint8()),
        ("other", pa.uint64()),
        ("other_tile", pa.uint16()),
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("source", pa.uint16()),
        ("prefix", pa.uint64()),
    ]
)
_ASKS = ("looks", "equals", "asks")


def show_batch(job: PlanJob, number: int) -> dict[str, Any]:
    """Hand the pairs, and what is compared of the better ones, to the batches of the worse."""
    asks = asked(job, number)
    pairs, facts = [PAIRS_SCHEMA.empty_table()], [SCHEMA.empty_table()]
    to = [np.zeros(0, np.int64)]
    for neighbourhood in job.batches[number]:
        mine = of_neighbourhood(asks, "row", neighbourhood)
        if not len(mine):
            continue
        columns = (*needed(column(mine, "what")), "sha256", "clarity", "source")
        rows = rows_of(job, neighbourhood, columns)
        pairs.append(_pairs(job, neighbourhood, rows, mine))
        batch = job.batch_of_rows(column(mine, "worse"))
        for one in np.unique(batch).tolist():
            # What many ask for is sent once.
            theirs = mine.filter(pa.array(batch == one))
            named: Any = [column(theirs, name) for name in ("row", "tile", "what")]
            facts.append(facts_of(job, neighbourhood, rows, *named))
            to.append(np.full(len(facts[-1]), one))
    whole = pa.concat_tables(pairs)
    path = exchange_name(number)
    exchange.write(
        storage.join(job.work, "pairs", path),
        whole,
        job.batch_of_rows(column(whole, "worse")),
        job.partitions,
    )
    shown = pa.concat_tables(facts)
    exchange.write(storage.join(job.work, "facts", path), shown, np.concatenate(to), job.partitions)
    return {"pairs": len(whole), "shown": len(shown)}


def _pairs(job: PlanJob, neighbourhood: Neighbourhood, rows: pa.Table, asks: pa.Table) -> pa.Table:
    numbers = {name: n for n, name in enumerate(job.sources)}
    at = pa.array(places(column(asks, "row")))
    taken = rows.select(["width", "height", "clarity", "source", "sha256"]).take(at)
    prefix = prefixes(hash_bytes(taken))
    first, second = better(taken, neighbourhood.generation, prefix)
    columns = {
        **{name: asks[name] for name in ("worse", "worse_tile", "what")},
        "other": asks["row"],
        "other_tile": asks["tile"],
        "first": first,
        "second": second,
        "source": pa.array([numbers[name] for name in taken["source"].to_pylist()], pa.uint16()),
        "prefix": prefix,
    }
    return pa.table(columns, schema=PAIRS_SCHEMA)


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
