"""Plan the corpus: a query over the scores that decides what is kept, as what, and where it goes.

Nothing is decoded here. Every scored image ends in exactly one of `selected` and `dropped`; what
could not be decoded is listed in `rejected`. `shards` says what each tar will hold, under a
recipe hash: a shard whose recipe has not changed need not be packed again.
"""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines import dedup, rules, shard_plan
from pipelines.config import CorpusConfig, PlanSettings
from pipelines.shard_plan import Recipes, assign_shards
from pipelines.tiles import CELL_PX, Judged, draw_bucket, judge_tiles
from vae_corpus import storage
from vae_corpus.words import GENERAL, REST, TOP, Bucket, buckets

# Raised when the same settings would give another plan, or the same plan other shards.
VERSION = 5

_TILE = pa.struct(
    [
        *((name, pa.int32()) for name in ("x", "y", "width", "height")),
        ("chars", pa.float32()),
        ("density", pa.string()),
    ]
)
_TEXT_SCHEMA = pa.schema(
    [
        ("id", pa.int64()),
        ("bucket", pa.string()),
        ("tiles", pa.list_(_TILE)),
        ("blank_tiles", pa.int32()),
    ]
)
_BATCH_ROWS = 50_000

# Layouts are too large to go along with the rows, and few are asked for: they are read once more.
# Rows of one address have one layout.
_LAYOUTS = """
    SELECT rows.id, any_value(scores.layout) AS layout
    FROM wanted JOIN rows USING (id)
    JOIN scores ON scores.unit = rows.unit AND scores.uri = rows.uri
        AND scores."offset" = rows."offset" AND scores.member = rows.member
        AND scores.sha256 = rows.sha256
    GROUP BY rows.id
    """

TABLES = ("selected", "dropped", "rejected", "shards")
_UNKNOWN_CHARS = 1e6


