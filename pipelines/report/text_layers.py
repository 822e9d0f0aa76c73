"""How far the text layers of pages were trusted, and how far the detector agrees, in sentences."""

from __future__ import annotations

from pipelines.planning.asked import ask

_TABLES = ["selected", "dropped"]
# Fewer ranks say nothing.
_ENOUGH = 10


def text_layers(plan_folder: str) -> list[str]:
    """Pages by doubt, and the agreement of those that were counted both ways; none: no pages."""
    doubts = ask(
        plan_folder,
        _TABLES,
        "SELECT page_doubt AS doubt, count(*) AS n FROM stored WHERE page_doubt IS NOT NULL"
        " GROUP BY 1 ORDER BY 2 DESC, 1",
    )
    (known,) = ask(
        plan_folder,
        _TABLES,
        "WITH audited AS (SELECT chars_est AS told, chars_audit AS found,"
        " rank() OVER (ORDER BY chars_est) AS a, rank() OVER (ORDER BY chars_audit) AS b"
        " FROM stored WHERE chars_audit IS NOT NULL)"
        " SELECT (SELECT count(*) FROM stored WHERE text_stage = 'known') AS pages,"
        " count(*) AS audited, median(found / greatest(told, 1)) AS share, corr(a, b) AS agreement"
        " FROM audited",
    )
    said = []
    if doubts:
        by = ", ".join(f"{row['n']:,} {row['doubt']}" for row in doubts)
        said.append(f"text layers that are not trusted, so that the detector looked: {by}")
    if known["audited"]:
        ranks = ""
        if known["audited"] >= _ENOUGH and known["agreement"] is not None:
            ranks = f", rank correlation {known['agreement']:.3f}"
        said.append(
            f"of {known['pages']:,} pages with known text the detector counted"
            f" {known['audited']:,} as well: it finds {known['share']:.2f} of the characters{ranks}"
        )
    return said
