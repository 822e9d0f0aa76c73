"""What a plan costs by the number of scored images, pass by pass, and whether it is right.

    python benchmarks/plan_scale.py --rows 1000000 --partitions 4
    python benchmarks/plan_scale.py --rows 10000000 --partitions 16 --folder /data/plan
    python benchmarks/plan_scale.py --rows 200000 --alike 1,4,64

The rows are made up (`plan_rows.py`), a thousand in a unit, 64 units in a neighbourhood. Each task
of each pass runs in a process of its own, forked from this one, which tells its CPU time and the
most memory that it had (with what this process has, which is told as well). Then the tables are
compared with what was planted: near duplicates found, and images that were merged and are none.

`--alike` makes the same plan with other numbers of partitions and compares all bytes. `--hundred`
runs, of a plan of 10^8 rows in 160 partitions, the pass that does not grow in proportion: one
partition of the search for near duplicates, with hashes drawn among those that fall into it.

Writes benchmarks/results/plan_scale.json, a line for each number of rows.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import multiprocessing
import os
import resource
import shutil
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks import plan_rows  # noqa: E402
from pipelines.config import CorpusConfig  # noqa: E402
from pipelines.planning import hash_pairs, tables  # noqa: E402
from pipelines.planning.job import Neighbourhood, PlanJob  # noqa: E402
from pipelines.planning.passes.near import MAX_LOG_ASPECT, MAX_LUMA_STEP  # noqa: E402
from pipelines.stages import plan  # noqa: E402
from pipelines.stages.units import UNIT_SCHEMA  # noqa: E402
from vae_corpus import storage  # noqa: E402

_RESULTS = Path(__file__).parent / "results" / "plan_scale.json"
_UNITS = 64
_GIB = 1 << 30
_NEAR = hash_pairs.Nearness(bits=4, fine_bits=24, log_aspect=MAX_LOG_ASPECT, luma=MAX_LUMA_STEP)


def write_scores(
    folder: Path, rows: int, processes: int, each: int = _UNITS
) -> list[Neighbourhood]:
    """The tables of scores and units; those that are there already are taken for whole."""
    scores, units = folder / "scores", folder / "units"
    scores.mkdir(parents=True, exist_ok=True)
    firsts = range(0, rows, plan_rows.UNIT_ROWS)
    missing = [f for f in firsts if not (scores / f"{plan_rows.unit_name(f)}.parquet").exists()]
    with multiprocessing.Pool(processes) as pool:
        list(pool.imap(_Write(scores), missing, chunksize=16))
    names = sorted(plan_rows.unit_name(first) for first in firsts)
    dealt = []
    for number, start in enumerate(range(0, len(names), each)):
        mine = [{"unit_id": name} for name in names[start : start + each]]
        path = str(units / f"{rows}-{each}-{number:06d}.parquet")
        storage.commit_table(path, pa.Table.from_pylist(mine, schema=UNIT_SCHEMA))
        dealt.append(Neighbourhood(number=number, generation=0, units=path))
    return dealt


class _Write:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def __call__(self, first: int) -> None:
        plan_rows.write(self._folder, first)


def run_passes(job: PlanJob, told: dict[str, Any]) -> None:
    """Make the plan, each task in a child; `told` takes CPU seconds and bytes by pass."""

    def run(job: PlanJob, step: plan.Pass, numbers: list[int]) -> None:
        for number in numbers:
            cpu_s, peak, files = _in_child(job, step, number)
            told["cpu_s"][step.name] += cpu_s
            told["files"] += files
            told["peak_gib"][step.name] = max(told["peak_gib"][step.name], peak / _GIB)

    for step in plan.PASSES:
        count = 1 if step.single else job.partitions
        start = time.monotonic()
        run(job, step, list(range(count)))
        told["wall_s"][step.name] += time.monotonic() - start
        size = sum(f.stat().st_size for f in Path(job.work).rglob("*") if f.is_file())
        told["work_gib"] = max(told["work_gib"], size / _GIB)
    # What is left to do is to say so and tidy up.
    plan.make_plan(job)


def _in_child(job: PlanJob, step: plan.Pass, number: int) -> tuple[float, float, int]:
    """CPU seconds of a task, the most bytes it had, and how often it opened a file."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        opened = _count_files()
        start = time.process_time()
        plan.do_task(job, step, number)
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
        os.write(write, json.dumps([time.process_time() - start, peak, len(opened)]).encode())
        os._exit(0)
    os.close(write)
    _, status = os.waitpid(child, 0)
    said = os.read(read, 4096)
    os.close(read)
    if status or not said:
        raise RuntimeError(f"{step.name} {number} ended with {status}")
    cpu_s, peak, files = json.loads(said)
    return cpu_s, peak, files


