"""Packing in runs: from a store 30 ms away against the local disk, and how even shards come out.

    python benchmarks/pack_runs.py

Some minutes. The pictures are crops of the demo's photographs, as JPEG, PNG and WebP of many sizes
and qualities, and pages of its documents; they lie in tars. Two things are measured:

- runs: the same corpus is packed by one worker, a process of its own, from and to the local disk,
  and from and to tests/slow_store.py, a real S3 server over HTTP that answers each request 30 ms
  later than it could and counts them. They take turns; medians of the rounds. Worker and server
  share the machine, which is unkind to the store.
- even: of a larger corpus of several neighbourhoods, the actual size of each shard as a share of
  the size that was set. A lane (kind, rung, extension) that has less than a shard in all fills one
  as far as it goes; those are counted apart.

Writes benchmarks/results/pack_runs.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np

_ROOT = Path(__file__).resolve().parents[1]
_RESULT = _ROOT / "benchmarks" / "results" / "pack_runs.json"
_IN_A_TAR = 100
_CODECS = ("jpg", "jpg", "jpg", "jpg", "png", "webp")


def write_pictures(root: Path, count: int) -> None:
    """Crops of photographs, a hundred to a tar."""
    import cv2
    import simplejpeg

    from tests.pictures import write_tar
    from vae_corpus.demo import demo_inputs

    root.mkdir(parents=True)
    # What OpenCV does not read (JPEG XL, AVIF) is left out.
    photos = [p for p in demo_inputs().photos if cv2.haveImageReader(str(p))]
    dice = np.random.default_rng(0)
    made: list[list[tuple[str, bytes]]] = [[] for _ in range(-(-count // _IN_A_TAR))]
    for at in range(count):
        # Each photograph is decoded once, and its crops are spread over all tars.
        if at * len(photos) // count != (at - 1) * len(photos) // count or not at:
            whole = cv2.imread(str(photos[at * len(photos) // count]), cv2.IMREAD_COLOR)
        height, width = whole.shape[:2]
        side = int(np.exp(dice.uniform(np.log(260), np.log(900))))
        wanted = int(side * dice.uniform(1.0, 1.6)), side
        least = max(wanted[0] / width, wanted[1] / height)
        scale = dice.uniform(least, max(1.0, least))
        w, h = (
            min(int(v / scale), limit) for v, limit in zip(wanted, (width, height), strict=True)
        )
        x, y = int(dice.integers(width - w + 1)), int(dice.integers(height - h + 1))
        crop = cv2.resize(whole[y : y + h, x : x + w], wanted, interpolation=cv2.INTER_AREA)
        ext = _CODECS[int(dice.integers(len(_CODECS)))]
        rgb = np.ascontiguousarray(crop[:, :, ::-1])
        if ext == "jpg":
            quality = int(dice.integers(75, 98))
            samp = "420" if dice.random() < 0.7 else "444"
            data = simplejpeg.encode_jpeg(rgb, quality=quality, colorsubsampling=samp)
        else:
            options = (
                [cv2.IMWRITE_WEBP_QUALITY, int(dice.integers(75, 97))] if ext == "webp" else []
            )
            data = cv2.imencode(f".{ext}", crop, options)[1].tobytes()
        made[int(dice.integers(len(made)))].append((f"{at:06d}.{ext}", data))
    for number, members in enumerate(made):
        write_tar(root / f"{number:05d}.tar", dict(members))


def write_pages(root: Path, count: int) -> None:
    """Pages of documents at many sizes, as PNG and JPEG."""
    import cv2
    import pypdfium2

    from tests.pictures import write_tar
    from vae_corpus.demo import demo_inputs

    root.mkdir(parents=True)
    dice = np.random.default_rng(1)
    members: dict[str, bytes] = {}
    documents = demo_inputs().pdfs
    each = -(-count // len(documents))
    for number, path in enumerate(documents):
        with pypdfium2.PdfDocument(path) as document:
            pages = dice.permutation(len(document))[:each].tolist()
            for page in pages:
                rgb = (
                    document[page].render(scale=float(dice.uniform(1.0, 2.2))).to_numpy()[:, :, :3]
                )
                ext = "png" if dice.random() < 0.6 else "jpg"
                options = [cv2.IMWRITE_JPEG_QUALITY, int(dice.integers(80, 97))]
                data = cv2.imencode(f".{ext}", rgb, options if ext == "jpg" else [])[1].tobytes()
                members[f"{number:03d}-{page:05d}.{ext}"] = data
    names = [str(name) for name in dice.permutation(list(members))]
    for first in range(0, len(names), _IN_A_TAR):
        part = {name: members[name] for name in names[first : first + _IN_A_TAR]}
        write_tar(root / f"{first // _IN_A_TAR:05d}.tar", part)


def settings(place: str, out: str, shard_bytes: int, units: int, few: bool) -> Any:
    from pipelines.config import CorpusConfig

    which = "/0000*.tar" if few else ""
    sources = [
        {"name": name, "type": "webdataset", "uri": f"{place}/{name}{which}", **more}
        for name, more in (("pictures", {}), ("pages", {"content": "document"}))
    ]
    return CorpusConfig.model_validate(
        {
            "out": out,
            "sources": sources,
            "score": {"text": False},
            "plan": {"min_clarity": 0.0, "min_clarity_text": 0.0},
            "pack": {"shard_bytes": shard_bytes, "neighbourhood_units": units},
            "engine": {"workers": 0},
        }
    )


def build(config: Any, *, only_plan: bool) -> dict[str, float]:
    """List, score, plan and pack in this process; what packing took."""
    from pipelines.guard import lease
    from pipelines.report.console import Console
    from pipelines.report.log import build_log
    from pipelines.stages import pack
    from pipelines.stages.committed import Stock
    from pipelines.stages.list import list_units
    from pipelines.stages.plan import plan_corpus
    from pipelines.stages.runner import Runner
    from pipelines.stages.score import score_units

    with lease.hold(config.out, print) as ticket, build_log(config.out) as log:
        runner = Runner(Console(quiet=True), ticket, log)
        sources = config.sources_by_name()
        listed = list_units(config, list(sources.values()), runner)
        with runner.start_engine(config.engine):
            scored = score_units(config, sources, listed, runner)
            plan = plan_corpus(config, scored, runner)
            if only_plan:
                return {}
            stock = Stock(config.out)
            asked = os.environ.get("STORE_URL") and _counts()
            before, cpu = time.monotonic(), time.process_time()
            shards = pack.pack_shards(config, sources, plan, stock, runner)
            seconds, cpu = time.monotonic() - before, time.process_time() - cpu
            counts = dict(_counts() - asked) if asked else {}
    return {
        "samples": sum(shard.samples for shard in shards),
        "shards": len(shards),
        "shared_shards": sum(bool(shard.parts) for shard in shards),
        "seconds": seconds,
        "cpu_seconds": cpu,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
        **{f"asked_{name}": float(count) for name, count in counts.items()},
    }


def _counts() -> Counter[str]:
    from tests.slow_store import SlowStore

    port = int(os.environ["STORE_URL"].rpartition(":")[2])
    return SlowStore(port, Path()).counts()


def run_worker(*arguments: str) -> dict[str, float]:
    command = [sys.executable, str(Path(__file__).resolve()), "--build", *arguments]
    environment = os.environ | {"PYTHONPATH": str(_ROOT), "OMP_NUM_THREADS": "1"}
    said = subprocess.run(
        command, env=environment, cwd=_ROOT, check=True, stdout=subprocess.PIPE, text=True
    ).stdout
    told: dict[str, float] = json.loads(said.splitlines()[-1])
    return told


def measure_runs(root: Path, given: Any) -> dict[str, Any]:
    """One worker by turns on the local disk and on the store."""
    sys.path[0] = str(_ROOT)
    from tests.ray_cluster import free_port
    from tests.s3_server import environment
    from tests.slow_store import slow_store

    told: dict[str, list[dict[str, float]]] = {"local": [], "store": []}
    (root / "made").mkdir()
    with slow_store(root, free_port()) as store:
        os.environ |= environment(store.url) | {"STORE_URL": store.url}
        places = {
            "local": (f"{root}/data", f"{root}/corpus"),
            "store": ("s3://data", "s3://made/corpus"),
        }
        size = str(given.run_shard_bytes)
        for place in places.values():
            run_worker(*place, size, "64", "few", "plan")
        store.faults(latency_s=given.latency_ms / 1e3)
        for _ in range(given.rounds):
            for name, place in places.items():
                for folder in (root / "corpus" / "shards", root / "made" / "corpus" / "shards"):
                    shutil.rmtree(folder, ignore_errors=True)
                told[name].append(run_worker(*place, size, "64", "few", "pack"))
                print(name, json.dumps(told[name][-1]), flush=True)
    speeds = {n: statistics.median(t["samples"] / t["seconds"] for t in told[n]) for n in told}
    last = told["store"][-1]
    reads = sum(last.get(f"asked_{name}", 0) for name in ("GET", "HEAD"))
    writes = sum(last.get(f"asked_{name}", 0) for name in ("PUT", "POST", "DELETE"))
    size_of = sum(f.stat().st_size for f in (root / "made" / "corpus" / "shards").rglob("*.tar"))
    return {
        "samples": last["samples"],
        "shards": last["shards"],
        "bytes_per_sample": round(size_of / last["samples"]),
        "local_samples_s": round(speeds["local"], 1),
        "store_samples_s": round(speeds["store"], 1),
        "ratio": round(speeds["store"] / speeds["local"], 3),
        "reads_per_1000": round(1e3 * reads / last["samples"], 1),
        "writes_per_1000": round(1e3 * writes / last["samples"], 1),
        "peak_mb": {n: round(max(t["peak_mb"] for t in told[n])) for n in told},
        "cpu_ms_per_sample": {
            n: round(statistics.median(1e3 * t["cpu_seconds"] / t["samples"] for t in told[n]), 2)
            for n in told
        },
    }


def measure_even(root: Path, given: Any) -> dict[str, Any]:
    """Shares of the size that was set, of the shards of several neighbourhoods."""
    out, size = root / "even", given.even_shard_bytes
    told = run_worker(f"{root}/data", str(out), str(size), str(given.units), "all", "pack")
    lanes: dict[str, list[float]] = defaultdict(list)
    for tar in sorted(out.glob("shards/*/*/*.tar")):
        # <lane>-000000-000 or <lane>-rest000-00000
        lane = tar.stem.rsplit("-", 2)[0]
        lanes[lane].append(tar.stat().st_size / size)
    lone = {lane: shares for lane, shares in lanes.items() if len(shares) == 1}
    shares = [share for lane, shares in lanes.items() if lane not in lone for share in shares]
    return {
        "samples": told["samples"],
        "neighbourhoods": len(list(out.glob("units/*.parquet"))),
        "shards": len(shares) + len(lone),
        "shared_shards": told["shared_shards"],
        "lanes": {lane: [round(share, 2) for share in shares] for lane, shares in lanes.items()},
        "alone_in_their_lane": len(lone),
        "within_20_percent": round(float(np.mean([abs(s - 1) <= 0.2 for s in shares])), 3),
        "share_5_50_95": [round(float(v), 3) for v in np.percentile(shares, [5, 50, 95])],
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pictures", type=int, default=6000)
    parser.add_argument("--pages", type=int, default=500)
    parser.add_argument("--data", type=Path, help="where the tars lie, or are to be kept")
    parser.add_argument("--units", type=int, default=16, help="of a neighbourhood")
    parser.add_argument("--even-shard-bytes", type=int, default=8_000_000)
    parser.add_argument("--run-shard-bytes", type=int, default=32_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--latency-ms", type=float, default=30.0)
    parser.add_argument("--only", nargs="+", default=["even", "runs"], choices=["even", "runs"])
    parser.add_argument("--build", nargs=6, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.build:
        place, out, size, units, few, what = given.build
        config = settings(place, out, int(size), int(units), few == "few")
        print(json.dumps(build(config, only_plan=what == "plan")))
        return 0
    sys.path[0] = str(_ROOT)
    results: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = given.data or root / "data"
        if not data.exists():
            write_pictures(data / "pictures", given.pictures)
            write_pages(data / "pages", given.pages)
        if given.data:
            (root / "data").symlink_to(data.absolute())
        for what in given.only:
            results[what] = {"even": measure_even, "runs": measure_runs}[what](root, given)
            print(what, json.dumps(results[what]), flush=True)
    whole = {
        "date": datetime.date.today().isoformat(),
        "command": " ".join(["python", *sys.argv]),
        "machine": f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version.split()[0]}",
        "load_of_others_at_the_end": round(os.getloadavg()[0], 1),
        "latency_ms": given.latency_ms,
        **results,
    }
    _RESULT.write_text(json.dumps(whole, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
