"""The report of a corpus of a million rows: how large, how fast made, how fast opened.

    python -m benchmarks.report_scale

Scores are drawn by chance and planned for real; the pictures of the sample are real photographs of
the demo inputs, cut to 900 x 600 px, which shards and folder hold under many names. The page is
made in a process of its own, whose peak memory counts, and opened from disk in Chromium without
network. Writes benchmarks/results/report_scale.json.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from filters.scores import SCORE_SCHEMA
from pipelines.config import CorpusConfig
from pipelines.planning import phases, tables
from pipelines.planning.job import Neighbourhood
from pipelines.report import accounting, page
from pipelines.sources import FolderSource
from pipelines.stages import plan
from pipelines.stages.units import UNIT_SCHEMA
from vae_corpus import storage
from vae_corpus.demo import demo_inputs
from vae_corpus.tables import INDEX_SCHEMA
from vae_corpus.tar import ShardWriter, Stored
from vae_corpus.words import Group

RESULTS = Path(__file__).parent / "results" / "report_scale.json"
PICTURES = 240
UNIT_ROWS = 100_000


def photographs(folder: Path) -> list[Path]:
    """Crops of the demo's photographs as JPEG files."""
    folder.mkdir(parents=True)
    found = sorted(p for f in demo_inputs().photo_folders for p in f.root.rglob("*.jpg"))
    made: list[Path] = []
    rng = np.random.default_rng(0)
    while len(made) < PICTURES:
        with Image.open(found[len(made) * 7 % len(found)]) as image:
            rgb = image.convert("RGB")
        rgb = rgb.resize((max(900, rgb.width), max(600, rgb.height)))
        x, y = int(rng.integers(rgb.width - 899)), int(rng.integers(rgb.height - 599))
        made.append(folder / f"{len(made):04d}.jpg")
        rgb.crop((x, y, x + 900, y + 600)).save(made[-1], quality=90)
    return made


def scores(rows: int, start: int, photos: list[Path], rng: np.random.Generator) -> pa.Table:
    """Score rows of every fate; a twentieth are pages of text, a fiftieth cannot be decoded."""
    numbers = np.arange(start, start + rows)
    sha = [hashlib.sha256(str(n).encode()).hexdigest() for n in numbers.tolist()]
    broken, text = rng.random(rows) < 0.02, rng.random(rows) < 0.05
    files = [str(photos[n % PICTURES]) for n in numbers.tolist()]
    side = np.where(~text & (rng.random(rows) < 0.1), 200, 600)

    def some(values: Any, dtype: Any = None) -> pa.Array:
        return pa.array(values, dtype or pa.float32(), mask=broken)

    chars = np.where(text, rng.uniform(400, 3000, rows), 0)
    columns: dict[str, Any] = {
        "key": [f"photos-{s[:16]}" for s in sha],
        "source": ["photos"] * rows,
        "unit": [f"unit{start:08d}"] * rows,
        "member": [f"{n // 1000:06d}/{n:09d}.jpg" for n in numbers.tolist()],
        "uri": files,
        "offset": np.zeros(rows, np.int64),
        "bytes": [200_000] * rows,
        "sha256": sha,
        "content": np.where(rng.random(rows) < 0.3, "document", "auto").tolist(),
        "format": some(["jpeg"] * rows, pa.string()),
        "width": some(np.full(rows, 900), pa.int32()),
        "height": some(side, pa.int32()),
        "colour_space": some(["srgb"] * rows, pa.string()),
        "colour_converted": some(np.zeros(rows, bool), pa.bool_()),
        "phash": some(rng.integers(0, 1 << 63, rows), pa.uint64()),
        "phash_fine": pa.array([rng.bytes(32) for _ in range(rows)], pa.binary(32)),
        "text_lines": [
            [
                {"x0": 20, "y0": 40 * n, "x1": 880, "y1": 40 * n + 20, "chars": c / 12}
                for n in range(12)
            ]
            if t
            else None
            for c, t in zip(chars.tolist(), text.tolist(), strict=True)
        ],
        "ink_cells": [[200] * (29 * 19) if t else None for t in text.tolist()],
        "slug": pa.array(["truncated"] * rows, mask=~broken),
        "why": pa.array(["the file ends in the middle of its pixels"] * rows, mask=~broken),
    }
    columns["content"] = np.where(text & (rng.random(rows) < 0.5), "document", "auto").tolist()
    for name in ("clarity", "blur", "compression", "noise"):
        columns[name] = some(rng.beta(3, 1.2, rows) if name == "clarity" else rng.random(rows))
    for name, values in (
        ("luma_mean", rng.uniform(0, 255, rows)),
        ("jpeg_quality", rng.integers(60, 100, rows)),
        ("chars_est", chars),
        ("chars_per_mpx", chars * 2),
        ("max_chars_per_256_tile", chars / 6),
    ):
        columns[name] = some(values)
    arrays = [
        columns[f.name].cast(f.type)
        if isinstance(columns.get(f.name), pa.Array)
        else pa.array(columns.get(f.name, [None] * rows), f.type)
        for f in SCORE_SCHEMA
    ]
    return pa.Table.from_arrays(arrays, schema=SCORE_SCHEMA)


