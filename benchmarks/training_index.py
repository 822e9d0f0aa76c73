"""What a corpus of 10^8 images costs before the first batch: time, and memory of a rank.

    python benchmarks/training_index.py [--rows 100000000] [--shard-rows 4000] [--folder DIR]

The corpus is made up: Parquet indexes as the engine writes them, with keys that do not compress,
beside tars that are empty but have their size (sparse files). Seven tenths are photographs in seven
buckets and three rungs, each of a parent of its own; the rest are tiles of real text, of documents
and of synthetic text, four of a parent. Nothing is decoded.

- `build_s`: from the start of a process to its first batch, when there is no index yet; the peak of
  its memory beside;
- `start_s`: the same when the index is there, by two processes at once, as two ranks of a node;
- memory of these from /proc/self/smaps_rollup, at the first batch and after `_STEPS` batches of
  1,024 images whose places in their tars were looked up: `anonymous` is a rank's own, `file` is
  mapped, shared by all ranks of a node, and given back when others need it; `pss` shares it out;
- beside: a process that has imported torch alone, and one that has imported what the ranks have.

The files were written just before, so the page cache has most of them. Writes
benchmarks/results/training_index.json, and removes the corpus.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from vae_corpus.seeds import generator
from vae_corpus.tables import INDEX_SCHEMA
from vae_corpus.words import (
    DENSITIES,
    DOCUMENT,
    GENERAL,
    LANGUAGES,
    SIZE_BANDS,
    TEXT_REAL,
    TEXT_SYNTH,
    Group,
    buckets,
)

_ROOT = Path(__file__).parents[1]
# Kind, rung, tenths of the corpus, samples of a parent.
LANES = [
    (GENERAL, 256, 4, 1),
    (GENERAL, 512, 2, 1),
    (GENERAL, 1024, 1, 1),
    (TEXT_REAL, 512, 1, 4),
    (DOCUMENT, 1024, 1, 4),
    (TEXT_SYNTH, 256, 1, 4),
]
_BATCH = 1024
_STEPS = 200
_IMAGE_BYTES = 20_000
_HEX = np.frombuffer(b"0123456789abcdef", dtype=np.uint8)


def groups_of(kind: str, rung: int) -> list[Group]:
    names = [str(bucket) for bucket in buckets(rung)]
    if kind == GENERAL:
        return [Group(kind=kind, rung=rung, bucket=name) for name in names]
    base = {"kind": kind, "rung": rung, "bucket": names[0]}
    if kind == TEXT_SYNTH:
        pairs = product(LANGUAGES, SIZE_BANDS)
        return [Group(**base, language=name, size_band=band) for name, band in pairs]
    return [Group(**base, density=density) for density in DENSITIES]


def strings(prefix: str, values: np.ndarray) -> pa.StringArray:
    """The prefix and 16 hex digits of each value."""
    digits = (values[:, None] >> np.arange(60, -4, -4, dtype=np.uint64)) & np.uint64(15)
    start = np.broadcast_to(np.frombuffer(prefix.encode(), np.uint8), (len(values), len(prefix)))
    letters = np.ascontiguousarray(np.hstack([start, _HEX[digits.astype(np.intp)]]))
    ends = np.arange(len(values) + 1, dtype=np.int32) * letters.shape[1]
    return pa.StringArray.from_buffers(len(values), pa.py_buffer(ends), pa.py_buffer(letters))


def write_shard(task: tuple[str, int, int, int, int, int]) -> Counter[Group]:
    """One index and its tar; how many samples of each group it holds."""
    folder, kind_and_rung, shard, rows, number, total = task
    kind, rung, _, tiles = LANES[kind_and_rung]
    rng = generator(0, "shard", number)
    groups = groups_of(kind, rung)
    # The square bucket has half of the photographs.
    chances = np.ones(len(groups))
    chances[0] = max(1, len(groups) - 1) if kind == GENERAL else 1
    group = np.sort(rng.choice(len(groups), rows, p=chances / chances.sum()))[rng.permutation(rows)]
    names = rng.integers(0, 2**63, rows, dtype=np.uint64)
    offset = np.cumsum(rng.integers(_IMAGE_BYTES // 2, 2 * _IMAGE_BYTES, rows)) // 512 * 512
    name = f"shards/{kind}/{rung}/{kind}-{shard:06d}"
    constant = {"shard": f"{name}.tar", "ext": "jpg", "kind": kind, "source": "source"}
    columns: dict[str, Any] = {
        "key": strings("source-", names),
        "parent": strings("source-", names[np.arange(rows) // tiles * tiles]),
        "offset": pa.array(offset),
        "bytes": pa.array(np.diff(offset, append=offset[-1] + _IMAGE_BYTES) - 511),
        "json_offset": pa.array(offset),
        "json_bytes": pa.array(np.ones(rows, dtype=np.int64)),
        "width": pa.array(np.full(rows, rung, dtype=np.int32)),
        "height": pa.array(np.full(rows, rung, dtype=np.int32)),
        "rung": pa.array(np.full(rows, rung, dtype=np.int32)),
    }
    columns |= {n: pa.repeat(v, rows) for n, v in constant.items()}
    for column in ("bucket", "language", "size_band", "density"):
        values = pa.array([getattr(each, column) for each in groups], pa.string())
        columns[column] = values.take(pa.array(group))
    table = pa.table([columns[field.name] for field in INDEX_SCHEMA], INDEX_SCHEMA)
    path = Path(folder, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    coded = ["shard", "ext", "kind", "source", "bucket", "language", "size_band", "density"]
    pq.write_table(table, f"{path}.parquet", compression="zstd", use_dictionary=coded)
    with open(f"{path}.tar", "wb") as file:
        file.truncate(int(offset[-1]) + _IMAGE_BYTES)
    return Counter({groups[i]: n for i, n in enumerate(np.bincount(group).tolist()) if n})


def write_corpus(folder: Path, rows: int, shard_rows: int) -> int:
    """Write all shards and a curriculum of one phase; how many shards there are."""
    tasks: list[tuple[str, int, int, int, int, int]] = []
    for lane, (_, _, tenths, _) in enumerate(LANES):
        for shard in range(rows * tenths // 10 // shard_rows):
            tasks.append((str(folder), lane, shard, shard_rows, len(tasks), rows))
    counts: Counter[Group] = Counter()
    with ProcessPoolExecutor(2) as pool:
        for done, found in enumerate(pool.map(write_shard, tasks, chunksize=64)):
            counts.update(found)
            if done % 2500 == 0:
                print(f"wrote {done} of {len(tasks)} shards", flush=True)
    rungs = sorted({rung for _, rung, _, _ in LANES})
    kinds = [GENERAL, TEXT_REAL, DOCUMENT, TEXT_SYNTH]
    phase = {
        "name": "all",
        "samples": rows,
        "rungs": {str(rung): 1.0 for rung in rungs},
        "kinds": dict.fromkeys(kinds, 1.0),
    }
    groups = [{**vars(group), "samples": count} for group, count in counts.items()]
    whole = {"version": 1, "groups": groups, "phases": [phase]}
    (folder / "curriculum.json").write_text(json.dumps(whole))
    return len(tasks)


def memory_mb() -> dict[str, float]:
    """Memory of this process: all, its own, mapped from files, and its share of all (Pss)."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()[1:]
    found = {name: int(rest.split()[0]) / 1024 for name, rest in (x.split(":") for x in lines)}
    own = found["Anonymous"]
    return {
        "rss": found["Rss"],
        "anonymous": own,
        "file": found["Rss"] - own,
        "pss": found["Pss"],
    }


