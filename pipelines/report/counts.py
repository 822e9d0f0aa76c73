"""How many images of a plan share a fate, a source and what the report sorts them by.

Each table is read once for all of accounting, shortfalls, census and text layers, and the answer,
some rows a source, is kept beside the plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from pipelines.planning.asked import ask
from pipelines.planning.tables import DROPPED, REJECTED, SELECTED

Row = dict[str, Any]

_DECODED = "page_doubt AS doubt, coalesce(text_stage = 'known', false) AS known"
_LEFT_OUT = (
    "coalesce(sum(blank_tiles), 0)::BIGINT AS blank,"
    " coalesce(sum(twin_tiles), 0)::BIGINT AS near_duplicate"
)
_QUESTIONS = {
    SELECTED: f"""
        SELECT source, kind, rung, {_DECODED}, count(*) AS images, {_LEFT_OUT}
        FROM stored GROUP BY ALL ORDER BY ALL
        """,
    DROPPED: f"""
        SELECT source, kind, slug, {_DECODED}, count(*) AS images, {_LEFT_OUT}
        FROM stored GROUP BY ALL ORDER BY ALL
        """,
    REJECTED: """
        SELECT source, slug, count(*) AS images, min(member) AS member,
               arg_min(why, member) AS why
        FROM stored GROUP BY ALL ORDER BY ALL
        """,
}


def count(plan: str, fate: str) -> list[Row]:
    """Rows with `images`; of what was decoded also the tiles left out, of the rejected the first.

    Of selected ones by source, kind, rung, doubt in their text layer and whether its characters are
    known; of dropped ones by slug instead of rung; of rejected ones by source and slug.
    """
    return ask(plan, [fate], _QUESTIONS[fate])


def summed(rows: Iterable[Row], *names: str) -> list[Row]:
    """`images` by these columns, most first."""
    total: Counter[tuple[Any, ...]] = Counter()
    for row in rows:
        total[tuple(row[name] for name in names)] += row["images"]
    return [dict(zip(names, key, strict=True)) | {"images": n} for key, n in most_first(total)]


def most_first(total: Counter[tuple[Any, ...]]) -> Sequence[tuple[tuple[Any, ...], int]]:
    """Counts of values that may be null, equal ones in the order of their values."""

    def place(pair: tuple[tuple[Any, ...], int]) -> Any:
        return -pair[1], [(value is None, "" if value is None else value) for value in pair[0]]

    return sorted(total.items(), key=place)
