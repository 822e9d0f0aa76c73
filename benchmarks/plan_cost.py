"""What planning costs by the number of scored images: seconds and memory of one plan.

    python benchmarks/plan_cost.py --rows 200000

The rows are made up: three in five pictures, two in five pages, of which a tenth come in templates
of 50 (within the bits of the perceptual hash, but other texts or layouts), and a tenth of all rows
are copies. Prints, and writes to benchmarks/results/plan_cost.json, seconds, memory and drops.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import resource
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.scores import SCORE_SCHEMA
from pipelines.config import CorpusConfig
from pipelines.stages import plan

_TEMPLATE_PAGES = 50
_UNIT_ROWS = 1000


def _table(first: int, count: int, rng: np.random.Generator) -> pa.Table:
    """Rows `first` on. Every tenth is a copy of the one before; pages follow upon pictures."""
    phash = rng.integers(0, 1 << 63, count).astype(np.uint64)
    fine = rng.integers(0, 256, (count, 32), dtype=np.uint8)
    layout = rng.integers(0, 256, (count, 4096), dtype=np.uint8)
    sketch = rng.integers(0, 256, (count, 128), dtype=np.uint8)
    page = np.arange(count) >= count * 3 // 5
    template = np.arange(count) >= count - count // 25
    for i in np.flatnonzero(template):
        leader = i - i % _TEMPLATE_PAGES
        phash[i] = phash[leader] ^ np.uint64(1 << int(rng.integers(64)))
        fine[i] = fine[leader]
    copies = np.arange(9, count, 10)
    for values in (phash, fine, layout, sketch):
        values[copies] = values[copies - 1]
    lines = [
        {"x0": 20, "y0": top, "x1": 580, "y1": top + 11, "chars": 20.0} for top in range(2, 450, 15)
    ]
    shas = [hashlib.sha256(str(first + i).encode()).hexdigest() for i in range(count)]
    columns: dict[str, Any] = {
        "key": [f"a-{sha[:16]}" for sha in shas],
        "source": ["a"] * count,
        "unit": [str(first)] * count,
        "member": [str(first + i) for i in range(count)],
        "uri": ["/a"] * count,
        "offset": list(range(first, first + count)),
        "bytes": [1000] * count,
        "sha256": shas,
        "content": ["document" if p else "auto" for p in page],
        "format": ["png"] * count,
        "width": [600] * count,
        "height": [450] * count,
        "phash": phash,
        "phash_fine": [row.tobytes() for row in fine],
        "luma_mean": [100.0] * count,
        "clarity": rng.uniform(0.5, 1, count),
        "chars_est": [600.0 * p for p in page],
        "chars_per_mpx": [3000.0 * p for p in page],
        "max_chars_per_256_tile": [200.0 * p for p in page],
        "text_lines": [lines if p else [] for p in page],
        # Half of the pages are documents with a text, half are scans.
        "layout": [row.tobytes() if p else None for row, p in zip(layout, page, strict=True)],
        "text_sketch": [
            row.tobytes() if p and i % 2 else None
            for i, (row, p) in enumerate(zip(sketch, page, strict=True))
        ],
    }
    arrays = {
        field.name: pa.array(columns[field.name], field.type)
        if field.name in columns
        else pa.nulls(count, field.type)
        for field in SCORE_SCHEMA
    }
    return pa.table(arrays, schema=SCORE_SCHEMA)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=200_000)
    args = parser.parse_args(argv)
    rng = np.random.default_rng(0)
    with tempfile.TemporaryDirectory() as folder:
        scores, out = Path(folder) / "scores", Path(folder) / "plan"
        scores.mkdir()
        units = []
        for first in range(0, args.rows, _UNIT_ROWS):
            units.append(f"{first:08d}")
            pq.write_table(_table(first, _UNIT_ROWS, rng), scores / f"{units[-1]}.parquet")
        size = sum(path.stat().st_size for path in scores.iterdir())
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        start = time.monotonic()
        plan.make_plan(CorpusConfig(), str(scores), units, str(out))
        seconds = time.monotonic() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        dropped = Counter(pq.read_table(out / "dropped.parquet")["slug"].to_pylist())
    facts = {
        "rows": args.rows,
        "seconds": round(seconds, 1),
        "peak_mb": round(peak / 1024),
        "of_which_plan_mb": round((peak - before) / 1024),
        "scores_mb": round(size / 1e6),
        "dropped": dict(dropped),
    }
    print(json.dumps(facts, indent=1))
    (Path(__file__).parent / "results" / "plan_cost.json").write_text(json.dumps(facts) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
