"""Near duplicates by perceptual hash, found by joins on parts of the hash.

Two 64-bit hashes that differ in at most d bits, cut into d + 3 blocks, agree in at least 3 whole
blocks. So every such pair meets in a join on some 3 blocks, and joins on about 32 bits stay
selective at 10^9 rows (single 16-bit bands would not). Candidates are then verified with all 64
bits, the 256 bits of the fine hash (pages of text look alike in 64), aspect ratio and brightness.

Of two near duplicates the better one stays: more pixels, then higher clarity, then the smaller
sha256. An image goes when any better one is near it, so of a chain of ever poorer copies only the
best stays.
"""

from __future__ import annotations

import itertools

import duckdb

_HASH_BITS = 64
# Re-encoding and scaling move these only by rounding; an image and its stretched or darkened
# namesake differ by more.
_MAX_LOG_ASPECT = 0.05
_MAX_LUMA_STEP = 12


def mark_near_duplicates(
    db: duckdb.DuckDBPyConnection, table: str, bits: int, fine_bits: int
) -> None:
    """Create the table `near(id, duplicate_of)` with every row of `table` that has a better twin.

    `table` has columns id, sha256, phash (uint64), phash_fine (blob), width, height, clarity,
    luma_mean.
    """
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE hashed AS
        SELECT id, key, phash, phash_fine::BIT AS fine, luma_mean,
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
        QUALIFY row_number() OVER (PARTITION BY phash, fine, round(aspect / $step),
                                   round(luma_mean / $luma) ORDER BY rank) = 1
        """,
        {"step": _MAX_LOG_ASPECT, "luma": _MAX_LUMA_STEP},
    )
    db.execute("CREATE OR REPLACE TEMP TABLE pairs (id BIGINT, duplicate_of VARCHAR, rank BIGINT)")
    twins = f"""
        bit_count(xor(a.phash, b.phash)) <= {bits}
        AND bit_count(xor(a.fine, b.fine)) <= {fine_bits}
        AND abs(a.aspect - b.aspect) <= {_MAX_LOG_ASPECT}
        AND abs(a.luma_mean - b.luma_mean) <= {_MAX_LUMA_STEP}
        """
    for mask in _masks(bits):
        db.execute(
            f"""
            INSERT INTO pairs
            SELECT b.id, arg_min(a.key, a.rank), min(a.rank)
            FROM leaders a JOIN hashed b
              ON (a.phash & {mask}) = (b.phash & {mask}) AND a.rank < b.rank
            WHERE {twins} GROUP BY b.id
            """
        )
    db.execute(
        """
        CREATE OR REPLACE TEMP TABLE near AS
        SELECT id, arg_min(duplicate_of, rank) AS duplicate_of FROM pairs GROUP BY id
        """
    )


def _masks(bits: int) -> list[int]:
    """The bit masks to join on: any 3 of `bits` + 3 blocks of the hash."""
    count = bits + 3
    edges = [round(i * _HASH_BITS / count) for i in range(count + 1)]
    blocks = [sum(1 << bit for bit in range(low, high)) for low, high in itertools.pairwise(edges)]
    return [a | b | c for a, b, c in itertools.combinations(blocks, 3)]
