"""The pool on a cluster whose nodes have little room, die, or join late, and on one that grows."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.pipelines.slow_tasks import slow_tasks
from tests.ray_cluster import growing_cluster, head, kill_node, node

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    """The address of a head and a node, each with three CPUs."""
    with head(cpus=3) as address, node(f"--address={address}", "--num-cpus=3"):
        yield address


def workers() -> set[psutil.Process]:
    """Those of all nodes that these tests have started."""
    return {
        member
        for member in psutil.Process().children(recursive=True)
        if member.cmdline()[:1] and member.cmdline()[0].startswith("ray::_Worker")
    }


def test_workers_of_two_cpus_on_nodes_of_three(cluster: str, tmp_path: Path) -> None:
    with slow_tasks(cluster, tmp_path, count=8, seconds=1, cpus_per_worker=2) as driver:
        result = driver.result()
    # Six CPUs are enough for three such workers, but not where they are.
    assert len(result["done"]) == 8 and not result["failures"]
    assert len(set(result["done"].values())) == 2


def test_a_node_that_another_job_holds_is_not_waited_for(cluster: str, tmp_path: Path) -> None:
    held = {"workers": 1, "cpus_per_worker": 3}
    with slow_tasks(cluster, tmp_path / "other", count=1, seconds=300, **held) as other:
        other.wait(begun=1)
        ours = tmp_path / "ours"
        with slow_tasks(cluster, ours, count=6, seconds=0.5, cpus_per_worker=2) as driver:
            result = driver.result()
        assert other.process.poll() is None
    assert len(result["done"]) == 6 and not result["failures"]
    assert not set(result["done"].values()) & set(other.begun())


def test_workers_that_fit_on_no_node_are_given_up(cluster: str, tmp_path: Path) -> None:
    given = {"cpus_per_worker": 9, "start_timeout_s": 3}
    with slow_tasks(cluster, tmp_path, count=2, seconds=0.1, **given) as driver:
        said, complaints = driver.process.communicate(timeout=60)
    # Ray's autoscaler may have said a word of its own.
    assert driver.process.returncode == 1 and '"done"' not in said
    assert "each asks for 9 CPU on one node; nodes: " in complaints
    assert "2 with 3 CPU" in complaints
    assert "the build was cut off" not in complaints


def test_a_node_that_dies_loses_no_task(cluster: str, tmp_path: Path) -> None:
    # Two tries: the death of the node costs each task one, however it comes about.
    given = {"cpus_per_worker": 2, "attempts": 2}
    with (
        node(f"--address={cluster}", "--num-cpus=2") as doomed,
        slow_tasks(cluster, tmp_path, count=12, seconds=1, **given) as driver,
    ):
        driver.wait(begun=6, nodes=3)
        kill_node(doomed)
        result = driver.result()
    assert len(result["done"]) == 12 and not result["failures"]


def test_a_worker_that_is_stopped_is_replaced_where_nothing_is_free(
    cluster: str, tmp_path: Path
) -> None:
    whole = {"workers": 1, "cpus_per_worker": 3}
    with slow_tasks(cluster, tmp_path / "other", count=1, seconds=300, **whole) as other:
        other.wait(begun=1)
        others, ours = workers(), tmp_path / "ours"
        with slow_tasks(cluster, ours, 4, 0.5, silence_timeout_s=5, **whole) as driver:
            driver.wait(begun=1)
            (worker,) = workers() - others
            worker.send_signal(signal.SIGSTOP)
            result = driver.result()
            assert not worker.is_running()
    assert len(result["done"]) == 4 and not result["failures"]
    assert len(driver.begun()) == 5, "one of them was begun twice"


def test_tasks_wait_for_a_node_that_joins_late(cluster: str, tmp_path: Path) -> None:
    # The time limit of a task is shorter than the wait for its worker.
    limits = {"attempts": 1, "task_timeout_s": 4, "cpus_per_worker": 4}
    with slow_tasks(cluster, tmp_path, count=6, seconds=0.5, **limits) as driver:
        driver.wait(begun=0)
        time.sleep(5)
        with node(f"--address={cluster}", "--num-cpus=4"):
            result = driver.result()
    assert len(result["done"]) == 6 and not result["failures"]


def test_an_autoscaling_cluster_grows(tmp_path: Path) -> None:
    with (
        growing_cluster(nodes=2) as address,
        slow_tasks(address, tmp_path, count=12, seconds=1) as driver,
    ):
        result = driver.result()
    assert len(result["done"]) == 12 and not result["failures"]
    assert len(set(result["done"].values())) == 2
