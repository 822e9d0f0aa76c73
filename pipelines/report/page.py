"""`report/index.html`: one page with the counts, the shards, the curriculum and the sheets."""

from __future__ import annotations

import html
from collections.abc import Sequence
from typing import Any

_GROUP = ("kind", "rung", "bucket", "language", "size_band", "density")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 1640px; margin: 2rem auto; padding: 0 1rem;
  color: #222; background: #fff }
table { border-collapse: collapse; margin: 0 0 1.5rem }
caption { text-align: left; font-weight: 600 }
td, th { padding: .2rem .8rem; border-bottom: 1px solid #ddd; text-align: left }
td.number { text-align: right; font-variant-numeric: tabular-nums }
img { max-width: 100%; border: 1px solid #ddd } code { background: #f3f3f3; padding: 0 .2rem }
.tables { display: flex; flex-wrap: wrap; gap: 3rem; align-items: flex-start }
"""


def report_page(
    facts: dict[str, Any], curriculum: dict[str, Any], sheets: Sequence[tuple[str, str]]
) -> str:
    """The page as HTML. `sheets` are (kind, file name beside the page)."""
    counts = facts["images"]
    fates = [("listed", "", counts["listed"])]
    for fate in ("rejected", "dropped", "selected"):
        fates += [(fate, reason, count) for reason, count in counts[fate].items()]
    fates += [("tiles left out", *pair) for pair in counts["tiles_left_out"].items()]
    fates += [("not images, in tars", *pair) for pair in counts["passed_over"].items()]
    shards = [(*(g[name] or "" for name in _GROUP), g["samples"]) for g in curriculum["groups"]]
    phases = [
        (p["name"], p["samples"], _weights(p["rungs"]), _weights(p["kinds"]), _weights(p["align"]))
        for p in curriculum["phases"]
    ]
    parts = [
        "<h1>Corpus report</h1>",
        f"<p>Seed {facts['seed']}, scores <code>{facts['scores']}</code>,"
        f" plan <code>{facts['plan']}</code>.</p>",
        "".join(f"<p><b>Problem:</b> {html.escape(said)}.</p>" for said in facts["problems"]),
        "".join(f"<p>Note: {html.escape(notice)}.</p>" for notice in facts["notices"]),
        '<div class="tables">',
        _table("Where every listed image went", ("fate", "why / kind", "images"), fates),
        _table("Curriculum", ("phase", "samples", "rungs", "kinds", "alignment"), phases),
        "</div>",
        *(
            f'<h2>{kind}</h2><img src="{name}" alt="contact sheet of {kind}">'
            for kind, name in sheets
        ),
        _table("Groups", (*_GROUP, "samples"), shards),
    ]
    return (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Corpus report</title>'
        f"<style>{_STYLE}</style><body>{''.join(parts)}</body></html>\n"
    )


def _weights(weights: dict[str, Any]) -> str:
    def one(value: Any) -> str:
        return (
            " to ".join(f"{v:g}" for v in value)
            if isinstance(value, list | tuple)
            else f"{value:g}"
        )

    return ", ".join(f"{name} {one(value)}" for name, value in weights.items())


def _table(caption: str, head: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    def cell(value: Any) -> str:
        if isinstance(value, int):
            return f'<td class="number">{value:,}</td>'
        return f"<td>{html.escape(str(value))}</td>"

    headings = "".join(f"<th>{html.escape(name)}</th>" for name in head)
    body = "".join(f"<tr>{''.join(cell(value) for value in row)}</tr>" for row in rows)
    return f"<table><caption>{caption}</caption><tr>{headings}</tr>{body}</table>"
