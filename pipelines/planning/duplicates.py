"""Near duplicates by perceptual hash, found by joins on parts of the hash.

Two 64-bit hashes that differ in at most d bits, cut into d + 3 blocks, agree in at least 3 whole
blocks. So every such pair meets in a join on some 3 blocks, and joins on about 32 bits stay
selective at 10^9 rows (single 16-bit bands would not). Candidates are then verified with all 64
bits, the 256 bits of the fine hash (pages of text look alike in 64), aspect ratio and brightness.

Pages of one template pass all that. So where one of a pair is text, both must say the same: by the
sketch of their texts where both have one, else by the layout of their pixels. Pages that look
otherwise and say the same are found by what they say (`text_twins`).

Of two near duplicates the better one stays: more pixels, then higher clarity, then the smaller
sha256. An image goes when any better one is near it, so of a chain of ever poorer copies only the
best stays.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import ARROW
from numpy.typing import NDArray

from filters import layout
from pipelines.planning.settings import PlanSettings
from pipelines.planning.text_twins import mark_text_twins
from vae_corpus.words import GENERAL

_HASH_BITS = 64
# Re-encoding and scaling move these only by rounding; an image and its stretched or darkened
# namesake differ by more.
_MAX_LOG_ASPECT = 0.05
_MAX_LUMA_STEP = 12
# A page that is drawn at several sizes is one page, and these are no duplicates.
_PAGE = "hash(uri, regexp_replace(member, '@[0-9]+$', ''))"
# Pages have hundreds of marks: one in eight will do. These are of some 200 characters.
_THINNED, _LEAST_MARKS = 8, 6
# Runs that stand elsewhere by so much of the sides were set anew.
_SET_ANEW = 0.02
_LAYOUT_BYTES = layout.POINTS**2

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


@dataclass(frozen=True, kw_only=True)
class Limits:
    """How far two near duplicates may differ: see the settings of `plan`."""

    bits: int
    fine_bits: int
    text_runs: int
    layout_levels: int


def drop_duplicates(db: duckdb.DuckDBPyConnection, s: PlanSettings) -> None:
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
               kind = $general AS general, text_sketch, shape, uri, member
        FROM judged ANTI JOIN exact USING (id)
        JOIN (SELECT id, text_sketch, shape FROM rows) USING (id)
        WHERE slug IS NULL
        """,
        {"general": GENERAL},
    )
    limits = Limits(
        bits=s.duplicate_bits,
        fine_bits=s.duplicate_fine_bits,
        text_runs=s.duplicate_text_runs,
        layout_levels=s.duplicate_layout_levels,
    )
    mark_near_duplicates(db, "candidates", _LAYOUTS, limits)
    _add_text_twins(db, s, limits)
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


def mark_near_duplicates(
    db: duckdb.DuckDBPyConnection, table: str, layouts: str, limits: Limits
) -> None:
    """Create the table `near(id, duplicate_of)` with every row of `table` that has a better twin.

    `table` has columns id, key, uri, member, sha256, phash (uint64), phash_fine (blob), width,
    height, clarity, luma_mean, general (bool), text_sketch (blob, or null), shape (a hash of the
    layout, or null). `layouts` is a query that gives id and layout (blob) of those rows that the
    table `wanted(id)` names.
    """
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE hashed AS
        SELECT id, key, {_PAGE} AS page, phash, phash_fine::BIT AS fine, luma_mean, general,
               text_sketch::BIT AS said, shape IS NOT NULL AS laid_out, shape,
               ln(width::DOUBLE / height) AS aspect,
               row_number() OVER (
                   ORDER BY width::BIGINT * height DESC, clarity DESC NULLS LAST, sha256
               ) AS rank
        FROM {table} WHERE phash IS NOT NULL
        """
    )
    # Thousands of copies of one placeholder would make millions of pairs: of equal hashes only
    # the best goes into the joins.
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE leaders AS
        SELECT * FROM hashed
        QUALIFY row_number() OVER (
            PARTITION BY phash, fine, round(aspect / $step), round(luma_mean / $luma), general,
                         CASE WHEN NOT general THEN coalesce(said::VARCHAR, shape::VARCHAR) END
            ORDER BY rank) = 1
        """,
        {"step": _MAX_LOG_ASPECT, "luma": _MAX_LUMA_STEP},
    )
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE pairs
            (id BIGINT, duplicate_of VARCHAR, rank BIGINT, look_at BIGINT[])
        """
    )
    alike = f"""
        bit_count(xor(a.phash, b.phash)) <= {limits.bits}
        AND bit_count(xor(a.fine, b.fine)) <= {limits.fine_bits}
        AND abs(a.aspect - b.aspect) <= {_MAX_LOG_ASPECT}
        AND abs(a.luma_mean - b.luma_mean) <= {_MAX_LUMA_STEP}
        AND a.page <> b.page
        """
    # Layouts are compared after the joins; through the joins go only the ids of such pages.
    for mask in _masks(limits.bits):
        db.execute(
            f"""
            INSERT INTO pairs
            SELECT id, arg_min(key, rank) FILTER (verdict = 'twin'),
                   min(rank) FILTER (verdict = 'twin'), list(better) FILTER (verdict = 'look')
            FROM (SELECT b.id, a.id AS better, a.key, a.rank,
                         CASE WHEN a.general AND b.general THEN 'twin'
                              WHEN a.said IS NOT NULL AND b.said IS NOT NULL
                              THEN CASE WHEN bit_count(xor(a.said, b.said)) <= {limits.text_runs}
                                        THEN 'twin' END
                              WHEN a.laid_out AND b.laid_out THEN 'look'
                              ELSE 'twin' END AS verdict
                  FROM leaders a JOIN hashed b
                    ON (a.phash & {mask}) = (b.phash & {mask}) AND a.rank < b.rank
                  WHERE {alike})
            WHERE verdict IS NOT NULL GROUP BY id
            """
        )
    _look_at_layouts(db, layouts, limits.layout_levels)
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE near AS
        SELECT id, arg_min(duplicate_of, rank) AS duplicate_of FROM pairs
        WHERE rank IS NOT NULL GROUP BY id
        """
    )


