"""Questions to the tables of a plan that every build asks: answered once, kept beside the tables.

A plan may have 10^9 rows in thousands of tables. The answer counts only while the tables that were
asked are listed with the size and stamp that they had, none more and none less, and the question
is the same to the letter.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from typing import Any

from vae_corpus import storage


def ask(plan: str, fates: Sequence[str], sql: str) -> list[dict[str, Any]]:
    """`storage.query` over all tables of these fates, of which JSON can hold every value.

    FileNotFoundError where a fate has no table: the smallest plan has one of each.
    """
    question = hashlib.sha256(json.dumps([list(fates), sql]).encode()).hexdigest()[:16]
    path = storage.join(plan, f".asked-{question}.json")
    paths, about = _listed(plan, fates)
    if about and (kept := _kept(path)) and kept.get("about") == about:
        known: list[dict[str, Any]] = kept["rows"]
        return known
    rows = storage.query(paths, sql)
    if about:
        storage.commit_bytes(path, json.dumps({"about": about, "rows": rows}).encode())
    return rows


def _listed(plan: str, fates: Sequence[str]) -> tuple[list[str], str]:
    """All tables, and a digest over their sizes and stamps; empty where a stamp is not known."""
    paths: list[str] = []
    digest, sure = hashlib.sha256(), True
    for fate in fates:
        folder = storage.join(plan, fate)
        found = {n: e for n, e in storage.listing(folder).items() if n.endswith(".parquet")}
        if not found:
            raise FileNotFoundError(f"no tables in {folder}")
        for name, entry in found.items():
            paths.append(storage.join(folder, name))
            digest.update(f"{name} {entry.bytes} {entry.stamp}\n".encode())
            sure &= bool(entry.stamp)
        digest.update(b"\n")
    return paths, digest.hexdigest() if sure else ""


def _kept(path: str) -> dict[str, Any] | None:
    try:
        kept = json.loads(storage.read_bytes(path))
    except (FileNotFoundError, ValueError):
        return None
    return kept if isinstance(kept, dict) and isinstance(kept.get("rows"), list) else None
