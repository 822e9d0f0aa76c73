"""Plan the corpus: a query over the scores that decides what is kept, as what, and where it goes.

Nothing is decoded here. Every scored image ends in exactly one of `selected` and `dropped`; what
could not be decoded is listed in `rejected`. `shards` says what each tar will hold, under a
recipe hash: a shard whose recipe has not changed need not be packed again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.config import CorpusConfig
from pipelines.planning.duplicates import drop_duplicates
from pipelines.planning.judge import judge_rows, number_rows
from pipelines.planning.place import apply_quotas, place_rows
from pipelines.planning.shards import PACK_VERSION, Recipes, assign_shards
from pipelines.stages.runner import Runner
from pipelines.stages.score import Scored
from vae_corpus import storage

# Raised when the same settings would give another plan.
VERSION = 7

TABLES = ("selected", "dropped", "rejected", "shards")
_BATCH_ROWS = 50_000


def plan_corpus(config: CorpusConfig, scored: Scored, runner: Runner) -> str:
    """The folder of the plan, which is made where it is not there."""
    ids = [unit.unit_id for unit in scored.units]
    folder = storage.join(
        config.out, "plan", plan_hash(config, storage.name_of(scored.folder), ids)
    )
    # `shards` is written last, but any of them may have been lost since.
    if not {f"{name}.parquet" for name in TABLES} <= set(storage.names(folder, ".parquet")):
        runner.worked.add("plan")
        make_plan(config, scored.folder, ids, folder)
    return folder


def plan_hash(config: CorpusConfig, score_hash: str, unit_ids: Iterable[str]) -> str:
    """16 hex digits over all that decides a plan."""
    parts = {
        "version": VERSION,
        "seed": config.seed,
        "plan": config.plan.model_dump(),
        "pack": [PACK_VERSION, config.pack.model_dump()],
        "scores": score_hash,
        "units": sorted(unit_ids),
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def make_plan(config: CorpusConfig, scores: str, unit_ids: list[str], folder: str) -> None:
    """Write `selected`, `dropped`, `rejected` and, last, `shards` as Parquet into `folder`."""
    db = duckdb.connect()
    # Named one by one: a unit that is no longer listed may have left its scores behind, and one
    # that should be there and is not must be an error.
    paths = [storage.join(scores, f"{unit}.parquet") for unit in sorted(unit_ids)]
    db.register("scores", storage.dataset(paths))
    number_rows(db)
    judge_rows(db, config.plan)
    drop_duplicates(db, config.plan)
    place_rows(db, config.plan, config.seed)
    apply_quotas(db, config.plan)
    assign_shards(db, config.pack, config.seed)
    _write(db, config, folder)


def judge_alone(config: CorpusConfig, scores: pa.Table) -> tuple[list[Any], list[Any]]:
    """Kept and dropped rows of a table of scores, each as if no other image were there.

    There are no duplicates and no quotas: those need the whole corpus. Kept rows are as in
    `selected`, with a shard that means nothing; dropped ones are as in `dropped`.
    """
    alone = config.model_copy(update={"plan": config.plan.model_copy(update={"quotas": {}})})
    with duckdb.connect() as db:
        db.register("scores", scores)
        number_rows(db)
        judge_rows(db, alone.plan)
        db.execute(
            "CREATE TEMP TABLE unique_rows AS SELECT *, NULL::VARCHAR AS duplicate_of FROM judged"
        )
        place_rows(db, alone.plan, alone.seed)
        apply_quotas(db, alone.plan)
        assign_shards(db, alone.pack, alone.seed)
        kept: Any = db.sql("SELECT * FROM selected")
        dropped: Any = db.sql("SELECT * FROM within WHERE slug IS NOT NULL")
        return kept.to_arrow_table().to_pylist(), dropped.to_arrow_table().to_pylist()


def _write(db: duckdb.DuckDBPyConnection, config: CorpusConfig, folder: str) -> None:
    # `id` numbers the rows of this run only; addresses name them for good.
    dropped = "SELECT * EXCLUDE (id, tiles) FROM within WHERE slug IS NOT NULL"
    _stream(db, f'{dropped} ORDER BY source, uri, "offset", member', folder, "dropped")
    rejected = "SELECT * EXCLUDE (id, text_sketch, shape) FROM rows WHERE slug IS NOT NULL"
    _stream(db, f'{rejected} ORDER BY source, uri, "offset", member', folder, "rejected")
    recipes = Recipes(config.pack, config.seed)
    selected = "SELECT * EXCLUDE (id, place) FROM selected ORDER BY shard, place, id"
    _stream(db, selected, folder, "selected", recipes)
    storage.commit_table(storage.join(folder, "shards.parquet"), recipes.table())


def _stream(
    db: duckdb.DuckDBPyConnection,
    query: str,
    folder: str,
    name: str,
    recipes: Recipes | None = None,
) -> None:
    rows: Any = db.sql(query)
    reader = rows.to_arrow_reader(_BATCH_ROWS)
    with (
        storage.commit(storage.join(folder, f"{name}.parquet")) as file,
        pq.ParquetWriter(file, reader.schema, compression="zstd") as writer,
    ):
        for batch in reader:
            writer.write_batch(batch, row_group_size=8192)
            if recipes is not None:
                recipes.add(batch)
