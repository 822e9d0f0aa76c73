"""Runs the engine over tasks that only take time; a driver for tests of real clusters.

`python slow_tasks.py FOLDER COUNT SECONDS SETTINGS`: each task leaves the name of its node in
FOLDER when it begins; what became of them is printed at the end, as JSON.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ray

from pipelines import engine
from pipelines.workers.tasks import Listener
from tests.ray_cluster import ROOT, environment, wait_until


@dataclass
class Driver:
    """A running driver, and the folder in which its tasks report."""

    folder: Path
    process: subprocess.Popen[str]

    def wait(self, begun: int, *, nodes: int = 1) -> None:
        """Until so many tries have begun on so many nodes; with 0 until the engine has its tasks.

        Workers of a node may be late where much else is at work.
        """
        marks, count = ("begun-*", begun) if begun else ("started", 1)

        def ready() -> bool:
            assert self.process.poll() is None, self.process.communicate()[1][-3000:]
            enough = len(list(self.folder.glob(marks))) >= count
            return enough and (not begun or len(set(self.begun())) >= nodes)

        wait_until(ready, f"{begun} tries begin on {nodes} nodes", 60)

    def begun(self) -> list[str]:
        """The nodes of the tries that have begun, in no order."""
        return [path.name.split("-")[1] for path in self.folder.glob("begun-*")]

    def result(self, limit_s: float = 60) -> dict[str, Any]:
        """`done` (node of each finished task), `failures` and `seconds` of the run."""
        said, complaints = self.process.communicate(timeout=limit_s)
        assert self.process.returncode == 0, complaints[-3000:]
        result: dict[str, Any] = json.loads(said.strip().splitlines()[-1])
        return result


@contextmanager
def slow_tasks(
    address: str, folder: Path, count: int, seconds: float, **settings: Any
) -> Iterator[Driver]:
    """A driver on the cluster at `address`, on an embedded one if that is empty."""
    folder.mkdir(exist_ok=True)
    cluster = {"RAY_ADDRESS": address} if address else {}
    arguments = [str(folder), str(count), str(seconds), json.dumps(settings)]
    process = subprocess.Popen(
        [sys.executable, __file__, *arguments],
        cwd=ROOT,
        env=environment(PYTHONPATH=str(ROOT), **cluster),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield Driver(folder, process)
        finally:
            process.kill()


class _Nodes(Listener):
    """Keeps on which node each task was done."""

    def __init__(self) -> None:
        self.done_on: dict[str, str] = {}

    def done(self, task: engine.Task, stats: engine.Stats, seconds: float) -> None:
        self.done_on[task.task_id] = stats["node"]


def main() -> None:
    folder, count, seconds = Path(sys.argv[1]), int(sys.argv[2]), float(sys.argv[3])

    def make() -> engine.Work:
        node = ray.get_runtime_context().get_node_id()

        def work(name: str) -> engine.Stats:
            (folder / f"begun-{node}-{name}-{time.time_ns()}").touch()
            time.sleep(seconds)
            return {"images": 1, "node": node}

        return work

    settings = engine.EngineSettings(**json.loads(sys.argv[4]))
    tasks = [engine.Task(task_id=str(i), payload=str(i)) for i in range(count)]
    nodes = _Nodes()
    with engine.start(settings) as started:
        (folder / "started").touch()
        start = time.monotonic()
        outcome = started.run(tasks, make, nodes)
        took = time.monotonic() - start
    failures = [failure.slug for failure in outcome.failures]
    print(json.dumps({"done": nodes.done_on, "failures": failures, "seconds": took}))


if __name__ == "__main__":
    main()
