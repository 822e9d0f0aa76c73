"""Duplicates beside what they are duplicates of, with the distance of their hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.planning import tables
from pipelines.report.strata import TABLE_COLUMNS
from vae_corpus import storage

_NEAR, _EXACT = 150, 20


def find_pairs(
    plan_folder: str, rows: Sequence[Mapping[str, Any]]
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """(pairs, more rows): `a` is the row that was dropped, `b` the one it is a duplicate of.

    Rows that stay and are not in the sample come as more rows; `b` counts on through these.
    """
    chosen: list[int] = []
    for slug, limit in (("near_duplicate", _NEAR), ("duplicate", _EXACT)):
        mine = [i for i, row in enumerate(rows) if row.get("slug") == slug and row["duplicate_of"]]
        chosen += sorted(mine, key=lambda i: (rows[i]["place"], rows[i]["stratum"]))[:limit]
    keys = {rows[i]["duplicate_of"] for i in chosen}
    held = {row["key"]: i for i, row in enumerate(rows) if row["fate"] == "selected"}
    more = _rows_of(plan_folder, sorted(keys - set(held)))
    held |= {row["key"]: len(rows) + n for n, row in enumerate(more)}
    whole = [*rows, *more]
    pairs = []
    for i in chosen:
        other = held.get(rows[i]["duplicate_of"])
        if other is not None:
            pair = {"a": i, "b": other, "slug": rows[i]["slug"]}
            pairs.append(pair | _distances(rows[i], whole[other]))
    return pairs, more


def _rows_of(plan_folder: str, keys: Sequence[str]) -> list[dict[str, Any]]:
    """One row of each key, of what was kept where there is one."""
    found: dict[str, dict[str, Any]] = {}
    for fate in ("selected", "dropped"):
        wanted = [key for key in keys if key not in found]
        if not wanted:
            break
        # Keys hold letters, digits, `_` and `-` only.
        named = ", ".join(f"'{key}'" for key in wanted)
        for row in storage.query(
            tables.paths(plan_folder, fate),
            f"SELECT {', '.join(TABLE_COLUMNS[fate])} FROM stored WHERE key IN ({named})"
            ' ORDER BY key, uri, "offset", member',
            [column.strip('"') for column in TABLE_COLUMNS[fate]],
        ):
            found.setdefault(row["key"], row | {"fate": fate, "stratum": None, "place": 0})
    return [found[key] for key in sorted(found)]


def _distances(a: Mapping[str, Any], b: Mapping[str, Any]) -> dict[str, int]:
    if a["phash"] is None or b["phash"] is None:
        return {}
    fine = int.from_bytes(a["phash_fine"]) ^ int.from_bytes(b["phash_fine"])
    return {"bits": (a["phash"] ^ b["phash"]).bit_count(), "fine_bits": fine.bit_count()}
