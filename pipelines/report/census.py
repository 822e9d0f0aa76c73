"""True counts over the whole plan, which the page shows beside the pictures of its sample."""

from __future__ import annotations

from typing import Any

from vae_corpus import storage

# Notes may name numbers of the file: the most common ones tell the story.
_MOST = 40


def count(plan_folder: str) -> dict[str, Any]:
    """Images by what became of them, and what was met while decoding."""
    selected, dropped, rejected = (
        storage.join(plan_folder, f"{name}.parquet") for name in ("selected", "dropped", "rejected")
    )
    decoded = [selected, dropped]
    return {
        "kept": storage.query(
            [selected],
            """
            SELECT kind, rung, count(*) AS images,
                   sum(coalesce(len(tiles), 1))::BIGINT AS samples
            FROM stored GROUP BY 1, 2 ORDER BY 1, 2
            """,
        ),
        "dropped": _by(dropped, "slug", "kind"),
        "rejected": _by(rejected, "slug", "source"),
        "sources": _sources(selected, dropped, rejected),
        "formats": _met(decoded, "format"),
        "colours": _met(
            decoded, "concat(colour_space, CASE WHEN colour_converted THEN ', converted' END)"
        ),
        "notes": _met(decoded, "decode_note"),
    }


def _by(path: str, *columns: str) -> list[dict[str, Any]]:
    named = ", ".join(columns)
    return storage.query(
        [path],
        f"SELECT {named}, count(*) AS images FROM stored GROUP BY ALL"
        f" ORDER BY images DESC, {named}",
    )


def _met(paths: list[str], what: str) -> list[dict[str, Any]]:
    return storage.query(
        paths,
        f"""
        SELECT {what} AS name, count(*) AS images FROM stored WHERE {what} IS NOT NULL
        GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {_MOST}
        """,
    )


def _sources(selected: str, dropped: str, rejected: str) -> list[dict[str, Any]]:
    """Images selected, dropped and rejected of every source, most first."""
    sums: dict[str, dict[str, int]] = {}
    for fate, path in (("selected", selected), ("dropped", dropped), ("rejected", rejected)):
        for row in _by(path, "source"):
            sums.setdefault(row["source"], {})[fate] = row["images"]
    rows = [{"source": source, "images": sum(n.values()), **n} for source, n in sums.items()]
    return sorted(rows, key=lambda row: (-row["images"], row["source"]))
