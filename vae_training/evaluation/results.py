"""What an evaluation found: means with intervals, differences, and the three files of them."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import pyarrow as pa

from vae_corpus.storage import commit_bytes, commit_table
from vae_training.evaluation.lines import LineRow
from vae_training.evaluation.measure import Row
from vae_training.metrics.intervals import Interval, mean_interval, paired_difference
from vae_training.metrics.psnr import told
from vae_training.metrics.similarity import bounded_psnr

PER_PICTURE = ("psnr", "ssim", "lpips", "ned")
_DIGITS = {"psnr": 2, "ssim": 4, "lpips": 4, "fid": 2, "ned": 4}
TITLES = {
    "psnr": "PSNR (dB) ^",
    "ssim": "SSIM ^",
    "lpips": "LPIPS v",
    "fid": "FID v",
    "ned": "NED ^",
}


def _columns(of: type) -> pa.Schema:
    kinds = {"int": pa.int32(), "float": pa.float64()}
    named = ((f.name, str(f.type).split(" ")[0]) for f in dataclasses.fields(of))
    return pa.schema([pa.field(name, kinds.get(kind, pa.string())) for name, kind in named])


_COLUMNS, _LINE_COLUMNS = _columns(Row), _columns(LineRow)


def summary(rows: Sequence[Row], metrics: Sequence[str], *, seed: int) -> dict[str, Any]:
    """Counts and, per metric that any picture has, mean and interval; rows of one set and model."""
    measured = [row for row in rows if not row.slug]
    found: dict[str, Any] = {
        "pictures": len(rows),
        "measured": len(measured),
        "slugs": dict(sorted(Counter(row.slug for row in rows if row.slug).items())),
        "metrics": {},
    }
    for metric in PER_PICTURE:
        values = [v for row in measured if (v := getattr(row, metric)) is not None]
        if metric not in metrics or not values:
            continue
        told_of = _interval(mean_interval(values, seed=seed))
        if metric == "psnr":
            told_of["exact"] = sum(math.isinf(value) for value in values)
            told_of["mean_bounded"] = sum(map(bounded_psnr, values)) / len(values)
        found["metrics"][metric] = told_of
    if any(row.chars is not None for row in measured):
        found["without_text"] = sum(row.chars == 0 for row in measured)
    return found


def differences(
    rows: Mapping[str, Sequence[Row]], metrics: Sequence[str], *, seed: int
) -> list[dict[str, Any]]:
    """Paired differences a - b of all models of one set, per metric; FID has no pairs."""
    found = []
    for a, b in combinations(rows, 2):
        by_name = {row.name: row for row in rows[b]}
        pairs = [(row, by_name[row.name]) for row in rows[a] if row.name in by_name]
        for metric in PER_PICTURE:
            values = [(getattr(x, metric), getattr(y, metric)) for x, y in pairs]
            both = [(x, y) for x, y in values if x is not None and y is not None]
            # Infinity less infinity is no number; such pairs are left out, and counted.
            finite = [(x, y) for x, y in both if math.isfinite(x) and math.isfinite(y)]
            if metric not in metrics or not both:
                continue
            interval = paired_difference([x for x, _ in finite], [y for _, y in finite], seed=seed)
            entry = {"a": a, "b": b, "metric": metric, **_interval(interval)}
            found.append({**entry, "infinite": len(both) - len(finite)})
    return found


def write(
    out: Path, results: Mapping[str, Any], rows: Sequence[Row], lines: Sequence[LineRow]
) -> list[Path]:
    """results.json, images.parquet and table.md below `out`, and lines.parquet where there are."""
    out.mkdir(parents=True, exist_ok=True)
    paths = [out / name for name in ("results.json", "images.parquet", "table.md")]
    if lines:
        paths.append(out / "lines.parquet")
        commit_table(str(paths[3]), pa.Table.from_pylist([vars(x) for x in lines], _LINE_COLUMNS))
    else:
        (out / "lines.parquet").unlink(missing_ok=True)
    text = json.dumps(results, indent=1, ensure_ascii=False, allow_nan=False)
    commit_table(str(paths[1]), pa.Table.from_pylist([vars(row) for row in rows], _COLUMNS))
    commit_bytes(str(paths[2]), markdown(results).encode())
    commit_bytes(str(paths[0]), text.encode())  # last: it says that all is there
    return paths


def table(results: Mapping[str, Any]) -> list[list[str]]:
    """Cells of the table for people, its head first: a line per set and model."""
    metrics = [m for m in TITLES if any(m in x["metrics"] for _, _, x in _entries(results))]
    lines = [["set", "model", "pictures", *(TITLES[m] for m in metrics)]]
    for name, model, found in _entries(results):
        cells = [cell(metric, found["metrics"].get(metric)) for metric in metrics]
        lines.append([name, model, f"{found['measured']} of {found['pictures']}", *cells])
    return lines


def markdown(results: Mapping[str, Any]) -> str:
    """The table in Markdown, with what was left out below it."""
    head, *lines = [[cell.replace("|", "\\|") for cell in line] for line in table(results)]
    head = [cell.replace(" ^", " \u2191").replace(" v", " \u2193") for cell in head]
    made = [head, ["---"] * 2 + ["---:"] * (len(head) - 2), *lines]
    text = "\n".join(f"| {' | '.join(line)} |" for line in made)
    notes = [f"- {metric} was left out: {why}" for metric, why in results["left_out"].items()]
    parts = [text, by_size(results), "\n".join(notes)]
    return "\n\n".join(part for part in parts if part) + "\n"


def by_size(results: Mapping[str, Any]) -> str:
    """NED by size of type and language in Markdown, a table per set; empty without labels."""
    tables = []
    for name, part in results["sets"].items():
        for unit in ("lines", "pictures"):
            columns: dict[str, dict[tuple[str, float], str]] = {}
            for model, found in part["models"].items():
                for entry in found.get("breakdown", {}).get(unit, []):
                    if entry["axis"] == "size_px" and entry["language"] and entry["ned"]:
                        place = (entry["language"], entry["low"])
                        columns.setdefault(model, {})[place] = f"{entry['ned']['mean']:.3f}"
            places = sorted({place for column in columns.values() for place in column})
            if not places:
                continue
            models = [model.replace("|", "\\|") for model in columns]
            head = [f"NED of {unit}, {name}", "from px", *models]
            rows = [
                [language, f"{low:g}", *(c.get((language, low), "-") for c in columns.values())]
                for language, low in places
            ]
            marks = ["---", *["---:"] * (len(head) - 1)]
            tables.append("\n".join(f"| {' | '.join(line)} |" for line in [head, marks, *rows]))
    return "\n\n".join(tables)


def oddities(models: Mapping[str, Any]) -> list[str]:
    """What a reader of the means must know besides; what holds for several models is said once."""
    said: dict[str, list[str]] = {}
    for model, found in models.items():
        if found["slugs"]:
            named = ", ".join(f"{count} {slug}" for slug, count in found["slugs"].items())
            line = f"not measured: {named} (columns slug and why of images.parquet)"
            said.setdefault(line, []).append(model)
        if found.get("without_text"):
            line = f"no text in {found['without_text']} originals, left out of NED"
            said.setdefault(line, []).append(model)
        if found["metrics"].get("fid", {}).get("fewer_pictures_than_features"):
            pictures = found["metrics"]["fid"]["pictures"]
            line = f"FID of {pictures} pictures is far too high: compare models on these alone"
            said.setdefault(line, []).append(model)
    everyone = list(models)
    return [line if who == everyone else f"{', '.join(who)}: {line}" for line, who in said.items()]


def _entries(results: Mapping[str, Any]) -> list[tuple[str, str, Mapping[str, Any]]]:
    return [
        (name, model, found)
        for name, part in results["sets"].items()
        for model, found in part["models"].items()
    ]


def cell(metric: str, found: Mapping[str, Any] | None) -> str:
    """A mean, and its interval where there is one."""
    if found is None:
        return "-"
    digits = _DIGITS[metric]
    if metric == "psnr":
        count = found["pictures"] + found["exact"]
        text = told(found["mean"], found["exact"], count)
    else:
        text = f"{found['mean']:.{digits}f}"
    if found.get("low") is None:
        return text
    return f"{text} [{found['low']:.{digits}f}, {found['high']:.{digits}f}]"


def _interval(found: Interval | None) -> dict[str, Any]:
    """As JSON has it: None where no picture has a finite value."""
    if found is None:
        return {"mean": None, "low": None, "high": None, "pictures": 0}
    return dataclasses.asdict(found)
