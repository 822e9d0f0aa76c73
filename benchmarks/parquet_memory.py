"""The memory that reading a Parquet file with one large row group takes: ours beside pyarrow's.

    python benchmarks/parquet_memory.py

Web datasets often come in row groups of gigabytes. A file with one row group of random bytes is
made (by default 2.3 GB in images of 100 kB, 1,024 of them in a page, as pyarrow writes them), and
read to its end by processes of their own: by our source, image by image, and by read_row_group of
`pyarrow.parquet`. Prints, and writes to benchmarks/results/parquet_memory.json, the largest
resident size beyond that before the reading. A page is the least that can be decompressed.
"""

from __future__ import annotations

import argparse
import datetime
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path[0] = str(Path(__file__).resolve().parents[1])

_RESULT = Path(__file__).parent / "results" / "parquet_memory.json"
_IMAGE_BYTES = 100_000


def ours(path: str) -> int:
    from pipelines.sources import ParquetSource

    source = ParquetSource(name="a", uri=path)
    return sum(len(item.data) for unit in source.units() for item in source.read(unit))


def whole_group(path: str) -> int:
    file = pq.ParquetFile(path)
    return sum(
        len(value.as_py())
        for n in range(file.num_row_groups)
        for value in file.read_row_group(n, columns=["image"])["image"]
    )


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--gigabytes", type=float, default=2.3, help="of the row group")
    parser.add_argument("--read", nargs=2, metavar=("WHO", "FILE"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.read:
        return _read(*given.read)
    count = int(given.gigabytes * 1e9 / _IMAGE_BYTES)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "large.parquet")
        rng = np.random.default_rng(0)
        images = pa.array([b"\xff\xd8" + rng.bytes(_IMAGE_BYTES - 2) for _ in range(count)])
        pq.write_table(pa.table({"image": images}), path, row_group_size=count)
        del images
        found = {}
        for who in ("ours", "pyarrow read_row_group"):
            said = subprocess.run(
                [sys.executable, __file__, "--read", who, path],
                check=True,
                capture_output=True,
                text=True,
            )
            found[who] = json.loads(said.stdout.splitlines()[-1])
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/parquet_memory.py",
        "row group, bytes": count * _IMAGE_BYTES,
        "largest resident size beyond the start, MB": found,
        "ratio": round(found["pyarrow read_row_group"] / found["ours"], 1),
    }
    _RESULT.write_text(json.dumps(facts, indent=1) + "\n")
    print(json.dumps(facts, indent=1))
    return 0


def _read(who: str, path: str) -> int:
    work = ours if who == "ours" else whole_group
    if who == "ours":
        import pipelines.sources  # noqa: F401  (its own size is not the reading's)
    before_kb = _largest_kb()
    assert work(path) > 0
    print(round((_largest_kb() - before_kb) / 1000))
    return 0


def _largest_kb() -> int:
    """The largest resident size of this process so far. (That of getrusage outlives an exec.)"""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    sys.exit(main())
