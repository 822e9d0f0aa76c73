"""The sample that the report shows: rows of every fate, drawn by hash, with the counts behind them.

Strata are fate and slug of what was left out, fate, kind and rung of what was kept, and the rungs
of rendered text. Each gives some rows, and more by the root of its size, so that rare reasons are
seen and common ones are measured well. A row stands for `images / rows` of its stratum.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from filters.scores import COLUMNS
from pipelines.planning import rules, tables
from vae_corpus import storage
from vae_corpus.tables import PICTURE_COLUMNS
from vae_corpus.words import TEXT_SYNTH

ROWS = 20_000
# Candidates are picked by a cut through their hashes, so that no more than these are ever sorted.
# Six deviations above what is wanted, and some for small strata.
_DEVIATIONS, _SPARE = 6.0, 16.0
# A quarter of the rows is dealt evenly.
_FOR_EACH = 4

_TABLES = {
    "selected": "concat('selected/', kind, '/', rung)",
    "dropped": "concat('dropped/', slug, '/', kind)",
    "rejected": "concat('rejected/', slug)",
}
_SYNTH = f"concat('selected/{TEXT_SYNTH}/', rung)"
_ASKED = {"phash", "phash_fine", "script", *rules.COLUMNS}
_SCORES = tuple(
    column.name
    for column in COLUMNS
    if column.sql is None and (column.title or column.name in _ASKED)
)
_ALWAYS = (*(f'"{column.name}"' for column in PICTURE_COLUMNS), *_SCORES)
_DERIVED = tuple(column.name for column in COLUMNS if column.sql)
_PLANNED = (*_ALWAYS, "kind", "rung", "side", *_DERIVED)
TABLE_COLUMNS = {
    "selected": (*_PLANNED, "bucket", "tiles", "shard"),
    "dropped": (*_PLANNED, "slug", "duplicate_of"),
    "rejected": (*_ALWAYS, "slug", "why"),
}
_SYNTH_COLUMNS = (
    *("key", "source", "shard", '"offset"', '"bytes"', "json_offset", "json_bytes", "width"),
    *("height", "kind", "rung", "bucket", "language", "size_band"),
)


@dataclass(frozen=True, kw_only=True)
class Stratum:
    """A part of the corpus: how many images it has, and how many rows of the sample are of it."""

    name: str
    images: int
    rows: int


@dataclass(frozen=True, kw_only=True)
class Sample:
    """Rows, each with its `fate`, `stratum` (a number) and `place` (from 1) in that stratum."""

    strata: tuple[Stratum, ...]
    rows: list[dict[str, Any]]


def draw_sample(plan_folder: str, out: str, shards: Sequence[str], seed: int, limit: int) -> Sample:
    """Up to `limit` rows of the plan's tables and of the rendered shards, in a fixed order."""
    synth = [storage.join(out, f"{s}.parquet") for s in shards if f"/{TEXT_SYNTH}/" in f"/{s}"]
    parts = [
        (tables.paths(plan_folder, name), stratum, TABLE_COLUMNS[name], name)
        for name, stratum in _TABLES.items()
    ]
    if synth:
        parts.append((synth, _SYNTH, _SYNTH_COLUMNS, "selected"))
    counts: dict[str, int] = {}
    for paths, stratum, _, _ in parts:
        counts |= _counts(paths, stratum)
    wanted = allot(counts, limit)
    found: list[dict[str, Any]] = []
    for paths, stratum, columns, fate in parts:
        # The member of rendered text is its key.
        identity = "concat(key, '/', member)" if '"member"' in columns else "key"
        for row in _drawn(paths, stratum, columns, identity, counts, wanted, seed):
            found.append(row | {"fate": fate})
    names = sorted(counts)
    number = {name: i for i, name in enumerate(names)}
    rows_of = dict.fromkeys(names, 0)
    for row in found:
        rows_of[row["stratum"]] += 1
        row["stratum"] = number[row["stratum"]]
    strata = tuple(Stratum(name=n, images=counts[n], rows=rows_of[n]) for n in names)
    return Sample(strata=strata, rows=found)


def allot(counts: Mapping[str, int], limit: int) -> dict[str, int]:
    """Rows per stratum: all where they fit into `limit`, else some of each, the rest by roots."""
    if sum(counts.values()) <= limit:
        return dict(counts)
    least = max(1, limit // (_FOR_EACH * len(counts)))
    given = {name: min(n, least) for name, n in counts.items()}
    left = limit - sum(given.values())
    wanting = {name: n for name, n in counts.items() if n > least}
    while wanting:
        share = left / sum(math.sqrt(n) for n in wanting.values())
        full = {name: n for name, n in wanting.items() if n - least <= share * math.sqrt(n)}
        if not full:
            return given | {n: least + int(share * math.sqrt(c)) for n, c in wanting.items()}
        given |= full
        left -= sum(n - least for n in full.values())
        wanting = {name: n for name, n in wanting.items() if name not in full}
    return given


def _counts(paths: Sequence[str], stratum: str) -> dict[str, int]:
    rows = storage.query(
        paths, f"SELECT {stratum} AS name, count(*) AS n FROM stored GROUP BY 1 ORDER BY 1"
    )
    return {str(row["name"]): int(row["n"]) for row in rows}


def _drawn(
    paths: Sequence[str],
    stratum: str,
    columns: Sequence[str],
    identity: str,
    counts: Mapping[str, int],
    wanted: Mapping[str, int],
    seed: int,
) -> list[dict[str, Any]]:
    if not counts:
        return []
    # No join: it would hold the whole table.
    cuts = " ".join(
        f"WHEN '{n}' THEN {_cut(wanted[n], counts[n])}::UBIGINT" for n in sorted(counts)
    )
    most = " ".join(f"WHEN '{name}' THEN {wanted[name]}" for name in sorted(counts))
    address = [c for c in ('"uri"', "shard", '"offset"', '"member"') if c in columns]
    return storage.query(
        paths,
        f"""
        WITH hashed AS (
            SELECT {", ".join(columns)}, {stratum} AS stratum,
                   md5_number_lower(concat('{seed}', 'report', {identity})) AS draw
            FROM stored),
        placed AS (
            SELECT *, row_number() OVER (
                PARTITION BY stratum ORDER BY draw, {", ".join(address)}) AS place
            FROM hashed WHERE draw <= CASE stratum {cuts} END)
        SELECT * EXCLUDE (draw) FROM placed WHERE place <= CASE stratum {most} END
        ORDER BY stratum, place
        """,
        [column.strip('"') for column in columns],
    )


def _cut(wanted: int, of: int) -> int:
    """The hash below which `wanted` of `of` rows lie, with a margin."""
    share = (wanted + _DEVIATIONS * math.sqrt(wanted) + _SPARE) / of
    return (1 << 64) - 1 if wanted >= of or share >= 1 else int(share * 2.0**64)
