"""Real Ray clusters for tests: a head and more nodes as processes of this machine."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent

# Nodes of one machine must share nothing. In one folder, two that start together take the same
# name for their sockets and one raylet ends at once; in one range of ports their workers collide.
_APART = (
    "--min-worker-port=0",
    "--max-worker-port=0",
    "--dashboard-agent-listen-port=0",
    "--object-store-memory=100000000",
)
# What no test looks at; each process would take half a second to start.
_LESS = ("--include-log-monitor=false",)


def environment(**extra: str) -> dict[str, str]:
    """The environment without what an outer Ray may have set."""
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    # A dead node is found out in seconds rather than in a minute.
    watchful = {
        "RAY_health_check_initial_delay_ms": "1000",
        "RAY_health_check_period_ms": "1000",
        "RAY_health_check_timeout_ms": "2000",
        "RAY_health_check_failure_threshold": "3",
    }
    quiet = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled"}
    # Workers start when they are asked for, not as many as there are CPUs before.
    on_demand = {"RAY_prestart_worker_first_driver": "0"}
    return clean | watchful | quiet | on_demand | extra


@contextmanager
def node(*arguments: str, **variables: str) -> Iterator[subprocess.Popen[bytes]]:
    """`ray start --block` with these arguments, ended with all its children."""
    # Paths of sockets have at most 107 characters: the folder of a test would be too long.
    folder = tempfile.mkdtemp(prefix="ray-")
    command = [str(BIN / "ray"), "start", "--block", f"--temp-dir={folder}"]
    command += [*_APART, *_LESS, *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env=environment(**variables), **quiet)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        kill_node(process)
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def head(
    *arguments: str, cpus: int, gpus: int = 0, port: int | None = None, **variables: str
) -> Iterator[str]:
    """A head node; yields its address. It only says that it has GPUs."""
    port = port or free_port()
    with node(
        "--head",
        f"--port={port}",
        f"--num-cpus={cpus}",
        f"--num-gpus={gpus}",
        "--node-ip-address=127.0.0.1",
        *(arguments or ["--include-dashboard=false", "--no-monitor"]),
        **variables,
    ):
        wait_until(lambda: _listens(port), f"the head at port {port} answers", 60)
        yield f"127.0.0.1:{port}"


@contextmanager
def head_for_jobs(cpus: int, gpus: int = 0, **variables: str) -> Iterator[str]:
    """A head node that takes jobs; yields the address of its dashboard."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    with head(f"--dashboard-port={port}", cpus=cpus, gpus=gpus, **variables):
        wait_for_jobs(url)
        yield url


def wait_for_jobs(url: str) -> None:
    """Until the dashboard at `url` takes jobs."""

    def answers() -> bool:
        try:
            with urllib.request.urlopen(f"{url}/api/jobs/", timeout=10) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    wait_until(answers, f"the job API at {url} answers", 90)


@contextmanager
def growing_cluster(nodes: int) -> Iterator[str]:
    """A head without CPUs and an autoscaler that adds nodes of one CPU; yields the address."""
    port = free_port()
    head_type, head_id = "ray.head.default", "f" * 51 + "00000"
    empty_maps = ("auth", "docker", "file_mounts")
    empty_lists = (
        "cluster_synced_files",
        "initialization_commands",
        "setup_commands",
        "head_setup_commands",
        "worker_setup_commands",
        "head_start_ray_commands",
        "worker_start_ray_commands",
    )
    config = {
        "cluster_name": "growing",
        "max_workers": nodes,
        "upscaling_speed": 1.0,
        "idle_timeout_minutes": 5,
        "head_node_type": head_type,
        "available_node_types": {
            head_type: {"resources": {"CPU": 0}, "node_config": {}, "max_workers": 0},
            "small": {"resources": {"CPU": 1}, "node_config": {}, "max_workers": nodes},
        },
        "provider": {
            "type": "fake_multinode",
            "gcs_address": f"127.0.0.1:{port}",
            "head_node_id": head_id,
            "use_node_id_as_ip": True,
            "disable_node_updaters": True,
            "disable_launch_config_check": True,
        },
        **{name: {} for name in empty_maps},
        **{name: [] for name in empty_lists},
    }
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(config, file)
        file.flush()
        variables = {
            "RAY_FAKE_CLUSTER": "1",
            "AUTOSCALER_UPDATE_INTERVAL_S": "1",
            "RAY_OVERRIDE_NODE_ID_FOR_TESTING": head_id,
        }
        flags = (f"--autoscaling-config={file.name}", "--include-dashboard=false")
        with head(*flags, cpus=0, port=port, **variables) as address:
            yield address


def kill_node(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL the node: its raylet and workers die as on a machine without power."""
    try:
        family = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        family = []
    for member in [*family, process]:
        try:
            member.kill()
        except psutil.NoSuchProcess:
            continue
    process.wait(timeout=30)


def wait_until(ready: Callable[[], bool], what: str, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.2)
    raise TimeoutError(f"not within {limit_s:g} s: {what}")


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
