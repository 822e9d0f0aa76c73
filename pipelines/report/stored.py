"""Where the rows of the sample lie in their shards, and what the labels there say."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pyarrow.compute as pc

from vae_corpus import storage
from vae_corpus.words import TEXT_SYNTH

_AT_ONCE = 16
_COLUMNS = ["key", "parent", "shard", "offset", "bytes", "json_offset", "json_bytes"]
_COLUMNS += ["width", "height", "chars_per_mpx"]


def find_stored(out: str, rows: Sequence[dict[str, Any]], wanted: Iterable[int]) -> None:
    """Give every wanted row that was kept its place as `stored`: of text, the fullest tile."""
    by_shard: dict[str, dict[str, int]] = {}
    for i in wanted:
        row = rows[i]
        if row["fate"] != "selected":
            continue
        if row["kind"] == TEXT_SYNTH:
            row["stored"] = row
        else:
            by_shard.setdefault(row["shard"], {})[row["key"]] = i

    def look(shard: str) -> list[dict[str, Any]]:
        data = storage.dataset([storage.join(out, f"{shard}.parquet")])
        keys = list(by_shard[shard])
        found: list[dict[str, Any]] = data.to_table(
            columns=_COLUMNS, filter=pc.field("parent").isin(keys)
        ).to_pylist()
        return found

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        for shard, found in zip(by_shard, pool.map(look, by_shard), strict=True):
            for place in sorted(found, key=lambda p: (-(p["chars_per_mpx"] or 0.0), p["key"])):
                rows[by_shard[shard][place["parent"]]].setdefault("stored", place)


def characters(out: str, row: Mapping[str, Any], inside_px: int) -> list[list[Any]]:
    """The lines of a rendered page, `[text, em in px, [char, x0, y0, x1, y1], ...]` each.

    Only lines that begin within `inside_px` from the top left, because no more is shown.
    """
    path = storage.join(out, row["shard"])
    label = json.loads(storage.read_bytes(path, row["json_offset"], row["json_bytes"]))
    lines = []
    for line in label["lines"]:
        x0, y0, *_ = line["box"]
        if x0 >= inside_px or y0 >= inside_px:
            continue
        boxed = zip(line["text"], line["boxes"], strict=True)
        chars = [[char, x0, y0, x1, y1] for char, (x0, y0, x1, y1) in boxed if x0 < x1]
        lines.append([line["text"], line["size_px"], *chars])
    return lines


def find_boxes(
    score_folder: str, rows: Sequence[Mapping[str, Any]], wanted: Iterable[int]
) -> dict[int, list[list[int]]]:
    """Lines of text of these rows `[x, y, width, height, characters]`, where they were measured."""
    by_unit: dict[str, dict[str, list[int]]] = {}
    for i in wanted:
        by_unit.setdefault(rows[i]["unit"], {}).setdefault(rows[i]["key"], []).append(i)
    boxes: dict[int, list[list[int]]] = {}
    for unit, keys in sorted(by_unit.items()):
        data = storage.dataset([storage.join(score_folder, f"{unit}.parquet")])
        table = data.to_table(
            columns=["key", "text_lines"], filter=pc.field("key").isin(list(keys))
        )
        for found in table.to_pylist():
            if found["text_lines"] is not None:
                for i in keys[found["key"]]:
                    boxes[i] = [
                        [b["x0"], b["y0"], b["x1"] - b["x0"], b["y1"] - b["y0"], round(b["chars"])]
                        for b in found["text_lines"]
                    ]
    return boxes
