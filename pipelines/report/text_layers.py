"""How far the text layers of pages were trusted, and how far the detector agrees, in sentences."""

from __future__ import annotations

from typing import Any

from pipelines.planning.asked import ask
from pipelines.planning.tables import DROPPED, SELECTED
from pipelines.report import counts

# Fewer ranks say nothing.
_ENOUGH = 10


def text_layers(plan_folder: str) -> list[str]:
    """Pages by doubt, and the agreement of those that were counted both ways; none: no pages."""
    decoded = [row for fate in (SELECTED, DROPPED) for row in counts.count(plan_folder, fate)]
    doubts = counts.summed((row for row in decoded if row["doubt"] is not None), "doubt")
    pages = sum(row["images"] for row in decoded if row["known"])
    said = []
    if doubts:
        by = ", ".join(f"{row['images']:,} {row['doubt']}" for row in doubts)
        said.append(f"text layers that are not trusted, so that the detector looked: {by}")
    both = _counted_twice(plan_folder) if pages else {"audited": 0}
    if both["audited"]:
        ranks = ""
        if both["audited"] >= _ENOUGH and both["agreement"] is not None:
            ranks = f", rank correlation {both['agreement']:.3f}"
        said.append(
            f"of {pages:,} pages with known text the detector counted"
            f" {both['audited']:,} as well: it finds {both['share']:.2f} of the characters{ranks}"
        )
    return said


def _counted_twice(plan_folder: str) -> dict[str, Any]:
    """How many pages of known text the detector looked at as well, and how well both agree."""
    (both,) = ask(
        plan_folder,
        [SELECTED, DROPPED],
        """
        WITH audited AS (
            SELECT chars_est AS told, chars_audit AS found,
                   rank() OVER (ORDER BY chars_est) AS a, rank() OVER (ORDER BY chars_audit) AS b
            FROM stored WHERE chars_audit IS NOT NULL)
        SELECT count(*) AS audited, median(found / greatest(told, 1)) AS share,
               corr(a, b) AS agreement
        FROM audited
        """,
    )
    return both
