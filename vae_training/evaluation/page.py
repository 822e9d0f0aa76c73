"""`index.html` beside the results: every picture next to what each model made of it.

One file without requests to anywhere; the pictures stay files, named by paths relative to it. It
holds what results.json and images.parquet hold, so that it opens from disk.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from vae_corpus.self_contained import asset, embedded, templates
from vae_corpus.storage import commit_bytes
from vae_training.evaluation.breakdown import MEASURES
from vae_training.evaluation.conventions import CONVENTIONS
from vae_training.evaluation.curves import draw
from vae_training.evaluation.measure import Row
from vae_training.evaluation.results import PER_PICTURE, TITLES, cell, oddities

_NAME = "index.html"
_PACKAGE = "vae_training.evaluation"
_SCRIPTS = ("base.js", "texts.js", "tables.js", "zoom.js", "row.js", "rows.js", "main.js")


def write(out: Path, results: Mapping[str, Any], rows: Sequence[Row]) -> Path:
    """Write the page below `out`, for an evaluation that lies there."""
    out.mkdir(parents=True, exist_ok=True)
    path = out / _NAME
    commit_bytes(str(path), page(out, results, rows).encode("utf-8", "replace"))
    return path


def page(out: Path, results: Mapping[str, Any], rows: Sequence[Row]) -> str:
    """The page as HTML, with paths relative to `out`."""
    sets = [
        {
            "name": name,
            "about": part["preparation"],
            "notes": oddities(part["models"]),
            "differences": [x for x in results["differences"] if x["set"] == name],
            "models": [_model(model, found) for model, found in part["models"].items()],
            **_columns(out, [row for row in rows if row.set == name]),
        }
        for name, part in results["sets"].items()
    ]
    seen = {m for part in sets for model in part["models"] for m in model["cells"]}
    metrics = [
        {
            "name": m,
            "title": title[:-2],
            "better": 1 if title.endswith("^") else -1,
            "about": CONVENTIONS[m],
            "perPicture": m in PER_PICTURE,
        }
        for m, title in TITLES.items()
        if m in seen
    ]
    return (
        _templates()
        .get_template("page.html")
        .render(
            style=asset(_PACKAGE, "page.css"),
            script="\n".join(asset(_PACKAGE, name) for name in _SCRIPTS),
            left_out=results["left_out"],
            device=results["device"],
            engine=results.get("ocr", {}).get("engine"),
            curves={name: svg for name, part in results["sets"].items() if (svg := draw(part))},
            measures=MEASURES,
            data=embedded({"metrics": metrics, "sets": sets}),
        )
    )


def _model(name: str, found: Mapping[str, Any]) -> dict[str, Any]:
    """A line of the table: `cells` to read and `values` to sort by."""
    metrics = found["metrics"]
    return {
        "name": name,
        "measured": found["measured"],
        "pictures": found["pictures"],
        "cells": {m: cell(m, metrics[m]) for m in TITLES if m in metrics},
        "values": {m: _value(metrics[m]) for m in TITLES if m in metrics},
    }


def _value(found: Mapping[str, Any]) -> float | str | None:
    """A mean; where all pictures came back as they were, PSNR is beyond every number."""
    return "inf" if found["mean"] is None and found.get("exact") else found["mean"]


def _columns(out: Path, rows: Sequence[Row]) -> dict[str, Any]:
    """Names, sizes, originals and their texts in one order, and `made` by model in the same one."""
    names = {name: i for i, name in enumerate(dict.fromkeys(row.name for row in rows))}
    found: dict[str, Any] = {"names": list(names), "made": {}}
    for column in ("sizes", "originals", "texts"):
        found[column] = [None] * len(names)
    for row in rows:
        made = found["made"].setdefault(row.model, [None] * len(names))
        i = names[row.name]
        if row.width is not None:
            found["sizes"][i] = [row.width, row.height]
        if row.reference:
            found["originals"][i] = _address(out, row.reference)
        if row.reference_text:
            found["texts"][i] = row.reference_text
        made[i] = _made(out, row)
    return found


def _made(out: Path, row: Row) -> dict[str, Any]:
    """What is known of one reconstruction; what is not is not there."""
    values = {metric: getattr(row, metric) for metric in PER_PICTURE}
    entry: dict[str, Any] = {m: _finite(v) for m, v in values.items() if v is not None}
    if row.reconstruction:
        entry["src"] = _address(out, row.reconstruction)
    if row.slug:
        entry |= {"slug": row.slug, "why": row.why}
    # A text that came back whole is not written twice.
    if row.reference_text and row.reconstruction_text != row.reference_text:
        entry["text"] = row.reconstruction_text
    return entry


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else "inf"


def _address(out: Path, path: str) -> str:
    """Relative to the page and quoted: names may hold # ? % and letters of all scripts."""
    relative = os.path.relpath(os.path.abspath(path), os.path.abspath(out))
    return quote(os.fsencode(Path(relative).as_posix()))


@functools.cache
def _templates() -> jinja2.Environment:
    return templates(_PACKAGE)
