"""How much memory a file takes on its way to an object store.

    python benchmarks/upload_memory.py --before /path/of/an/older/checkout

A minute. A real S3 server (moto) runs as a process of its own; a writer, again a process of its
own, commits 537 MB in writes of 1 MB, and the same as a Parquet table in row groups of 8 MB. What
its resident memory grows by, at most, is printed and written to
benchmarks/results/upload_memory.json.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from vae_corpus import storage

_ROOT = Path(__file__).resolve().parents[1]
_WRITES, _WRITE_BYTES, _GROUP = 512, 1 << 20, 8


def write(url: str, form: str) -> dict[str, float]:
    """Commit the file and watch this process's memory."""
    # Connecting takes memory too, and is not what is asked.
    storage.commit_bytes(f"{url}.first", b"x")
    noise = random.Random(0).randbytes(_WRITE_BYTES)
    before = peak = _resident_bytes()
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.01):
            peak = max(peak, _resident_bytes())

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    start = time.monotonic()
    with storage.commit(url) as file:
        if form == "parquet":
            schema = pa.schema([("data", pa.binary())])
            with pq.ParquetWriter(file, schema, compression="none", use_dictionary=False) as writer:
                for first in range(0, _WRITES, _GROUP):
                    data = [_block(noise, n) for n in range(first, first + _GROUP)]
                    writer.write_table(pa.table({"data": data}, schema=schema))
        else:
            for n in range(_WRITES):
                file.write(_block(noise, n))
    seconds = time.monotonic() - start
    done.set()
    watcher.join()
    size = storage.size_bytes(url) or 0
    return {
        "file_mb": round(size / 1e6, 1),
        "seconds": round(seconds, 1),
        "memory_before_mb": round(before / 1e6),
        "grew_by_mb": round((peak - before) / 1e6),
    }


def _block(noise: bytes, number: int) -> bytes:
    return number.to_bytes(8, "big") + noise[8:]


def _resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", type=Path, help="a checkout to measure in the same run")
    parser.add_argument("--write", nargs=2, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.write:
        print(json.dumps(write(*args.write)))
        return 0
    from tests.s3_server import empty_bucket

    checkouts = {"before": args.before, "after": _ROOT}
    results: dict[str, dict[str, dict[str, float]]] = {}
    with empty_bucket() as bucket:
        for name, checkout in checkouts.items():
            if checkout is None:
                continue
            for form in ("bytes", "parquet"):
                command = [sys.executable, __file__, "--write", f"{bucket}/{name}/{form}", form]
                said = subprocess.run(
                    command,
                    env=os.environ | {"PYTHONPATH": str(checkout)},
                    cwd=checkout,
                    check=True,
                    capture_output=True,
                    text=True,
                ).stdout
                results.setdefault(name, {})[form] = json.loads(said)
                print(name, form, said.strip(), flush=True)
    path = _ROOT / "benchmarks" / "results" / "upload_memory.json"
    path.write_text(json.dumps(results, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
