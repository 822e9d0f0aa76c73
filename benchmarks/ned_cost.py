"""What NED costs, against reading every picture anew with rapidocr as its manual says.

    python -m vae_training.tokenbench --documents PDFS --out SET
    python benchmarks/ned_cost.py --crops SET/gt_dir --count 300

Originals are text crops; a reconstruction is the same crop halved and doubled, in three strengths
that stand for three models. In one process:

- ours: the path of an evaluation (`measure_text`), which reads each picture once;
- ours uncached: the same reading of original and reconstruction, kept nowhere;
- naive: `RapidOCR()(picture)` of original and reconstruction, on the threads that it takes by
  itself, and on one.

The first model is measured by ours on all crops. In turns with it, block by block, the others are
measured on every sixth block of ten crops, and so are the second and the third model by ours. The
others keep nothing, so three models cost them three times as much as one; that is computed.
Costs are CPU seconds of the process: threads count in full. Ratios are medians and quartiles over
blocks. NED of ours must be that of ours uncached, crop by crop. Writes
benchmarks/results/ned_cost.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import os
import platform
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image

from filters.ocr.rapid import RapidOcrEngine
from vae_corpus.pictures.decode import Rgb
from vae_corpus.pictures.encode import lossless
from vae_training.evaluation.measure import Row, measure_text
from vae_training.metrics.ned import TextCache, ned, pixels_sha256, text_of

_RESULTS = Path(__file__).parent / "results" / "ned_cost.json"
# Sides that pictures pass through on their way: what a fair, a weak and a good model lose.
_MODELS = {"fair": 160, "weak": 112, "good": 208}
_BLOCK, _PEERS_EVERY = 10, 6

Reader = Callable[[Rgb], str]


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--crops", type=Path, required=True, help="folder of PNG, as gt_dir")
    parser.add_argument("--count", type=int, default=300, help="crops of it, spread evenly")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="JSON file of the results")
    given = parser.parse_args(argv)
    paths = sorted(given.crops.glob("*.png"))
    chosen = [paths[i] for i in np.linspace(0, len(paths) - 1, given.count).round().astype(int)]
    with tempfile.TemporaryDirectory() as folder:
        pairs = _pairs(chosen, Path(folder))
        blocks = _measured(pairs, Path(folder))
    facts = {
        "command": f"python benchmarks/ned_cost.py --crops SET/gt_dir --count {given.count}",
        "date": datetime.date.today().isoformat(),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, shared",
        "engine": RapidOcrEngine().engine_id,
        "crops": len(chosen),
        **_summary(blocks),
    }
    given.out.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))
    return 0


def _pairs(crops: Sequence[Path], folder: Path) -> dict[str, list[tuple[Path, Path]]]:
    """Original and reconstruction of each crop by model; the latter are written to `folder`."""
    found: dict[str, list[tuple[Path, Path]]] = {}
    for model, side in _MODELS.items():
        (folder / model).mkdir()
        for path in crops:
            rgb = _rgb(path)
            small = cv2.resize(rgb, (side, side), interpolation=cv2.INTER_AREA)
            large = cv2.resize(small, rgb.shape[1::-1], interpolation=cv2.INTER_CUBIC)
            target = folder / model / path.name
            target.write_bytes(lossless(np.asarray(large, np.uint8), "png"))
            found.setdefault(model, []).append((path, target))
    return found


@dataclass(kw_only=True)
class _Block:
    """CPU seconds and NED of each crop, by who measured; `more` is ours of the other models."""

    crops: int
    seconds: dict[str, float] = field(default_factory=dict)
    neds: dict[str, list[float | None]] = field(default_factory=dict)
    more: float = 0.0


def _measured(pairs: dict[str, list[tuple[Path, Path]]], folder: Path) -> list[_Block]:
    engine = RapidOcrEngine()
    engine.ready(to_read=True)
    peers: dict[str, Reader] = {
        "naive": _naive(-1),
        "naive on one thread": _naive(1),
        "ours uncached": lambda rgb: text_of(engine, rgb),
    }
    first, *others = pairs
    for read in peers.values():  # loads what is loaded late
        read(_rgb(pairs[first][0][0]))
    cache = TextCache(folder / "texts.jsonl", engine.engine_id)
    blocks: list[_Block] = []
    for start in range(0, len(pairs[first]), _BLOCK):
        parts = {model: found[start : start + _BLOCK] for model, found in pairs.items()}
        block = _Block(crops=len(parts[first]))
        with_peers = len(blocks) % _PEERS_EVERY == 0
        for name, read in peers.items() if with_peers else ():
            begun = time.process_time()
            block.neds[name] = [ned(read(_rgb(a)), read(_rgb(b))) for a, b in parts[first]]
            block.seconds[name] = time.process_time() - begun
        begun = time.process_time()
        block.neds["ours"] = _ours(parts[first], first, engine, cache)
        block.seconds["ours"] = time.process_time() - begun
        if with_peers:
            begun = time.process_time()
            for model in others:
                _ours(parts[model], model, engine, cache)
            block.more = time.process_time() - begun
        blocks.append(block)
        print(f"{start + block.crops} crops", flush=True)
    cache.close()
    return blocks


def _ours(
    block: Sequence[tuple[Path, Path]], model: str, engine: RapidOcrEngine, cache: TextCache
) -> list[float | None]:
    rows = [
        Row(
            set="crops",
            model=model,
            name=a.name,
            reference=str(a),
            reconstruction=str(b),
            reference_sha256=pixels_sha256(_rgb(a)),
            reconstruction_sha256=pixels_sha256(_rgb(b)),
        )
        for a, b in block
    ]
    measure_text(rows, lambda: engine, cache, workers=1, start=lambda total: lambda done: None)
    return [row.ned for row in rows]


def _naive(threads: int) -> Reader:
    from rapidocr import RapidOCR

    engine = RapidOCR(params={"EngineConfig.onnxruntime.intra_op_num_threads": threads})
    logging.getLogger("RapidOCR").setLevel(logging.ERROR)

    def read(rgb: Rgb) -> str:
        # Arrays are taken for blue, green, red, as OpenCV loads them.
        return "".join(engine(np.ascontiguousarray(rgb[:, :, ::-1])).txts or ())

    return read


def _rgb(path: Path) -> Rgb:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


def _summary(blocks: Sequence[_Block]) -> dict[str, Any]:
    both = [block for block in blocks if block.more]
    peers = [name for name in both[0].seconds if name != "ours"]
    crops = sum(block.crops for block in both)
    one = {name: [b.seconds[name] / b.seconds["ours"] for b in both] for name in peers}
    three = {
        name: [3 * b.seconds[name] / (b.seconds["ours"] + b.more) for b in both] for name in peers
    }
    pairs = {
        name: [(a, c) for b in both for a, c in zip(b.neds["ours"], b.neds[name], strict=True)]
        for name in peers
    }
    naive = [abs(a - c) for a, c in pairs["naive"] if a is not None and c is not None]
    means = {
        name: [v for b in both for v in b.neds[name] if v is not None] for name in both[0].neds
    }
    ours_s = sum(block.seconds["ours"] for block in blocks)
    more_s = sum(b.more for b in both)
    return {
        "cpu_s of ours, all crops, one model": round(ours_s, 1),
        "crops with peers": crops,
        "cpu_ms per crop, one model": {
            name: round(1e3 * sum(b.seconds[name] for b in both) / crops)
            for name in both[0].seconds
        },
        "cpu_ms per crop of ours, each further model": round(1e3 * more_s / crops / 2),
        "cpu over ours, one model": {name: _quartiles(values) for name, values in one.items()},
        "cpu over ours, three models": {name: _quartiles(values) for name, values in three.items()},
        "crops whose ned differs, ours and ours uncached": sum(
            a != c for a, c in pairs["ours uncached"]
        ),
        "mean ned, crops with peers": {
            name: round(float(np.mean(values)), 4) for name, values in means.items()
        },
        "distance of ned, ours and naive: median, p90, largest": [
            round(float(np.quantile(naive, q)), 4) for q in (0.5, 0.9, 1)
        ],
    }


def _quartiles(values: Sequence[float]) -> dict[str, Any]:
    low, middle, high = (round(float(q), 3) for q in np.quantile(values, (0.25, 0.5, 0.75)))
    return {"median": middle, "quartiles": [low, high]}


if __name__ == "__main__":
    raise SystemExit(main())
