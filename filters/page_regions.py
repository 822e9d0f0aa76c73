"""Page regions: where a rendered page holds figures, tables and formulas, as its renderer tells."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from vae_corpus.score_types import Column, Look, Score, always

# Raised when the same page would give other regions.
VERSION = "1"

_REGION = pa.struct(
    [("kind", pa.string()), *((side, pa.int32()) for side in ("x0", "y0", "x1", "y1"))]
)

SCORE = Score(
    name="page_regions",
    columns=(
        Column(
            name="page_regions",
            type=pa.list_(_REGION),
            meaning="figure, table and formula, and the box of each in px; rendered pages only",
            carried=False,
        ),
        Column(
            name="page_doubt",
            type=pa.string(),
            meaning="why the text layer of a page is not trusted: unmapped, off_page, unseen or"
            " implausible; then its text is looked for in the pixels",
        ),
    ),
    prepare=always(VERSION, lambda look: page_regions(look)),
)


def page_regions(look: Look) -> dict[str, Any]:
    """`page_regions` and `page_doubt` of a rendered page; None of any other picture."""
    if look.known is None:
        return {}
    height, width = look.rgb.shape[:2]
    regions = []
    for kind, (left, top, right, bottom) in look.known.regions:
        box = {
            "x0": max(0, round(left)),
            "y0": max(0, round(top)),
            "x1": min(width, round(right)),
            "y1": min(height, round(bottom)),
        }
        if box["x0"] < box["x1"] and box["y0"] < box["y1"]:
            regions.append({"kind": kind, **box})
    return {"page_regions": regions, "page_doubt": look.known.doubt}
