"""How much the process that leads a build grows with the number of units, from listing to scoring.

    python benchmarks/driver_units.py

A source of made-up units (a name each; nothing is read) is listed, dealt to neighbourhoods and
written as tables; then the tasks of scoring are made one after the other, as the engine takes them,
with a tenth of the units committed already. Each number of units runs in a process of its own;
what counts is the growth of its peak memory from 10^4 units on, until the last task is made. Names
of ten files a unit.

Writes benchmarks/results/driver_units.json.
"""

from __future__ import annotations

import argparse
import datetime
import hashlib
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pipelines.config import CorpusConfig
from pipelines.sources import FolderSource, Unit
from pipelines.stages.list import list_units
from pipelines.stages.score import UnitTasks, _committed

_RESULTS = Path(__file__).parent / "results" / "driver_units.json"
_COUNTS = (10_000, 100_000, 1_000_000)
# One unit of so many is committed already.
_COMMITTED_OF = 10


class MadeUp(FolderSource):
    """A folder of so many units that nobody has."""

    count: int = 0

    def units(self) -> Iterator[Unit]:
        for n in range(self.count):
            name = hashlib.sha256(str(n).encode()).hexdigest()
            yield Unit(
                unit_id=name[:16],
                source=self.name,
                uri="/data/photos",
                start=0,
                stop=10,
                bytes=10**8 + n,
                members=tuple(f"{name[16:40]}/{i:04d}.jpg" for i in range(10)),
            )


def lead(count: int) -> dict[str, Any]:
    """List the units and make their tasks; peak MB of this process, and seconds."""
    shown = SimpleNamespace(show=lambda figures: None)
    runner: Any = SimpleNamespace(console=shown, worked=set())
    with tempfile.TemporaryDirectory() as folder:
        config = CorpusConfig(out=folder)
        start = time.process_time()
        listed = list_units(config, [MadeUp(name="a", uri="/data", count=count)], runner)
        scores = Path(folder) / "scores"
        scores.mkdir()
        committed = 0
        for part in listed.numbers.parts():
            for name in part["id"][::_COMMITTED_OF]:
                (scores / f"{int(name):016x}.parquet").touch()
                committed += 1
        tasks = UnitTasks(listed, _committed(str(scores)))
        made = sum(1 for _ in tasks)
        assert made == len(tasks) == count - committed
        seconds = time.process_time() - start
        # Not later: removing the folder takes a list of all its files.
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return {
        "units": count,
        "neighbourhoods": len(listed.neighbourhoods),
        "peak_mb": round(peak / 1024, 1),
        "cpu_s": round(seconds, 1),
    }


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--lead", type=int, help="one number of units, in this process")
    args = parser.parse_args(argv)
    if args.lead:
        print(json.dumps(lead(args.lead)))
        return 0
    runs = []
    for count in _COUNTS:
        command = [sys.executable, __file__, "--lead", str(count)]
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        runs.append(json.loads(said.splitlines()[-1]))
        print(runs[-1], flush=True)
    facts = {
        "runs": runs,
        "growth_mb": round(runs[-1]["peak_mb"] - runs[0]["peak_mb"], 1),
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/driver_units.py",
    }
    print(json.dumps(facts, indent=1))
    _RESULTS.write_text(json.dumps(facts, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
