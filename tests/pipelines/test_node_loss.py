"""A cluster of several nodes, one of which dies at work."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.ray_cluster import ROOT, environment, head, kill_node, node, wait_until

pytestmark = pytest.mark.soak

_SLOW_TASKS = """
import json, sys, time
from pathlib import Path
from pipelines import engine

folder = Path(sys.argv[1])

def make():
    def work(name):
        (folder / f"begun-{name}").touch()
        time.sleep(1.5)
        (folder / f"done-{name}").touch()
        return {"images": 1}
    return work

with engine.start(engine.EngineSettings(attempts=3)) as started:
    outcome = started.run([engine.Task(task_id=str(i), payload=str(i)) for i in range(12)], make)
print(json.dumps([sorted(outcome.stats), len(outcome.failures)]))
"""


def test_a_node_that_dies_loses_no_task(tmp_path: Path) -> None:
    with (
        head(cpus=0) as (address, _),
        node(f"--address={address}", "--num-cpus=1"),
        node(f"--address={address}", "--num-cpus=1") as doomed,
    ):
        driver = subprocess.Popen(
            [sys.executable, "-c", _SLOW_TASKS, str(tmp_path)],
            cwd=ROOT,
            env=environment(RAY_ADDRESS=address, PYTHONPATH=str(ROOT)),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        # Both nodes are at work: the second task begins before the first one can be done.
        wait_until(lambda: len(list(tmp_path.glob("begun-*"))) >= 4, "tasks begin", 90)
        kill_node(doomed)
        said, complaints = driver.communicate(timeout=180)
    assert driver.returncode == 0, complaints[-3000:]
    finished, failures = json.loads(said.strip().splitlines()[-1])
    assert len(finished) == 12 and failures == 0
