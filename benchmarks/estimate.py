"""Compare an estimate with the truth: a corpus of pictures made in code, and the demo.

The truth is a whole build in one process: what passes every rule of the plan, and the CPU time of
each stage. Run: python benchmarks/estimate.py --out benchmarks/results/estimate.json
"""

from __future__ import annotations

import argparse
import json
import sys
import tarfile
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path[0] = str(Path(__file__).resolve().parents[1])

from filters.scores import SCORE_SCHEMA  # noqa: E402
from pipelines.build import build  # noqa: E402
from pipelines.config import CorpusConfig  # noqa: E402
from pipelines.demo.config import with_demo_inputs  # noqa: E402
from pipelines.estimates import strata as whole  # noqa: E402
from pipelines.estimates.piles import list_files  # noqa: E402
from pipelines.estimates.run import estimate  # noqa: E402
from pipelines.estimates.sampling import Drawn, plan_draws, read_pieces  # noqa: E402
from pipelines.report.console import Console  # noqa: E402
from pipelines.stages import plan  # noqa: E402
from tests.pictures import jpeg, page, scene  # noqa: E402
from vae_corpus import storage  # noqa: E402

_TARS = 40
# How often the sample is drawn anew from the true scores, to count how many intervals hold.
_REPEATS = 100


def pictures(count: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Names and bytes: half sharp, the others blurred, too small, pages of text or broken."""
    rng = np.random.default_rng(seed)
    for number in range(count):
        width, height = (int(n) for n in rng.integers(260, 360, 2))
        kind = rng.choice(
            ["sharp", "blurred", "small", "page", "broken"], p=[0.5, 0.15, 0.1, 0.2, 0.05]
        )
        rgb = scene(width, height, seed * 1_000_000 + number)
        if kind == "page":
            rgb = page(width, height, seed * 1_000_000 + number, int(rng.integers(9, 14)))
        elif kind == "blurred":
            rgb = cv2.GaussianBlur(rgb, (0, 0), float(rng.uniform(3, 9)))
        elif kind == "small":
            rgb = np.ascontiguousarray(rgb[:200, :240])
        data = jpeg(rgb, int(rng.integers(70, 96)))
        if kind == "broken":
            data = data[: int(len(data) * rng.uniform(0.1, 0.9))]
        yield f"{kind}/{number:06d}.jpg", data


def write_made(root: Path, count: int) -> CorpusConfig:
    """Half of the pictures in a folder, half in tars of different mixtures, pages as documents."""
    (root / "tars").mkdir(parents=True)
    pages: dict[int, list[tuple[str, bytes]]] = {n: [] for n in range(_TARS)}
    for number, (name, data) in enumerate(pictures(count, 1)):
        if number % 2:
            # What lies together is alike: tars differ more than a draw of images would.
            tar = (number // 2 * _TARS // (count // 2) + (7 if name.startswith("b") else 0)) % _TARS
            pages[tar].append((name, data))
            continue
        folder = "documents" if name.startswith("page") else "photos"
        path = root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
    for number, members in pages.items():
        with tarfile.open(root / "tars" / f"{number:05d}.tar", "w") as file:
            for name, data in members:
                info = tarfile.TarInfo(name)
                info.size = len(data)
                file.addfile(info, BytesIO(data))
    return CorpusConfig.model_validate(
        {
            "out": str(root / "corpus"),
            "sources": [
                {"name": "photos", "type": "folder", "uri": str(root / "photos")},
                {
                    "name": "pages",
                    "type": "folder",
                    "uri": str(root / "documents"),
                    "content": "document",
                },
                {"name": "tars", "type": "webdataset", "uri": str(root / "tars")},
            ],
            "score": {"text": False},
            "synth": {"samples": {}},
            "engine": {"workers": 0},
        }
    )


def demo(root: Path) -> CorpusConfig:
    config = CorpusConfig.model_validate({"out": str(root / "corpus"), "engine": {"workers": 0}})
    return with_demo_inputs(config)[0]


class _Clock(Console):
    """Notes the CPU time at the beginning of each stage."""

    def __init__(self) -> None:
        super().__init__(quiet=True)
        self.marks: list[tuple[str, float]] = []

    @contextmanager
    def stage(self, name: str, about: str = "") -> Iterator[None]:
        self.marks.append((name, time.process_time()))
        yield

    def seconds(self) -> dict[str, float]:
        ends = [mark for _, mark in self.marks[1:]] + [time.process_time()]
        return {name: end - mark for (name, mark), end in zip(self.marks, ends, strict=True)}


def truth(config: CorpusConfig) -> dict[str, Any]:
    clock = _Clock()
    done = build(config, clock)
    scores = pq.read_table(done.scored.folder).cast(SCORE_SCHEMA)
    kept, dropped = plan.judge_alone(config, scores)
    slugs = Counter(row["slug"] for row in dropped)
    slugs.update(slug for slug in scores["slug"].to_pylist() if slug)
    shards = sum(storage.size_bytes(f"{config.out}/{shard.name}.tar") or 0 for shard in done.shards)
    cells = Counter((row["kind"], row["rung"]) for row in kept)
    return {
        "images": scores.num_rows,
        "cells": cells,
        "slugs": slugs,
        "cpu_s": clock.seconds(),
        "tar_bytes": shards,
        "dropped": done.reported.images["dropped"],
        "kept": sum(done.reported.images["selected"].values()),
        "rows": scores,
    }


def compare(config: CorpusConfig) -> dict[str, Any]:
    """The estimate first: caches that are warm would help it more than the build."""
    began = time.perf_counter()
    said = estimate(config, print)
    took = time.perf_counter() - began
    true = truth(config)
    counts = [
        _line(f"{row['kind']} {row['rung']}", row, true["cells"][row["kind"], row["rung"]])
        for row in said["kept"]
    ]
    counts += [_line(slug, row, true["slugs"][slug]) for slug, row in said["left_out"].items()]
    hours = {
        stage: {
            "estimated": row["value"] * 3600,
            "true": true["cpu_s"].get(stage, 0.0),
            "ratio": row["value"] * 3600 / true["cpu_s"][stage] if row["value"] else None,
        }
        for stage, row in said["cpu_hours"].items()
    }
    estimated = sum(row["estimated"] for row in hours.values())
    spent = sum(row["true"] for row in hours.values())
    disk = said["disk_bytes"]
    return {
        "images": {"estimated": said["images"], "true": true["images"]},
        "drawn": said["sample"]["images"],
        "seconds": took,
        "counts": counts,
        "all_inside": all(line["inside"] for line in counts),
        "cpu_s": hours
        | {"all": {"estimated": estimated, "true": spent, "ratio": estimated / spent}},
        "shard_bytes": {
            "estimated": disk["shards"]["value"] + disk["synthetic"]["value"],
            "true": true["tar_bytes"],
        },
        "kept_after_duplicates": true["kept"],
        "dropped": true["dropped"],
        "repeated": repeated(config, true["rows"]),
    }


def _line(name: str, row: dict[str, Any], true: int) -> dict[str, Any]:
    said = {key: round(row[key], 1) for key in ("value", "low", "high")}
    inside = row["low"] - 0.5 <= true <= row["high"] + 0.5
    return {"of": name} | said | {"true": true, "inside": inside}


def repeated(config: CorpusConfig, scores: pa.Table) -> dict[str, Any]:
    """Draw again and again with other seeds; fates are looked up, so nothing is scored."""
    kept, dropped = plan.judge_alone(config, scores)
    places = scores.select(["unit", "uri", "offset", "slug"]).to_pylist()
    fates: dict[Any, Any] = {(row["uri"], row["offset"]): row["slug"] for row in places}
    fates |= {(row["uri"], row["offset"]): row["slug"] for row in dropped}
    fates |= {(row["uri"], row["offset"]): (row["kind"], row["rung"]) for row in kept}
    true = Counter(fates.values())
    sources = [list_files(source) for source in config.sources]
    together = 3 * len(config.plan.rung_weights) + 10
    hold: Counter[bool] = Counter()
    whole_hold = 0
    for seed in range(_REPEATS):
        strata, first, rest = plan_draws(sources, config.estimate.images, seed)
        drawn: list[Any] = []

        def take(image: Drawn, into: list[Any] = drawn) -> None:
            into.append(fates.get((image.item.uri, image.item.offset)))

        read_pieces(strata, first, rest, take, lambda: False)
        inside = []
        marks = [np.array([fate == cell for fate in drawn]) for cell in true]
        alike = whole.alikeness(strata, marks)
        for mark, count in zip(marks, true.values(), strict=True):
            one = whole.count(strata, mark, together, alike)
            inside.append(one.low - 0.5 <= count <= one.high + 0.5)
        hold.update(inside)
        whole_hold += all(inside)
    return {
        "draws": _REPEATS,
        "intervals_that_hold": hold[True] / sum(hold.values()),
        "draws_in_which_all_hold": whole_hold / _REPEATS,
    }


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="JSON file of the results")
    parser.add_argument("--images", type=int, default=20_000, help="pictures to make in code")
    parser.add_argument("--only", choices=("made", "demo"), help="one of the two corpora")
    args = parser.parse_args()
    found = json.loads(args.out.read_text()) if args.out.exists() else {}
    with tempfile.TemporaryDirectory() as folder:
        if args.only != "demo":
            found["made"] = compare(write_made(Path(folder) / "made", args.images))
        if args.only != "made":
            found["demo"] = compare(demo(Path(folder) / "demo"))
    args.out.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))


if __name__ == "__main__":
    main()