def _count_files() -> list[None]:
    """Grows by one whenever a file is opened to be read or written, from here on."""
    opened: list[None] = []

    def counting(do: Any) -> Any:
        def counted(*arguments: Any, **named: Any) -> Any:
            opened.append(None)
            return do(*arguments, **named)

        return counted

    for name in ("open_read", "commit", "commit_table", "read_bytes"):
        setattr(storage, name, counting(getattr(storage, name)))
    pa.memory_map = counting(pa.memory_map)
    return opened


def check(folder: str, rows: int) -> dict[str, Any]:
    """What was found of what was planted, and what was merged that is not alike."""
    numbers = np.arange(rows, dtype=np.uint64)
    of, kind = plan_rows.copies(numbers)
    with duckdb.connect() as db:
        files = tables.paths(folder, "dropped")
        every = sum(tables.paths(folder, fate).__len__() > 0 for fate in tables.FATES)
        counted = sum(
            pq.ParquetFile(path).metadata.num_rows
            for fate in tables.FATES
            for path in tables.paths(folder, fate)
        )
        dropped = db.execute(
            "SELECT left(member, 9)::BIGINT, slug FROM read_parquet($files)", {"files": files}
        ).fetchnumpy()
        by_slug = dict(
            db.execute(
                "SELECT slug, count(*) FROM read_parquet($files) GROUP BY 1 ORDER BY 2 DESC",
                {"files": files},
            ).fetchall()
        )
    assert every == 3 and counted == rows, f"{counted} rows of {rows} are in the tables"
    place, slugs = dropped['CAST("left"(member, 9) AS BIGINT)'], dropped["slug"]
    fate = np.full(rows, "", object)
    fate[place] = slugs
    merged = fate == "near_duplicate"
    # A row is judged before it is compared, and of an exact copy nothing more is asked.
    compared = np.isin(fate, ["", "near_duplicate", "over_quota"])
    near = (kind == plan_rows.NEAR) & compared
    # The best of a family stays; who is alike is of one family, by the row that all come from.
    sizes = np.bincount(of.astype(np.int64), weights=compared, minlength=rows)
    stayed = np.bincount(of.astype(np.int64), weights=(fate == ""), minlength=rows)
    families = sizes > 1
    alone = sizes[of.astype(np.int64)] <= 1
    return {
        "rows": rows,
        "dropped": by_slug,
        "near_planted": int((sizes[families] - 1).sum()),
        "near_found": int((sizes[families] - stayed[families]).sum()),
        "near_rows": int(near.sum()),
        "false_merges": int((merged & alone).sum()),
        "families_lost": int((families & (stayed == 0)).sum()),
    }


def digest(folder: str) -> str:
    """One hash over the names and bytes of all tables of a plan."""
    whole = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*.parquet")):
        whole.update(str(path.relative_to(folder)).encode())
        whole.update(hashlib.sha256(path.read_bytes()).digest())
    return whole.hexdigest()[:16]


def measure(
    folder: Path, rows: int, partitions: int, processes: int, each: int = _UNITS
) -> dict[str, Any]:
    dealt = write_scores(folder, rows, processes, each)
    hash_pairs.meet(_few_rows(), _NEAR, 0)  # children find the loops compiled
    config = CorpusConfig.model_validate({"plan": {"partitions": partitions}})
    out = folder / f"plan-{rows}-{partitions}"
    shutil.rmtree(out, ignore_errors=True)
    job = plan.plan_job(config, str(folder / "scores"), str(out), dealt, ("a",))
    told: dict[str, Any] = {name: defaultdict(float) for name in ("cpu_s", "wall_s", "peak_gib")}
    told |= {"work_gib": 0.0, "files": 0}
    run_passes(job, told)
    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _GIB
    facts = {
        "rows": rows,
        "partitions": job.partitions,
        "cpu_s_per_million": round(sum(told["cpu_s"].values()) / rows * 1e6, 1),
        "peak_gib_of_a_task": round(max(told["peak_gib"].values()), 2),
        "of_which_this_process_gib": round(idle, 2),
        "handed_over_gib": round(told["work_gib"], 2),
        "exchange_bytes_per_row": round(told["work_gib"] * _GIB / rows),
        # A footer and what is wanted, or a beginning and an end.
        "requests_per_million_rows": round(2 * told["files"] / rows * 1e6),
        "plan_gib": round(sum(f.stat().st_size for f in out.rglob("*.parquet")) / _GIB, 2),
        "by_pass": {
            name: {
                "cpu_s_per_million": round(told["cpu_s"][name] / rows * 1e6, 2),
                "peak_gib": round(told["peak_gib"][name], 2),
                "wall_s": round(told["wall_s"][name], 1),
            }
            for name in told["cpu_s"]
        },
        "capped": tables.facts(str(out)),
        **check(str(out), rows),
        "digest": digest(str(out)),
    }
    return facts