def make_shards(out: str, folder: str, photos: list[Path]) -> list[str]:
    """Indexes of all shards of the plan; every sample lies in one of a few tars."""
    group = Group(kind="general", rung=512, bucket="512x512")
    tar = Path(out) / "shards" / "pictures.tar"
    tar.parent.mkdir(parents=True)
    with open(tar, "wb") as file:
        writer = ShardWriter(file, "shards/pictures")
        for n, path in enumerate(photos):
            writer.add(
                Stored(
                    **{"key": f"p-{n}", "ext": "jpg", "data": path.read_bytes(), "label": "{}"},
                    **{"width": 900, "height": 600, "group": group, "source": "p", "parent": "p"},
                )
            )
        places = writer.close().to_pylist()
    shards = pq.read_table(f"{folder}/{tables.SHARDS}")["shard"].to_pylist()
    selected = storage.dataset(tables.paths(folder, tables.SELECTED))
    rows: dict[str, list[dict[str, Any]]] = {}
    names = ["key", "shard", "kind", "rung", "bucket", "clarity", "chars_per_mpx", "tiles"]
    for batch in selected.to_batches(columns=names):
        for row in batch.to_pylist():
            mine = rows.setdefault(row["shard"], [])
            for n in range(len(row["tiles"] or [0])):
                place = places[(len(mine) + n) % PICTURES]
                known = {k: row[k] for k in ("kind", "rung", "bucket", "clarity", "chars_per_mpx")}
                mine.append({**place, **known, "key": f"{row['key']}-{n}", "parent": row["key"]})
    for shard, mine in rows.items():
        path = Path(out) / f"{shard}.parquet"
        path.parent.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.Table.from_pylist(mine, schema=INDEX_SCHEMA), path)
    return [str(shard) for shard in shards]


def group_counts(out: str, shards: list[str]) -> list[dict[str, Any]]:
    """Samples and bytes per group: these indexes name no recipe, so that no ledger knows them."""
    return storage.query(
        [storage.join(out, f"{shard}.parquet") for shard in shards],
        """
        SELECT kind, rung, bucket, language, size_band, density,
               count(*) AS samples, sum("bytes")::BIGINT AS "bytes"
        FROM stored GROUP BY ALL ORDER BY ALL
        """,
    )


