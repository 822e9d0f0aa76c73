"""A cluster that loses a node, and one that gets a node, while tasks run."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.pipelines.slow_tasks import slow_tasks
from tests.ray_cluster import head, kill_node, node

pytestmark = pytest.mark.slow


def test_a_node_that_dies_loses_no_task(tmp_path: Path) -> None:
    with (
        head(cpus=0) as address,
        node(f"--address={address}", "--num-cpus=1"),
        node(f"--address={address}", "--num-cpus=2") as doomed,
        # Two tries: the death of the node costs each task one, however it comes about.
        slow_tasks(address, tmp_path, count=14, seconds=1.5, attempts=2) as driver,
    ):
        driver.wait(begun=6)
        assert len(set(driver.begun())) == 2, "both nodes are at work"
        kill_node(doomed)
        result = driver.result()
    assert len(result["done"]) == 14 and not result["failures"]


def test_tasks_wait_for_a_node_that_joins_late(tmp_path: Path) -> None:
    with ExitStack() as late, head(cpus=0) as address:
        # The time limit of a task is shorter than the wait for its worker.
        limits = {"attempts": 1, "task_timeout_s": 4}
        with slow_tasks(address, tmp_path, count=6, seconds=0.5, **limits) as driver:
            driver.wait(begun=0)
            time.sleep(5)
            late.enter_context(node(f"--address={address}", "--num-cpus=1"))
            driver.wait(begun=2)
            late.enter_context(node(f"--address={address}", "--num-cpus=1"))
            result = driver.result()
    assert len(result["done"]) == 6 and not result["failures"]
