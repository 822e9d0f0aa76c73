"""What the page carries: the sample as columns, its pictures as base64 behind one another."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from filters.scores import COLUMNS
from pipelines.planning import rules
from pipelines.report.pictures import Shot
from vae_corpus.tables import PICTURE_COLUMNS

# Few values over many rows: each is a number into a list.
_CODED = (
    *("fate", "slug", "kind", "source", "content", "format", "colour_space", "decode_note"),
    *("script", "bucket", "language", "size_band", "shard", "uri", "why"),
)
_PLAIN = (
    *("stratum", "place", "key", "member", "offset", "bytes", "width", "height", "rung", "side"),
    *("colour_converted", "duplicate_of"),
    *(column.name for column in COLUMNS if column.sql),
)
# What is drawn, and what the rules ask for.
_FLOATS = tuple(
    c.name
    for c in (*PICTURE_COLUMNS, *COLUMNS)
    if not c.sql and (c.title or c.name in rules.COLUMNS) and c.name not in (*_CODED, *_PLAIN)
)
_LONGEST = 400
SORTS = ("thumbnail", "detail", "whole")


def columns(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The rows by column; a column of few values is `{"values": [...], "codes": [...]}`."""
    found: dict[str, Any] = {}
    for name in _CODED:
        values = [_cut(row.get(name)) for row in rows]
        known = sorted({v for v in values if v is not None})
        code = {value: i for i, value in enumerate(known)}
        found[name] = {"values": known, "codes": [-1 if v is None else code[v] for v in values]}
    for name in _PLAIN:
        found[name] = [row.get(name) for row in rows]
    for name in _FLOATS:
        found[name] = [_short(row.get(name)) for row in rows]
    # Rejected images have no side: they were not decoded.
    found["long_side"] = [
        None if row.get("side") is None else max(row["width"], row["height"]) for row in rows
    ]
    found["samples"] = [None if row.get("tiles") is None else len(row["tiles"]) for row in rows]
    return found


def _cut(value: str | None) -> str | None:
    """Some reasons quote a file at length: their beginning says it."""
    return value if value is None or len(value) <= _LONGEST else value[: _LONGEST - 1] + "…"


def _short(value: float | None) -> float | None:
    """A 32-bit float in as few digits as name it."""
    if value is None or not math.isfinite(value):
        return None
    return float(str(np.float32(value)))


def pictures(shots: Mapping[int, Shot]) -> tuple[dict[str, Any], dict[str, str]]:
    """(places, texts): of each sort `{row: [start, end]}` in the base64 text of that sort."""
    places: dict[str, Any] = {}
    texts: dict[str, str] = {}
    for sort in SORTS:
        parts: list[str] = []
        at, place = 0, {}
        for row in sorted(shots):
            data = getattr(shots[row], sort)
            if data:
                text = base64.b64encode(data).decode()
                place[row] = [at, at + len(text)]
                parts.append(text)
                at += len(text)
        places[sort], texts[sort] = place, "".join(parts)
    places["sizes"] = {
        row: [shot.width, shot.height, *shot.detail_at]
        for row, shot in sorted(shots.items())
        if shot.detail
    }
    return places, texts