def _add_text_twins(db: duckdb.DuckDBPyConnection, s: PlanSettings, limits: Limits) -> None:
    """Add to `near` the pages that say what another page says, set in another way.

    Where the runs that both have stand at the same places, both may be filled in from one template,
    and differ by a name: those are twins only if they say the same as strictly as above.
    """
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE texts AS
        SELECT id, page, rank, list_sort(list_distinct(list_filter(
                   list_transform(text_marks, lambda m: m.hash), lambda h: h % {_THINNED} = 0)))
                   AS marks
        FROM hashed JOIN (SELECT id, text_marks FROM rows WHERE text_marks IS NOT NULL) USING (id)
        """
    )
    mark_text_twins(db, "texts", s.duplicate_text_share, _LEAST_MARKS)
    db.execute(
        f"""
        INSERT INTO near
        WITH marks AS (
            SELECT id, unnest(text_marks) AS mark, width, height FROM rows
            WHERE id IN (SELECT id FROM text_twins UNION SELECT twin_of FROM text_twins)),
        once AS (SELECT * FROM marks QUALIFY count(*) OVER (PARTITION BY id, mark.hash) = 1),
        moved AS (
            SELECT t.id, t.twin_of, median(abs(a.mark.x / a.width - b.mark.x / b.width)
                                         + abs(a.mark.y / a.height - b.mark.y / b.height)) AS by
            FROM text_twins t JOIN once a ON a.id = t.twin_of
            JOIN once b ON b.id = t.id AND b.mark.hash = a.mark.hash
            GROUP BY t.id, t.twin_of)
        SELECT m.id, a.key FROM moved m
        JOIN hashed a ON a.id = m.twin_of JOIN hashed b ON b.id = m.id
        WHERE m.id NOT IN (SELECT id FROM near)
          AND (m.by > {_SET_ANEW} OR bit_count(xor(a.said, b.said)) <= {limits.text_runs})
        """
    )
    db.execute("DROP TABLE texts")


def _look_at_layouts(db: duckdb.DuckDBPyConnection, layouts: str, levels: int) -> None:
    """Add to `pairs` what has the same layout among those to look at.

    Only here are the layouts themselves read: in the joins they would fill the memory.
    """
    db.create_function("layout_difference", _differences, ["BLOB", "BLOB"], "DOUBLE", type=ARROW)
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE met AS
        SELECT DISTINCT id, unnest(look_at) AS better FROM pairs
        """
    )
    db.execute(
        "CREATE OR REPLACE TEMP TABLE wanted AS SELECT id FROM met UNION SELECT better FROM met"
    )
    db.execute(f"CREATE OR REPLACE TEMP TABLE layouts AS {layouts}")
    db.execute(
        f"""
        INSERT INTO pairs
        SELECT met.id, arg_min(ranked.key, ranked.rank), min(ranked.rank), NULL
        FROM met JOIN layouts a ON a.id = met.better JOIN layouts b ON b.id = met.id
        JOIN hashed ranked ON ranked.id = met.better
        WHERE layout_difference(a.layout, b.layout) <= {levels}
        GROUP BY met.id
        """
    )
    db.execute("DROP TABLE layouts")
    db.remove_function("layout_difference")


def _differences(one: pa.Array, other: pa.Array) -> pa.Array:
    return pa.array(layout.differences(_layouts(one), _layouts(other)))


def _layouts(column: Any) -> NDArray[np.uint8]:
    """uint8[N, 4096] of a column of N blobs."""
    whole = b"".join(column.to_pylist())
    return np.frombuffer(whole, np.uint8).reshape(-1, _LAYOUT_BYTES)


def _masks(bits: int) -> list[int]:
    """The bit masks to join on: any 3 of `bits` + 3 blocks of the hash."""
    count = bits + 3
    edges = [round(i * _HASH_BITS / count) for i in range(count + 1)]
    blocks = [sum(1 << bit for bit in range(low, high)) for low, high in itertools.pairwise(edges)]
    return [a | b | c for a, b, c in itertools.combinations(blocks, 3)]
