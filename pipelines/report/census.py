"""True counts over the whole plan, which the page shows beside the pictures of its sample."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pipelines.planning import tables
from pipelines.planning.tables import DROPPED, FATES, REJECTED, SELECTED
from pipelines.report import counts
from vae_corpus import storage

# Notes may name numbers of the file: the most common ones tell the story.
_MOST = 40
_MET = {
    "formats": "format",
    "colours": "concat(colour_space, CASE WHEN colour_converted THEN ', converted' END)",
    "notes": "decode_note",
}


def count(plan_folder: str) -> dict[str, Any]:
    """Images by what became of them, and what was met while decoding."""
    rows = {fate: counts.count(plan_folder, fate) for fate in FATES}
    return {
        "kept": _kept(plan_folder, rows[SELECTED]),
        "dropped": counts.summed(rows[DROPPED], "slug", "kind"),
        "rejected": counts.summed(rows[REJECTED], "slug", "source"),
        "sources": _sources(rows),
        **_met(plan_folder),
    }


def _kept(plan_folder: str, rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Images by kind and rung, with the samples that the shards hold of them."""
    samples = storage.query(
        [storage.join(plan_folder, tables.SHARDS)],
        """
        SELECT split_part(shard, '/', 2) AS kind, split_part(shard, '/', 3)::INTEGER AS rung,
               sum(samples)::BIGINT AS samples
        FROM stored GROUP BY 1, 2
        """,
    )
    held = {(row["kind"], row["rung"]): row["samples"] for row in samples}
    found = sorted(counts.summed(rows, "kind", "rung"), key=lambda row: (row["kind"], row["rung"]))
    return [row | {"samples": held[row["kind"], row["rung"]]} for row in found]


def _met(plan_folder: str) -> dict[str, list[dict[str, Any]]]:
    """What decoding met, the most common first; the tables are read once for all."""
    paths = [*tables.paths(plan_folder, SELECTED), *tables.paths(plan_folder, DROPPED)]
    columns = ", ".join(f"{sql} AS {name}" for name, sql in _MET.items())
    rows = storage.query(
        paths,
        f"""
        WITH met AS (SELECT {columns} FROM stored)
        SELECT *, count(*) AS images FROM met
        GROUP BY GROUPING SETS ({", ".join(f"({name})" for name in _MET)})
        QUALIFY row_number() OVER (
            PARTITION BY grouping({", ".join(_MET)}) ORDER BY images DESC, {", ".join(_MET)}
        ) <= {_MOST + 1}
        """,
    )
    found = {}
    for name in _MET:
        mine = [row for row in rows if row[name] is not None]
        mine.sort(key=lambda row: (-row["images"], row[name]))
        found[name] = [{"name": row[name], "images": row["images"]} for row in mine[:_MOST]]
    return found


def _sources(rows: dict[str, list[dict[str, Any]]]) -> list[dict[str, Any]]:
    """Images selected, dropped and rejected of every source, most first."""
    sums: dict[str, dict[str, int]] = {}
    for fate in FATES:
        for row in counts.summed(rows[fate], "source"):
            sums.setdefault(row["source"], {})[fate] = row["images"]
    found = [{"source": source, "images": sum(n.values()), **n} for source, n in sums.items()]
    return sorted(found, key=lambda row: (-row["images"], row["source"]))