def rank(began: float, folder: str, cache: str) -> dict[str, Any]:
    """Open the corpus and choose batches, as a rank does."""
    import torch  # noqa: F401 - as every rank

    from vae_training.config import TrainSettings
    from vae_training.data.corpus import open_data

    imported_s = time.time() - began
    imported = memory_mb()
    settings = TrainSettings(corpus=folder, cache=cache, batch_pixels=_BATCH * 256**2)
    data = open_data(settings, 1)
    state = data.order.select(data.order.start()).after
    start_s = time.time() - began
    first = memory_mb()
    took_ms = []
    for _ in range(_STEPS):
        before = time.perf_counter()
        chosen = data.order.select(state)
        took_ms.append(1e3 * (time.perf_counter() - before))
        state = chosen.after
        rows = list(chosen.rows)
        for column in (data.shards.shard, data.shards.offset, data.shards.bytes):
            column[rows].sum()
    before = time.perf_counter()
    now, later = data.order.coming(state)
    peak = [x for x in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in x]
    return {
        "imports_s": imported_s,
        "start_s": start_s,
        "select_ms_median": statistics.median(took_ms),
        "select_ms_mean": statistics.mean(took_ms),
        "select_ms_largest": max(took_ms),
        "coming_ms": 1e3 * (time.perf_counter() - before),
        "shards_now": len(now),
        "shards_next": len(later),
        "imported_mb": imported,
        "first_batch_mb": first,
        f"after_{_STEPS}_batches_mb": memory_mb(),
        "peak_rss_mb": int(peak[0].split()[1]) / 1024,
    }


def bare() -> dict[str, float]:
    import torch  # noqa: F401 - what it costs

    return memory_mb()


def started(*arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, __file__, *arguments, "--began", str(time.time())]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(_ROOT)}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def answer(process: subprocess.Popen[str]) -> Any:
    said, _ = process.communicate()
    assert process.returncode == 0, said
    return json.loads(said.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10**8)
    parser.add_argument("--shard-rows", type=int, default=4000)
    parser.add_argument("--folder", type=Path, default=None, help="for the corpus; it is removed")
    parser.add_argument("--rank", nargs=2, help=argparse.SUPPRESS)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--began", type=float, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.bare:
        print(json.dumps(bare()))
        return
    if args.rank:
        print(json.dumps(rank(args.began, *args.rank)))
        return
    work = Path(tempfile.mkdtemp(dir=args.folder, prefix="training-index-"))
    try:
        result = measure(work, args.rows, args.shard_rows)
    finally:
        shutil.rmtree(work)
    target = _ROOT / "benchmarks/results/training_index.json"
    whole = json.loads(target.read_text()) if target.exists() else {}
    whole[f"{args.rows:,} rows"] = result
    target.write_text(json.dumps(whole, indent=1) + "\n")
    print(json.dumps(result, indent=1))


def measure(work: Path, rows: int, shard_rows: int) -> dict[str, Any]:
    corpus, cache = str(work / "corpus"), str(work / "cache")
    shards = write_corpus(work / "corpus", rows, shard_rows)
    os.sync()
    torch_alone = answer(started("--bare"))
    first = answer(started("--rank", corpus, cache))
    print(f"built in {first['start_s']:.1f} s", flush=True)
    pair = [started("--rank", corpus, cache) for _ in range(2)]
    index = sum(path.stat().st_size for path in (work / "cache").rglob("*") if path.is_file())
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{os.cpu_count()} cores, shared; Python {platform.python_version()}",
        "load_average": os.getloadavg()[0],
        "shards": shards,
        "index_bytes": index,
        "build_s": first["start_s"],
        "building": first,
        "torch_alone_mb": torch_alone,
        "two_ranks_at_once": [answer(process) for process in pair],
    }


if __name__ == "__main__":
    main()
