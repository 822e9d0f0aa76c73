"""What it costs to cut the tiles of text in the plan, and to hash what shards will hold.

    git worktree add /tmp/before ea5615c
    python benchmarks/tiles_speed.py --before /tmp/before

Pages are made up: those of `plan_cost.py` (600 x 450 px, 30 lines), pages of A4 at 100 dpi with a
line a row or with words as renderers tell them, with ink, marks and figures, photographs with a few
signs, and scans of 6 Mpx. The older checkout does the same rows as its plan does, row by row, in a
process of its own. Microseconds of CPU a row, one thread, the best of three passes; also how long a
first call takes while nothing is compiled yet, and later from the cache.
Writes benchmarks/results/tiles_speed.json.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.scores import SCORE_SCHEMA
from pipelines.config import PackSettings
from pipelines.planning.settings import PlanSettings

_RESULTS = Path(__file__).parent / "results" / "tiles_speed.json"
_NAMES = ("sha256", "width", "height", "text_lines", "ink_cells", "page_regions", "text_marks")
_ROWS = pa.schema([*(SCORE_SCHEMA.field(n) for n in _NAMES), ("rung", pa.int32())])
_SHARD_ROWS = 4_000
# Width, height, rung, px from line to line, words in a line (0: one box), figures, rows.
_KINDS = {
    "600 x 450, 30 lines": (600, 450, 256, 15, 0, False, 4_000),
    "827 x 1169, lines": (827, 1169, 256, 19, 0, False, 1_000),
    "827 x 1169, words, marks, figures": (827, 1169, 256, 19, 9, True, 1_000),
    "827 x 1169, words, marks, figures, rung 512": (827, 1169, 512, 19, 9, True, 1_000),
    "1600 x 1200, 5 signs": (1600, 1200, 1024, 220, 0, False, 1_000),
    "2067 x 2923, words, marks, figures": (2067, 2923, 256, 40, 9, True, 200),
}


def pages(kind: str) -> pa.Table:
    width, height, rung, pitch, words, rich, rows = _KINDS[kind]
    return pa.Table.from_pylist(
        [_page(n, width, height, rung, pitch, words, rich) for n in range(rows)], _ROWS
    )


def _page(
    n: int, width: int, height: int, rung: int, pitch: int, words: int, rich: bool
) -> dict[str, Any]:
    rng = np.random.default_rng(n)
    boxes = []
    for top in range(2 + n % 40, height - pitch, pitch):
        if not words:
            boxes.append((20, top, width - 20 - int(rng.integers(60)), top + pitch * 2 // 3, 20.0))
        left = 40
        for size in rng.integers(2, 12, words).tolist():
            right = left + size * pitch // 2
            if right < width - 40:
                boxes.append((left, top, right, top + pitch * 2 // 3, float(size)))
            left = right + pitch // 3
    names = ("x0", "y0", "x1", "y1", "chars")
    cells = -(-width // 32) * -(-height // 32)
    figure = {"kind": "figure", "x0": 60, "y0": 300, "x1": width // 2, "y1": height // 2}
    spots = rng.integers(0, [width, height, 1 << 32], (int(sum(b[4] for b in boxes)) // 4, 3))
    return {
        "sha256": hashlib.sha256(str(n).encode()).hexdigest(),
        **{"width": width, "height": height, "rung": rung},
        "text_lines": [dict(zip(names, box, strict=True)) for box in boxes],
        "ink_cells": rng.integers(0, 256, cells).tolist() if rich else None,
        "page_regions": [figure] if rich else None,
        "text_marks": [dict(zip(("x", "y", "hash"), spot, strict=True)) for spot in spots.tolist()]
        if rich
        else None,
    }


def selected(rows: int) -> pa.Table:
    """Rows as the plan selects them, half of them with tiles."""
    from pipelines.planning.shards import PACKED

    tile = {"x": 1, "y": 2, "width": 256, "height": 256, "chars": 99.0, "density": "rest"}
    told = {"width": 900, "height": 600, "rung": 256, "colour_converted": False, "jpeg_quality": 90}
    made: list[dict[str, Any]] = []
    for n in range(rows):
        sha = hashlib.sha256(str(n).encode()).hexdigest()
        text = n // _SHARD_ROWS % 2 == 1
        own = {"key": f"a-{sha[:16]}", "source": "a", "member": f"{n}.jpg", "sha256": sha}
        row = dict.fromkeys(PACKED) | told | own | {"clarity": n / rows, "format": "jpeg"}
        row |= {"kind": "document" if text else "general", "bucket": "256x256", "ext": "png"}
        tiles = [tile | {"x": n + i} for i in range(6)] if text else None
        made.append(row | {"tiles": tiles, "shard": f"shards/{n // _SHARD_ROWS:06d}"})
    return pa.Table.from_pylist(made)


def _old_tiles(table: pa.Table) -> pa.Table:
    """As the body of `_text_tiles` of the older plan."""
    from pipelines.planning import place

    plan: Any = place
    settings = PlanSettings()
    parts = []
    for batch in table.append_column("id", pa.array(range(len(table)))).to_batches():
        plain = batch.drop_columns(["text_lines", "text_marks"]).to_pylist()
        lines = plan._structs(batch["text_lines"], plan._LINE, np.float32)
        marks = plan._structs(batch["text_marks"], plan._MARK, np.int64)
        for row, row_lines, row_marks in zip(plain, lines, marks, strict=True):
            row |= {"text_lines": row_lines, "text_marks": row_marks}
        tiled = [plan._tile_row(row, settings, 0) for row in plain]
        parts.append(pa.RecordBatch.from_pylist(tiled, schema=plan._TEXT_SCHEMA))
    return pa.Table.from_batches(parts).drop_columns(["id"])


def _new_tiles(table: pa.Table) -> pa.Table:
    from pipelines.planning.tiles import cut_tiles

    return pa.Table.from_batches([cut_tiles(table, PlanSettings(), 0)])


def _old_recipes(table: pa.Table) -> None:
    from pipelines.planning import shards

    plan: Any = shards
    recipes = plan.Recipes(PackSettings(), 0)
    for batch in table.to_batches():
        recipes.add(batch)


def _new_recipes(table: pa.Table) -> None:
    from pipelines.planning.recipes import shard_recipe

    for first in range(0, len(table), _SHARD_ROWS):
        shard_recipe(b"base", table.slice(first, _SHARD_ROWS))


def _us_a_row(work: Callable[[pa.Table], object], table: pa.Table) -> float:
    spent = []
    for _ in range(3):
        start = time.process_time()
        work(table)
        spent.append(time.process_time() - start)
    return round(min(spent) * 1e6 / len(table), 2)


def measure(folder: Path, old: bool) -> dict[str, Any]:
    """Of one checkout; what it cuts is left in the folder."""
    tiles, recipes = (_old_tiles, _old_recipes) if old else (_new_tiles, _new_recipes)
    first = pq.read_table(folder / "0.parquet").slice(0, 1)
    start = time.process_time()
    tiles(first)
    told: dict[str, Any] = {"first_call_s": round(time.process_time() - start, 2), "us": {}}
    for n, kind in enumerate(_KINDS):
        table = pq.read_table(folder / f"{n}.parquet")
        pq.write_table(tiles(table), folder / f"{n}-{'old' if old else 'new'}.parquet")
        told["us"][kind] = _us_a_row(tiles, table)
    told["recipe_us"] = _us_a_row(recipes, pq.read_table(folder / "selected.parquet"))
    return told


def _in(checkout: Path, folder: Path, cache: str, *more: str) -> dict[str, Any]:
    # Only the measured modules come from the checkout; made-up pages are read from files.
    env = os.environ | {"PYTHONPATH": str(checkout), "NUMBA_CACHE_DIR": str(folder / cache)}
    command = [sys.executable, __file__, "--only", str(folder), *more]
    done = subprocess.run(command, env=env, check=True, capture_output=True, text=True)
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="an older checkout, of commit ea5615c")
    parser.add_argument("--only", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--old", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    pa.set_cpu_count(1)
    if given.only:
        print(json.dumps(measure(given.only, given.old)))
        return 0
    if given.before is None:
        parser.error("--before is missing: git worktree add /tmp/before ea5615c")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for n, kind in enumerate(_KINDS):
            pq.write_table(pages(kind), folder / f"{n}.parquet")
        pq.write_table(selected(10 * _SHARD_ROWS), folder / "selected.parquet")
        here = Path(__file__).parents[1]
        old = _in(given.before, folder, "old", "--old")
        new = _in(here, folder, "new")
        again = _in(here, folder, "new")
        for n, kind in enumerate(_KINDS):
            ours, theirs = (pq.read_table(folder / f"{n}-{way}.parquet") for way in ("new", "old"))
            if ours.to_pylist() != theirs.to_pylist():
                raise SystemExit(f"{kind}: the tiles are not the same")
    result = {
        "run": {
            "date": datetime.date.today().isoformat(),
            "device": f"{platform.machine()}, {os.cpu_count()} cores",
            "command": "python benchmarks/tiles_speed.py --before (checkout of ea5615c)",
        },
        "us_of_cpu_a_page": {
            kind: {"old": old["us"][kind], "new": min(new["us"][kind], again["us"][kind])}
            for kind in _KINDS
        },
        "us_of_cpu_a_row_of_recipes": {"old": old["recipe_us"], "new": new["recipe_us"]},
        "first_call_s": {
            "old, nothing compiled": old["first_call_s"],
            "new, nothing compiled": new["first_call_s"],
            "new, from the cache": again["first_call_s"],
        },
    }
    print(json.dumps(result, indent=1))
    _RESULTS.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
