"""Where a kept image goes: its rung and bucket, the tiles of text, and whom a quota leaves out."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.planning.settings import PlanSettings
from pipelines.planning.tiles import CELL_PX, Judged, draw_bucket, judge_tiles
from vae_corpus.words import GENERAL, REST, TOP, Bucket, buckets

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
# Stands for the characters of a cell where text was not measured.
_UNKNOWN_CHARS = 1e6


def place_rows(db: duckdb.DuckDBPyConnection, s: PlanSettings, seed: int) -> None:
    """`placed`: rung and bucket for all, tiles for text; text without any tile is dropped."""
    db.execute(
        f"""
        CREATE TEMP TABLE with_rung AS
        SELECT *, CASE WHEN slug IS NULL THEN {_rung_sql(s, seed)} END AS rung
        FROM unique_rows
        """
    )
    db.register("text_tiles", pa.Table.from_batches(_text_tiles(db, s, seed), _TEXT_SCHEMA))
    db.execute(
        f"""
        CREATE TEMP TABLE placed AS
        SELECT w.* EXCLUDE (slug, text_cells, ink_cells),
               CASE WHEN w.slug IS NOT NULL THEN w.slug
                    WHEN w.kind <> '{GENERAL}' AND len(t.tiles) = 0
                    THEN CASE WHEN t.blank_tiles > 0 THEN 'blank' ELSE 'no_text' END
                    END AS slug,
               CASE WHEN w.slug IS NOT NULL THEN NULL
                    WHEN w.kind = '{GENERAL}' THEN {_bucket_sql(s)}
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


def rung_draw_sql(seed: int) -> str:
    """SQL for the number in [0, 1) that decides the rung of a row.

    Drawing from the hash makes the draw the same whatever else is in the corpus.
    """
    return f"(md5_number_lower('{seed}' || sha256) / 18446744073709551616.0)"


def _rung_sql(s: PlanSettings, seed: int) -> str:
    """SQL that draws a rung from the hash of the bytes, among the rungs that the side can serve."""
    cases = []
    for top in sorted((r for r, weight in s.rung_weights.items() if weight > 0), reverse=True):
        *shares, _ = rung_shares(s, top)
        drawn = rung_draw_sql(seed)
        draws = " ".join(f"WHEN {drawn} < {edge!r} THEN {rung}" for rung, edge in shares)
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


def _text_tiles(
    db: duckdb.DuckDBPyConnection, s: PlanSettings, seed: int
) -> Iterator[pa.RecordBatch]:
    rows: Any = db.sql(
        f"""
        SELECT id, sha256, width, height, rung, text_cells, ink_cells FROM with_rung
        WHERE slug IS NULL AND kind <> '{GENERAL}' ORDER BY id
        """
    )
    for batch in rows.to_arrow_reader(_BATCH_ROWS):
        tiled = [_tile_row(row, s, seed) for row in batch.to_pylist()]
        yield pa.RecordBatch.from_pylist(tiled, schema=_TEXT_SCHEMA)


def _tile_row(row: dict[str, Any], s: PlanSettings, seed: int) -> dict[str, Any]:
    bucket, judged = judge_row(row, s, seed)
    if bucket is None:
        return {"id": row["id"], "bucket": None, "tiles": [], "blank_tiles": 0}
    blank = sum(slug == "blank" for _, slug in judged)
    top = s.top_chars_per_256 * bucket.width * bucket.height / CELL_PX**2
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


def judge_row(
    row: dict[str, Any], s: PlanSettings, seed: int
) -> tuple[Bucket | None, list[Judged]]:
    """The bucket of a row of text and every tile that could be cut out of it.

    `row` has sha256, width, height, rung, text_cells and ink_cells.
    """
    width, height, cells = row["width"], row["height"], row["text_cells"]
    if cells is None:
        # Text was not measured (score.text: false): every tile of a document may hold some.
        cells = [_UNKNOWN_CHARS] * (-(-width // CELL_PX) * -(-height // CELL_PX))
    bucket = draw_bucket(seed, row["sha256"], width, height, row["rung"])
    if bucket is None:
        return None, []
    ink = row["ink_cells"]
    return bucket, judge_tiles(
        width,
        height,
        bucket,
        np.array(cells, np.float32),
        min_chars_per_256=s.min_tile_chars_per_256,
        max_tiles=s.max_tiles_per_image,
        inked=None if ink is None else np.array(ink) >= s.min_ink_levels,
    )


def apply_quotas(db: duckdb.DuckDBPyConnection, s: PlanSettings) -> None:
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
