"""What the engine costs in CPU time over a plain pool of processes that does the same work.

    python benchmarks/engine_overhead.py

Some minutes on two cores. Writes benchmarks/results/engine_overhead.json. Both score the same units
of JPEGs with the same function in two worker processes. CPU time is that of the driver and of all
processes below it, which for the engine are Ray's own as well. It is read when a tenth of the
units are done and when all are: the marginal cost, without what start-up takes, which is told
apart. Runs take turns; Ray's workers are not niced, so that both get the same share of the machine.
"""

from __future__ import annotations

import argparse
import datetime
import functools
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import psutil

sys.path[0] = str(Path(__file__).resolve().parents[1])

from benchmarks.build_feel import photograph  # noqa: E402
from filters.scores import Scores  # noqa: E402
from filters.settings import ScoreSettings  # noqa: E402
from pipelines import engine  # noqa: E402
from pipelines.sources import Unit, WebDatasetSource  # noqa: E402
from pipelines.workers import scorer  # noqa: E402
from pipelines.workers.tasks import Listener  # noqa: E402
from tests.pictures import write_tar  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "engine_overhead.json"
_WORKERS = 2


def family_cpu_s() -> float:
    """CPU time of this process and of all below it that live."""
    me = psutil.Process()
    total = 0.0
    for process in [me, *me.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


class Marks(Listener):
    """Reads the clocks when some units are done, and when all are."""

    def __init__(self, units: int) -> None:
        self._first, self._last, self.done_units = max(1, units // 10), units, 0
        self.read: list[tuple[float, float]] = []

    def count(self) -> None:
        self.done_units += 1
        if self.done_units in (self._first, self._last):
            self.read.append((family_cpu_s(), time.monotonic()))

    def done(self, task: engine.Task, stats: engine.Stats, seconds: float) -> None:
        self.count()

    def facts(self) -> dict[str, float]:
        (early_cpu_s, early_s), (late_cpu_s, late_s) = self.read
        units = self._last - self._first
        return {
            "cpu_ms_per_unit": round(1000 * (late_cpu_s - early_cpu_s) / units, 2),
            "wall_ms_per_unit": round(1000 * (late_s - early_s) / units, 2),
            "cpu_s_until_a_tenth": round(early_cpu_s, 2),
        }


def job_of(folder: Path, out: Path) -> tuple[scorer.ScoreJob, list[Unit]]:
    source = WebDatasetSource(name="p", uri=str(folder))
    settings = ScoreSettings(text=False)
    job = scorer.ScoreJob(
        settings=settings,
        versions=scorer.versions(Scores(settings)),
        sources={"p": source},
        folder=str(out),
    )
    return job, list(source.units())


def by_engine(folder: Path, out: Path, rounds: int) -> dict[str, float]:
    job, units = job_of(folder, out)
    tasks = [
        engine.Task(task_id=f"{n}-{unit.unit_id}", payload=unit, weight=unit.bytes)
        for n in range(rounds)
        for unit in units
    ]
    marks = Marks(len(tasks))
    with engine.start(engine.EngineSettings(workers=_WORKERS, tasks_per_worker=10**6)) as started:
        outcome = started.run(tasks, functools.partial(scorer.make_scorer, job), marks)
    assert outcome.tasks == len(tasks)
    return marks.facts()


_work: Any = None


def _load(job: scorer.ScoreJob) -> None:
    global _work
    _work = scorer.make_scorer(job)


def _call(unit: Unit) -> dict[str, Any]:
    return dict(_work(unit))


def by_pool(folder: Path, out: Path, rounds: int) -> dict[str, float]:
    job, units = job_of(folder, out)
    ordered = sorted(units * rounds, key=lambda unit: -unit.bytes)
    marks = Marks(len(ordered))
    with multiprocessing.get_context("spawn").Pool(_WORKERS, _load, (job,)) as pool:
        for _ in pool.imap_unordered(_call, ordered):
            marks.count()
    return marks.facts()


WAYS = {"engine": by_engine, "pool": by_pool}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--tars", type=int, default=8)
    parser.add_argument("--images", type=int, default=100, help="JPEGs of 800 x 600 in each tar")
    parser.add_argument("--rounds", type=int, default=10, help="times that each tar is scored")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--way", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.way:
        way, folder, out = given.way
        print(json.dumps(WAYS[way](Path(folder), Path(out), given.rounds)))
        return 0
    rows: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name) / "photos"
        folder.mkdir()
        for tar in range(given.tars):
            seeds = range(tar * given.images, (tar + 1) * given.images)
            photos = {s: photograph(np.random.default_rng(s), 800, 600) for s in seeds}
            members = {f"{seed:05d}.jpg": data for seed, data in photos.items()}
            write_tar(folder / f"{tar:03d}.tar", members)
        for repeat in range(given.repeats):
            for way in sorted(WAYS, reverse=bool(repeat % 2)):
                command = [sys.executable, __file__, "--rounds", str(given.rounds)]
                command += ["--way", way, str(folder), str(Path(name) / f"{way}-{repeat}")]
                variables = {"PYTHONPATH": str(ROOT), "RAY_worker_niceness": "0"}
                variables["OMP_NUM_THREADS"] = "1"
                done = subprocess.run(
                    command, env=os.environ | variables, check=True, stdout=subprocess.PIPE
                )
                rows.append({"way": way} | json.loads(done.stdout.splitlines()[-1]))
                print(rows[-1], flush=True)
    median = {
        way: {
            what: statistics.median(row[what] for row in rows if row["way"] == way)
            for what in ("cpu_ms_per_unit", "wall_ms_per_unit", "cpu_s_until_a_tenth")
        }
        for way in WAYS
    }
    ratio = median["engine"]["cpu_ms_per_unit"] / median["pool"]["cpu_ms_per_unit"]
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": f"python benchmarks/engine_overhead.py --tars {given.tars}"
        f" --images {given.images} --rounds {given.rounds} --repeats {given.repeats}",
        "device": f"{os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "units": given.tars * given.rounds,
        "images_per_unit": given.images,
        "median": median,
        "cpu_ratio": round(ratio, 3),
        # What the cost model draws out.
        "worker_cpu_ms_per_task": round(
            median["engine"]["cpu_ms_per_unit"] - median["pool"]["cpu_ms_per_unit"], 2
        ),
        "runs": rows,
    }
    print(json.dumps({"cpu_ratio": facts["cpu_ratio"], "median": median}))
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