def make(root: Path) -> None:
    """Make the page of the corpus in `root`, and print seconds and peak memory."""
    prepared = json.loads((root / "prepared.json").read_text())
    config = CorpusConfig.model_validate(prepared["config"])
    out, folder, shards = config.out, str(root / "plan"), prepared["shards"]
    start = time.monotonic()
    whole, notices = phases.make_curriculum(config.phases, config.seed, group_counts(out, shards))
    facts = {
        **{"seed": 0, "scores": "s", "plan": "p", "problems": [], "notices": notices},
        "quarantined": [],
        "images": accounting.count_images(folder) | {"passed_over": {}},
        "settings": config.model_dump(mode="json", exclude={"out", "engine"}),
    }
    counted = time.monotonic()
    subject = page.Subject(
        config=config,
        sources={source.name: source for source in config.sources},
        score_folder=str(root / "scores"),
        plan_folder=folder,
        shards=shards,
        facts=facts,
        curriculum=whole,
        versions={},
    )
    storage.commit_bytes(str(root / "index.html"), page.make_page(subject, "0" * 16).encode())
    end = time.monotonic()
    said = {"count_s": counted - start, "make_s": end - counted, "peak_bytes": _peak_bytes()}
    print(json.dumps(said))


def _peak_bytes() -> int:
    # Not of getrusage, whose peak is that of the parent where a large one starts this process.
    status = Path("/proc/self/status").read_text()
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) * 1024


def opened(path: Path) -> dict[str, float]:
    """Seconds until the page stands in Chromium, and between frames while a line is dragged."""
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path="/usr/bin/chromium", args=flags)
        context = browser.new_context(viewport={"width": 1400, "height": 1000}, offline=True)
        seconds = []
        for _ in range(3):
            shown = context.new_page()
            start = time.monotonic()
            shown.goto(path.as_uri())
            shown.evaluate(
                "new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)))"
            )
            seconds.append(time.monotonic() - start)
        shown.locator("#t-min_clarity").scroll_into_view_if_needed()
        step_ms = shown.evaluate(
            """async () => {
              const start = performance.now();
              for (let n = 0; n < 20; n++) {
                Trial.set("min_clarity", (50 + n) / 100);
                await new Promise(f => requestAnimationFrame(() => requestAnimationFrame(f)));
              }
              return (performance.now() - start) / 20;
            }"""
        )
        disagree = shown.evaluate("Trial.disagree")
        browser.close()
    assert disagree == 0, "the page decides otherwise than the plan"
    return {"open_s": min(seconds), "drag_step_ms": step_ms}


def prepare(root: Path, rows: int) -> None:
    photos = photographs(root / "photos")
    rng = np.random.default_rng(1)
    units = []
    for start in range(0, rows, UNIT_ROWS):
        table = scores(min(UNIT_ROWS, rows - start), start, photos, rng)
        units.append(f"unit{start:08d}")
        storage.commit_bytes(
            str(root / "scores" / f"{units[-1]}.parquet"), storage.table_bytes(table)
        )
    source = FolderSource(name="photos", type="folder", uri=str(root / "photos"))
    config = CorpusConfig(out=str(root / "corpus"), sources=(source,))
    ids = pa.Table.from_pylist([{"unit_id": unit} for unit in units], schema=UNIT_SCHEMA)
    path = str(root / "units" / "000.parquet")
    storage.commit_table(path, ids)
    whole = Neighbourhood(number=0, generation=0, units=path)
    plan.make_plan(
        plan.plan_job(config, str(root / "scores"), str(root / "plan"), [whole], ("photos",))
    )
    shards = make_shards(config.out, str(root / "plan"), photos)
    prepared = {"config": config.model_dump(mode="json"), "shards": shards}
    (root / "prepared.json").write_text(json.dumps(prepared))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.make:
        make(given.make)
        return
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        prepare(root, given.rows)
        command = [sys.executable, "-m", "benchmarks.report_scale", "--make", str(root)]
        done = subprocess.run(command, check=True, capture_output=True, text=True)
        found = json.loads(done.stdout.splitlines()[-1])
        path = root / "index.html"
        result = {"rows": given.rows, "page_bytes": path.stat().st_size, **found, **opened(path)}
        result |= {"cpus": os.cpu_count(), "load": os.getloadavg()[0]}
    RESULTS.write_text(json.dumps(result, indent=1) + "\n")
    print(json.dumps(result, indent=1))


if __name__ == "__main__":
    main()
