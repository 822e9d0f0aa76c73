"""The pool on clusters with less room than their CPUs promise, and on one that grows."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.pipelines.slow_tasks import slow_tasks
from tests.ray_cluster import growing_cluster, head, node

pytestmark = pytest.mark.slow


def test_workers_of_two_cpus_on_nodes_of_three(tmp_path: Path) -> None:
    with (
        head(cpus=0) as address,
        node(f"--address={address}", "--num-cpus=3"),
        node(f"--address={address}", "--num-cpus=3"),
        slow_tasks(address, tmp_path, count=8, seconds=1.5, cpus_per_worker=2) as driver,
    ):
        result = driver.result()
    # Six CPUs are enough for three such workers, but not where they are.
    assert len(result["done"]) == 8 and not result["failures"]
    assert len(set(result["done"].values())) == 2


def test_a_cpu_that_another_job_holds_is_not_waited_for(tmp_path: Path) -> None:
    with (
        head(cpus=2) as address,
        slow_tasks(address, tmp_path / "other", count=1, seconds=300, workers=1) as other,
    ):
        other.wait(begun=1)
        with slow_tasks(address, tmp_path / "ours", count=6, seconds=0.5) as driver:
            result = driver.result()
        assert other.process.poll() is None
    assert len(result["done"]) == 6 and not result["failures"]


def test_an_autoscaling_cluster_grows(tmp_path: Path) -> None:
    with (
        growing_cluster(nodes=4) as address,
        slow_tasks(address, tmp_path, count=16, seconds=2) as driver,
    ):
        result = driver.result()
    assert len(result["done"]) == 16 and not result["failures"]
    assert len(set(result["done"].values())) >= 3


def test_workers_that_fit_on_no_node_are_given_up(tmp_path: Path) -> None:
    with (
        head(cpus=1) as address,
        slow_tasks(
            address, tmp_path, count=2, seconds=0.1, cpus_per_worker=2, start_timeout_s=3
        ) as driver,
    ):
        said, complaints = driver.process.communicate(timeout=60)
    # Ray's autoscaler may have said a word of its own.
    assert driver.process.returncode == 1 and '"done"' not in said
    assert "each asks for 2 CPU on one node; nodes: 1 with 1 CPU" in complaints
    assert "the build was cut off" not in complaints
