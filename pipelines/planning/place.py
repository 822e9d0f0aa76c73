"""Where an image that is kept would go: its rung and bucket, and the tiles of text."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.planning.settings import PlanSettings
from pipelines.planning.tiles import SCHEMA, cut_tiles
from vae_corpus.words import GENERAL, Bucket, buckets

_BATCH_ROWS = 50_000
_FOR_TILES = [
    *("sha256", "width", "height", "rung"),
    *("text_lines", "ink_cells", "page_regions", "text_marks"),
]


def cut_texts(rows: pa.Table, s: PlanSettings, seed: int) -> pa.Table:
    """`rows` with tiles, tile_count, blank_tiles and said; text goes to the rung of its tiles.

    Text is what is no general image; rows that have a slug are not cut.
    """
    text = pc.and_(pc.is_null(rows["slug"]), pc.not_equal(rows["kind"], GENERAL))
    at = np.flatnonzero(text.to_numpy())
    # Where each row finds its own among those that were cut; null where it was not.
    of = np.full(len(rows), -1)
    of[at] = np.arange(len(at))
    cuts = [
        cut_tiles(rows.select(_FOR_TILES).take(pa.array(at[start : start + _BATCH_ROWS])), s, seed)
        for start in range(0, len(at), _BATCH_ROWS)
    ]
    cut = pa.Table.from_batches(cuts, SCHEMA).take(pa.array(of, mask=of < 0))
    # Where no bucket fits, the rung stays that was drawn.
    made = {
        "rung": pc.coalesce(cut["text_rung"], rows["rung"]),
        "bucket": pc.if_else(text, cut["bucket"], rows["bucket"]),
    }
    for name, column in made.items():
        rows = rows.set_column(rows.schema.get_field_index(name), name, column)
    for name in ("tiles", "blank_tiles", "said"):
        rows = rows.append_column(name, cut[name])
    return rows.append_column("tile_count", pc.list_value_length(rows["tiles"]))


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


def rung_sql(s: PlanSettings, seed: int) -> str:
    """SQL that draws a rung from the hash of the bytes, among the rungs that the side can serve."""
    cases = []
    for top in sorted((r for r, weight in s.rung_weights.items() if weight > 0), reverse=True):
        *shares, _ = rung_shares(s, top)
        drawn = rung_draw_sql(seed)
        draws = " ".join(f"WHEN {drawn} < {edge!r} THEN {rung}" for rung, edge in shares)
        draw = f"CASE {draws} ELSE {top} END" if draws else str(top)
        cases.append(f"WHEN side >= {top} THEN {draw}")
    return f"CASE {' '.join(cases)} END"


def bucket_sql(s: PlanSettings) -> str:
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