def plan_hash(config: CorpusConfig, score_hash: str, unit_ids: Iterable[str]) -> str:
    """16 hex digits over all that decides a plan."""
    parts = {
        "version": VERSION,
        "seed": config.seed,
        "plan": config.plan.model_dump(),
        "pack": [shard_plan.PACK_VERSION, config.pack.model_dump()],
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
    _number(db)
    _judge(db, config.plan)
    _drop_duplicates(db, config.plan)
    _place(db, config)
    _apply_quotas(db, config.plan)
    assign_shards(db, config)
    _write(db, config, folder)


def judge_alone(config: CorpusConfig, scores: pa.Table) -> tuple[list[Any], list[Any]]:
    """Kept and dropped rows of a table of scores, each as if no other image were there.

    There are no duplicates and no quotas: those need the whole corpus. Kept rows are as in
    `selected`, with a shard that means nothing; dropped ones are as in `dropped`.
    """
    alone = config.model_copy(update={"plan": config.plan.model_copy(update={"quotas": {}})})
    with duckdb.connect() as db:
        db.register("scores", scores)
        _number(db)
        _judge(db, alone.plan)
        db.execute(
            "CREATE TEMP TABLE unique_rows AS SELECT *, NULL::VARCHAR AS duplicate_of FROM judged"
        )
        _place(db, alone)
        _apply_quotas(db, alone.plan)
        assign_shards(db, alone)
        kept: Any = db.sql("SELECT * FROM selected")
        dropped: Any = db.sql("SELECT * FROM within WHERE slug IS NOT NULL")
        return kept.to_arrow_table().to_pylist(), dropped.to_arrow_table().to_pylist()


def _number(db: duckdb.DuckDBPyConnection) -> None:
    """`rows`: the scores with an id."""
    # The id gives every row of the table a name: the same bytes may be listed many times.
    db.execute(
        """
        CREATE TEMP TABLE rows AS
        SELECT row_number() OVER (ORDER BY source, uri, "offset", member) AS id,
               *
        FROM (SELECT * EXCLUDE (layout),
                     CASE WHEN layout IS NOT NULL THEN hash(layout) END AS shape
              FROM scores)
        """
    )


def _judge(db: duckdb.DuckDBPyConnection, s: PlanSettings) -> None:
    """`judged`: every decoded image with its kind and the first reason to drop it, if any."""
    db.execute(
        f"""
        CREATE TEMP TABLE kinds AS
        SELECT * EXCLUDE (slug, why, text_sketch, shape), least(width, height) AS side,
               list_max(ink_cells) AS ink_max, {rules.kind_sql(s)} AS kind
        FROM rows WHERE slug IS NULL
        """
    )
    db.execute(f"CREATE TEMP TABLE judged AS SELECT *, {rules.slug_sql(s)} AS slug FROM kinds")


def _drop_duplicates(db: duckdb.DuckDBPyConnection, s: PlanSettings) -> None:
    """`unique_rows`: `judged` with exact and near duplicates marked, and of what."""
    db.execute(
        """
        CREATE TEMP TABLE exact AS
        SELECT id, first(key) OVER copies AS duplicate_of
        FROM judged WHERE slug IS NULL
        WINDOW copies AS (PARTITION BY sha256 ORDER BY source, uri, "offset", id)
        QUALIFY row_number() OVER copies > 1
        """
    )
    db.execute(
        """
        CREATE TEMP TABLE candidates AS
        SELECT id, key, sha256, phash, phash_fine, width, height, clarity, luma_mean,
               kind = $general AS general, text_sketch, shape
        FROM judged ANTI JOIN exact USING (id)
        JOIN (SELECT id, text_sketch, shape FROM rows) USING (id)
        WHERE slug IS NULL
        """,
        {"general": GENERAL},
    )
    limits = dedup.Limits(
        bits=s.duplicate_bits,
        fine_bits=s.duplicate_fine_bits,
        text_runs=s.duplicate_text_runs,
        layout_levels=s.duplicate_layout_levels,
    )
    dedup.mark_near_duplicates(db, "candidates", _LAYOUTS, limits)
    db.execute(
        """
        CREATE TEMP TABLE unique_rows AS
        SELECT judged.* REPLACE (
                   CASE WHEN judged.slug IS NOT NULL THEN judged.slug
                        WHEN exact.id IS NOT NULL THEN 'duplicate'
                        WHEN near.id IS NOT NULL THEN 'near_duplicate' END AS slug),
               coalesce(exact.duplicate_of, near.duplicate_of) AS duplicate_of
        FROM judged LEFT JOIN exact USING (id) LEFT JOIN near USING (id)
        """
    )


def _place(db: duckdb.DuckDBPyConnection, config: CorpusConfig) -> None:
    """`placed`: rung and bucket for all, tiles for text; text without any tile is dropped."""
    db.execute(
        f"""
        CREATE TEMP TABLE with_rung AS
        SELECT *, CASE WHEN slug IS NULL THEN {_rung_sql(config.plan, config.seed)} END AS rung
        FROM unique_rows
        """
    )
    db.register("text_tiles", pa.Table.from_batches(_text_tiles(db, config), _TEXT_SCHEMA))
    db.execute(
        f"""
        CREATE TEMP TABLE placed AS
        SELECT w.* EXCLUDE (slug, text_cells, ink_cells),
               CASE WHEN w.slug IS NOT NULL THEN w.slug
                    WHEN w.kind <> '{GENERAL}' AND len(t.tiles) = 0
                    THEN CASE WHEN t.blank_tiles > 0 THEN 'blank' ELSE 'no_text' END
                    END AS slug,
               CASE WHEN w.slug IS NOT NULL THEN NULL
                    WHEN w.kind = '{GENERAL}' THEN {_bucket_sql(config.plan)}
                    ELSE t.bucket END AS bucket,
               t.tiles AS tiles, t.blank_tiles AS blank_tiles
        FROM with_rung w LEFT JOIN text_tiles t USING (id)
        """
    )


def rung_shares(s: PlanSettings, side: int) -> list[tuple[int, float]]:
    """The rungs that a side can serve, each with the draw up to which it is taken, the last 1."""
    rungs = sorted(r for r, weight in s.rung_weights.items() if weight > 0 and r <= side)
    total = sum(s.rung_weights[r] for r in rungs)
    edges = list(itertools.accumulate(s.rung_weights[r] / total for r in rungs))
    return list(zip(rungs, [*edges[:-1], 1.0], strict=True)) if rungs else []


def draw_sql(seed: int) -> str:
    """SQL for the number in [0, 1) that decides the rung of a row.

    Drawing from the hash makes the draw the same whatever else is in the corpus.
    """
    return f"(md5_number_lower('{seed}' || sha256) / 18446744073709551616.0)"


def _rung_sql(s: PlanSettings, seed: int) -> str:
    """SQL that draws a rung from the hash of the bytes, among the rungs that the side can serve."""
    cases = []
    for top in sorted((r for r, weight in s.rung_weights.items() if weight > 0), reverse=True):
        *shares, _ = rung_shares(s, top)
        draws = " ".join(f"WHEN {draw_sql(seed)} < {edge!r} THEN {rung}" for rung, edge in shares)
        draw = f"CASE {draws} ELSE {top} END" if draws else str(top)
        cases.append(f"WHEN side >= {top} THEN {draw}")
    return f"CASE {' '.join(cases)} END"


def _bucket_sql(s: PlanSettings) -> str:
    """SQL for the bucket with the nearest aspect ratio. The square always fits."""
    per_rung = []
    for rung in sorted(s.rung_weights):
        ordered = sorted(buckets(rung), key=lambda b: b.width / b.height)
        cases = " ".join(
            f"WHEN width::DOUBLE / height < {_middle(low, high)!r} THEN '{low}'"
            for low, high in itertools.pairwise(ordered)
        )
        per_rung.append(f"WHEN {rung} THEN CASE {cases} ELSE '{ordered[-1]}' END")
    return f"CASE rung {' '.join(per_rung)} END"


def _middle(low: Bucket, high: Bucket) -> float:
    return math.sqrt(low.width / low.height * high.width / high.height)


def _text_tiles(db: duckdb.DuckDBPyConnection, config: CorpusConfig) -> Iterator[pa.RecordBatch]:
    rows: Any = db.sql(
        f"""
        SELECT id, sha256, width, height, rung, text_cells, ink_cells FROM with_rung
        WHERE slug IS NULL AND kind <> '{GENERAL}' ORDER BY id
        """
    )
    for batch in rows.to_arrow_reader(_BATCH_ROWS):
        tiled = [_tile_row(row, config) for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist(tiled, schema=_TEXT_SCHEMA)


def _tile_row(row: dict[str, Any], config: CorpusConfig) -> dict[str, Any]:
    bucket, judged = judge_row(row, config)
    if bucket is None:
        return {"id": row["id"], "bucket": None, "tiles": [], "blank_tiles": 0}
    blank = sum(slug == "blank" for _, slug in judged)
    top = config.plan.top_chars_per_256 * bucket.width * bucket.height / CELL_PX**2
    measured = row["text_cells"] is not None
    kept = [
        {
            **{"x": t.x, "y": t.y, "width": t.width, "height": t.height},
            "chars": t.chars if measured else None,
            "density": (TOP if t.chars >= top else REST) if measured else None,
        }
        for t, slug in judged
        if slug is None
    ]
    return {"id": row["id"], "bucket": str(bucket), "tiles": kept, "blank_tiles": blank}


def judge_row(row: dict[str, Any], config: CorpusConfig) -> tuple[Bucket | None, list[Judged]]:
    """The bucket of a row of text and every tile that could be cut out of it.

    `row` has sha256, width, height, rung, text_cells and ink_cells.
    """
    width, height, cells = row["width"], row["height"], row["text_cells"]
    if cells is None:
        # Text was not measured (score.text: false): every tile of a document may hold some.
        cells = [_UNKNOWN_CHARS] * (-(-width // CELL_PX) * -(-height // CELL_PX))
    bucket = draw_bucket(config.seed, row["sha256"], width, height, row["rung"])
    if bucket is None:
        return None, []
    ink = row["ink_cells"]
    return bucket, judge_tiles(
        width,
        height,
        bucket,
        np.array(cells, np.float32),
        min_chars_per_256=config.plan.min_tile_chars_per_256,
        max_tiles=config.plan.max_tiles_per_image,
        inked=None if ink is None else np.array(ink) >= config.plan.min_ink_levels,
    )


def _apply_quotas(db: duckdb.DuckDBPyConnection, s: PlanSettings) -> None:
    """`within`: `placed` with what exceeds a kind's quota marked; the best stay.

    Best is: clearest for general images, densest for text, whose `text_rank` is its place in its
    kind, from 1.
    """
    limits = " ".join(f"WHEN '{kind}' THEN {count}" for kind, count in sorted(s.quotas.items()))
    over = f"place > CASE kind {limits} END" if limits else "false"
    db.execute(
        f"""
        CREATE TEMP TABLE within AS
        WITH ranked AS (
            SELECT *, row_number() OVER (
                PARTITION BY kind, slug IS NULL
                ORDER BY CASE kind WHEN '{GENERAL}' THEN clarity ELSE chars_per_mpx END
                         DESC NULLS LAST, sha256) AS place
            FROM placed)
        SELECT * EXCLUDE (place) REPLACE (
                   CASE WHEN slug IS NOT NULL THEN slug WHEN {over} THEN 'over_quota' END AS slug),
               CASE WHEN slug IS NULL AND kind <> '{GENERAL}' THEN place END AS text_rank
        FROM ranked
        """
    )


def _write(db: duckdb.DuckDBPyConnection, config: CorpusConfig, folder: str) -> None:
    # `id` numbers the rows of this run only; addresses name them for good.
    dropped = "SELECT * EXCLUDE (id, tiles) FROM within WHERE slug IS NOT NULL"
    _stream(db, f'{dropped} ORDER BY source, uri, "offset", member', folder, "dropped")
    rejected = "SELECT * EXCLUDE (id, text_sketch, shape) FROM rows WHERE slug IS NOT NULL"
    _stream(db, f'{rejected} ORDER BY source, uri, "offset", member', folder, "rejected")
    recipes = Recipes(config.pack, config.seed, VERSION)
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
