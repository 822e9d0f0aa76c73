"""Candidates for pages and tiles that say the same, found by the smallest hashes of what they say.

Three passes: of equal texts the best one stands for all (`find_leaders`, a partition of the sets of
hashes); texts with a rare hash in common meet (`find_met`, a partition of the hashes); pairs that
met by at least three are asked for (`ask_for`, a batch of the worse).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.planning import database, exchange
from pipelines.planning.job import PlanJob, column, exchange_name
from pipelines.planning.passes.facts import TEXT
from pipelines.planning.passes.near import ASKS_SCHEMA
from pipelines.planning.texts import MOST_TEXTS, SHARED_KEYS, TEXTS_SCHEMA
from vae_corpus import storage
from vae_corpus.seeds import mixed

_KEYED_SCHEMA = pa.schema(
    [
        ("key", pa.uint32()),
        *(TEXTS_SCHEMA.field(name) for name in ("row", "tile", "page", "first", "second")),
    ]
)
_MET_SCHEMA = pa.schema(
    [
        *((name, pa.uint64()) for name in ("row", "worse")),
        *((name, pa.uint16()) for name in ("tile", "worse_tile")),
        ("keys", pa.uint32()),
    ]
)
# Pages and tiles are compared with their like.
_LIKE = "(tile = 0)"


def find_leaders(job: PlanJob, number: int) -> dict[str, Any]:
    """Ask for the best of equal texts on behalf of the others; hand on what may meet others."""
    texts = exchange.read(storage.join(job.work, "texts"), job.numbered(), number)
    asks, keyed = _query(
        texts,
        f"""
        CREATE TEMP TABLE led AS
        SELECT *, first_value(row) OVER same AS leader, first_value(tile) OVER same AS leader_tile,
               first_value(page) OVER same AS home
        FROM given WINDOW same AS (
            PARTITION BY digest, {_LIKE} ORDER BY "first", "second", row, tile)
        """,
        # A page at another size says what its leader says, and is as good as that to meet others.
        f"""
        SELECT leader AS row, leader_tile AS tile, row AS worse, tile AS worse_tile, {TEXT} AS what
        FROM led WHERE home <> page ORDER BY ALL
        """,
        """
        SELECT unnest(keys) AS key, row, tile, page, "first", "second"
        FROM led WHERE home = page ORDER BY ALL
        """,
    )
    _hand_over(job, "equals", number, asks.cast(ASKS_SCHEMA), "row")
    keyed = keyed.cast(_KEYED_SCHEMA)
    to = mixed(column(keyed, "key").astype(np.uint64)) % np.uint64(job.partitions)
    path = storage.join(job.work, "keys", exchange_name(number))
    exchange.write(path, keyed, to.astype(np.int64), job.partitions)
    return {"texts": len(texts)}


def find_met(job: PlanJob, number: int) -> dict[str, Any]:
    """Hand pairs of texts with a rare hash in common to the batches of the worse."""
    keyed = exchange.read(storage.join(job.work, "keys"), job.numbered(), number)
    (met,) = _query(
        keyed,
        f"""
        CREATE TEMP TABLE rare AS
        SELECT * FROM given
        QUALIFY count(*) OVER (PARTITION BY key, {_LIKE}) BETWEEN 2 AND {MOST_TEXTS}
        """,
        """
        SELECT a.row AS row, b.row AS worse, a.tile AS tile, b.tile AS worse_tile,
               count(*) AS keys
        FROM rare a JOIN rare b ON a.key = b.key AND (a.tile = 0) = (b.tile = 0)
        WHERE a.page <> b.page
          AND (a."first", a."second", a.row, a.tile) < (b."first", b."second", b.row, b.tile)
        GROUP BY ALL ORDER BY ALL
        """,
    )
    _hand_over(job, "met", number, met.cast(_MET_SCHEMA), "worse")
    return {"met": len(met)}


def ask_for(job: PlanJob, number: int) -> dict[str, Any]:
    """Ask the batches of the better for what pairs say that share three hashes or more."""
    met = exchange.read(storage.join(job.work, "met"), job.numbered(), number)
    (asks,) = _query(
        met,
        "",
        f"""
        SELECT row, tile, worse, worse_tile, {TEXT} AS what FROM given
        GROUP BY ALL HAVING sum(keys) >= {SHARED_KEYS} ORDER BY ALL
        """,
    )
    _hand_over(job, "asks", number, asks.cast(ASKS_SCHEMA), "row")
    return {"asked": len(asks)}


def _query(given: pa.Table, before: str, *answers: str) -> Sequence[pa.Table]:
    """Answers to questions about the table `given`, after a statement that prepares them."""
    with database.connect() as db:
        db.register("given", given)
        if before:
            db.execute(before)
        found: list[Any] = [db.sql(answer) for answer in answers]
        return [answer.to_arrow_table().combine_chunks() for answer in found]


def _hand_over(job: PlanJob, name: str, number: int, table: pa.Table, of: str) -> None:
    path = storage.join(job.work, name, exchange_name(number))
    exchange.write(path, table, job.batch_of_rows(column(table, of)), job.partitions)
