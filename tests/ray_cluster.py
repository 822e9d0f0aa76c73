"""Real Ray clusters for tests: a head and more nodes as processes of this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

ROOT = Path(__file__).parents[1]
BIN = Path(sys.executable).parent


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
    return clean | watchful | quiet | extra


@contextmanager
def node(*arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`ray start --block` with these arguments, ended with all its children."""
    command = [str(BIN / "ray"), "start", "--block", *arguments]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=ROOT, env=environment(), **quiet)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        kill_node(process)


@contextmanager
def head(cpus: int, gpus: int = 0) -> Iterator[tuple[str, str]]:
    """A head node; yields its address and that of its dashboard. It only says that it has GPUs."""
    port, dashboard = free_port(), free_port()
    address, url = f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}"
    with node(
        "--head",
        f"--port={port}",
        f"--dashboard-port={dashboard}",
        f"--num-cpus={cpus}",
        f"--num-gpus={gpus}",
        "--node-ip-address=127.0.0.1",
    ):
        listing = [str(BIN / "ray"), "job", "list", "--address", url]
        wait_until(lambda: call_quietly(listing) == 0, f"the job API at {url} answers", 90)
        yield address, url


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


def call_quietly(command: list[str]) -> int:
    return subprocess.run(command, env=environment(), capture_output=True, timeout=60).returncode


def wait_until(ready: Callable[[], bool], what: str, limit_s: float) -> None:
    end = time.monotonic() + limit_s
    while time.monotonic() < end:
        if ready():
            return
        time.sleep(0.2)
    raise TimeoutError(f"not within {limit_s:g} s: {what}")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
