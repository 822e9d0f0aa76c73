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
        SELECT id, phash, phash_fine::BIT AS fine, luma_mean,
               ln(width::DOUBLE / height) AS aspect,
               row_number() OVER (
                   ORDER BY width::BIGINT * height DESC, clarity DESC NULLS LAST, sha256
               ) AS rank
        FROM {table} WHERE phash IS NOT NULL
        """
    )
    db.execute("CREATE OR REPLACE TEMP TABLE pairs (better BIGINT, id BIGINT, rank BIGINT)")
    for mask in _masks(bits):
        db.execute(
            f"""
            INSERT INTO pairs
            SELECT a.id, b.id, a.rank
            FROM hashed a JOIN hashed b
              ON (a.phash & {mask}) = (b.phash & {mask}) AND a.rank < b.rank
            WHERE bit_count(xor(a.phash, b.phash)) <= {bits}
              AND bit_count(xor(a.fine, b.fine)) <= {fine_bits}
              AND abs(a.aspect - b.aspect) <= {_MAX_LOG_ASPECT}
              AND abs(a.luma_mean - b.luma_mean) <= {_MAX_LUMA_STEP}
            """
        )
    db.execute(
        f"""
        CREATE OR REPLACE TEMP TABLE near AS
        SELECT pairs.id AS id, arg_min(t.key, pairs.rank) AS duplicate_of
        FROM pairs JOIN {table} t ON t.id = pairs.better
        GROUP BY pairs.id
        """
    )


def _masks(bits: int) -> list[int]:
    """The bit masks to join on: any 3 of `bits` + 3 blocks of the hash."""
    count = bits + 3
    edges = [round(i * _HASH_BITS / count) for i in range(count + 1)]
    blocks = [sum(1 << bit for bit in range(low, high)) for low, high in itertools.pairwise(edges)]
    return [a | b | c for a, b, c in itertools.combinations(blocks, 3)]
