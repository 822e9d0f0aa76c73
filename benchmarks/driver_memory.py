"""Does the driver grow with the number of tasks? Its memory over runs of work that does nothing.

    python benchmarks/driver_memory.py

Some minutes on two cores. Writes benchmarks/results/driver_memory.json. Each run is a process of
its own: what a build holds for a stage (tasks made when they are needed, progress, the log in a
file) around the engine in this process, and around actors of an embedded Ray. The peak of its
resident memory is asked of the kernel at the end, and what many tasks take more than few is told.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from pipelines import engine
from pipelines.report.log import build_log
from pipelines.report.progress import Progress
from pipelines.workers.tasks import Several

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "benchmarks" / "results" / "driver_memory.json"
# (tasks, worker processes); none: in the process that counts.
RUNS = ((10_000, 0), (1_000_000, 0), (1_000, 2), (10_000, 2), (60_000, 2))


class Numbers:
    """Tasks that exist only while they are at work, as those of a build."""

    def __init__(self, count: int) -> None:
        self._count = count
        self.total_weight, self.images = count, count

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[engine.Task]:
        for number in range(self._count):
            name = f"{number:016x}"
            yield engine.Task(task_id=name, payload={"unit": name}, weight=1, images=1)


def make_nothing() -> engine.Work:
    return lambda payload: {"images": 1, "bytes": 1000, "rejected": {"too_small": 1}}


def run(count: int, workers: int) -> dict[str, Any]:
    """Memory and time of one run, measured in this process."""
    tasks = Numbers(count)
    with (
        tempfile.TemporaryDirectory() as out,
        build_log(out) as log,
        engine.start(engine.EngineSettings(workers=workers, tasks_per_worker=10**9)) as started,
    ):
        begun_s, begun_cpu_s = time.monotonic(), time.process_time()
        outcome = started.run(tasks, make_nothing, Several(Progress(tasks), log))
        seconds, cpu_s = time.monotonic() - begun_s, time.process_time() - begun_cpu_s
    assert outcome.tasks == outcome.images == count
    return {
        "tasks": count,
        "workers": workers,
        "peak_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
        "seconds": round(seconds, 1),
        "driver_cpu_ms_per_task": round(1000 * cpu_s / count, 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--run", type=int, nargs=2, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.run:
        print(json.dumps(run(*given.run)))
        return 0
    rows = []
    for count, workers in RUNS:
        command = [sys.executable, __file__, "--run", str(count), str(workers)]
        environment = os.environ | {"PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE)
        rows.append(json.loads(done.stdout.splitlines()[-1]))
        print(rows[-1], flush=True)
    peaks: dict[int, list[float]] = {}
    for row in rows:
        peaks.setdefault(row["workers"], []).append(row["peak_mb"])
    growth = {name: round(found[-1] - found[0], 1) for name, found in peaks.items()}
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/driver_memory.py",
        "device": f"{os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "runs": rows,
        # What the cost model draws out.
        "driver_cpu_ms_per_task": rows[-1]["driver_cpu_ms_per_task"],
        "growth_mb": {"in this process": growth[0], "on Ray": growth[2]},
    }
    print(json.dumps(facts["growth_mb"]))
    RESULTS.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