def _hashed(numbers: Any, phash: Any, fine: Any) -> hash_pairs.Hashed:
    page = plan_rows.is_page(numbers)
    return hash_pairs.Hashed(
        phash=phash,
        fine=fine,
        aspect=np.zeros(len(numbers)),
        luma=np.full(len(numbers), 100.0),
        page=numbers,
        same=numbers,
        flags=np.where(page, 2, 1).astype(np.uint8),
        better=np.stack([numbers] * 3, axis=1),
    )


def _few_rows() -> hash_pairs.Hashed:
    numbers = np.arange(1000, dtype=np.uint64)
    return _hashed(numbers, *plan_rows.hashes(numbers))


def hundred_million(partitions: int = 160, rows: int = 100_000_000) -> dict[str, Any]:
    """One partition of the search for near duplicates among 10^8 rows, as dense as it would be."""
    count = rows // partitions
    start, met = time.process_time(), 0
    for block in hash_pairs.first_blocks(4):
        numbers = np.arange(count, dtype=np.uint64)
        phash, fine = plan_rows.hashes(numbers)
        low, width = hash_pairs.blocks(4)[block]
        # A partition of 160 has 3 of the 512 values of a block.
        few = plan_rows.drawn(numbers, 7) % np.uint64(3)
        mask = np.uint64(((1 << width) - 1) << low)
        phash = (phash & ~mask) | (few << np.uint64(low))
        found = hash_pairs.meet(_hashed(numbers, phash, fine), _NEAR, block)
        met += int((found.twin >= 0).sum()) + int((found.looks >= 0).sum())
    cpu_s = time.process_time() - start
    return {
        "rows": rows,
        "partitions": partitions,
        "rows_of_this_partition": count,
        "near_cpu_s_of_this_partition": round(cpu_s, 1),
        "near_cpu_s_per_million": round(cpu_s / count * 1e6, 2),
        "pairs": met,
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / _GIB, 2),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--partitions", type=int, default=4)
    parser.add_argument("--processes", type=int, default=2, help="that write the made-up scores")
    parser.add_argument(
        "--folder", type=Path, help="where scores lie and stay; none: a temporary one"
    )
    parser.add_argument(
        "--alike", help="numbers of partitions whose plans must have the same bytes"
    )
    parser.add_argument("--hundred", action="store_true", help="a share of a plan of 10^8 rows")
    args = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.folder or Path(temporary)
        if args.hundred:
            facts, name = hundred_million(), "share_of_10^8"
        elif args.alike:
            counts = [int(part) for part in args.alike.split(",")]
            each = min(_UNITS, args.rows // plan_rows.UNIT_ROWS // max(counts))
            found = {
                n: measure(folder, args.rows, n, args.processes, each)["digest"] for n in counts
            }
            facts = {"rows": args.rows, "digests": found, "same": len(set(found.values())) == 1}
            name = "alike"
        else:
            facts, name = (
                measure(folder, args.rows, args.partitions, args.processes),
                f"{args.rows}",
            )
    facts["date"] = datetime.date.today().isoformat()
    facts["command"] = f"python benchmarks/plan_scale.py {' '.join(sys.argv[1:])}"
    print(json.dumps(facts, indent=1))
    held = json.loads(_RESULTS.read_text()) if _RESULTS.exists() else {}
    _RESULTS.write_text(json.dumps(held | {name: facts}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
