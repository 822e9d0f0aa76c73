"""The same corpus from one worker, from two, and from a job on a running Ray cluster."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.demo import DemoInputs
from tests.pictures import tree
from tests.pipelines.test_build import write_config, write_inputs

ROOT = Path(__file__).parents[2]
SCRIPT = "pipelines/build_corpus.py"
BIN = Path(sys.executable).parent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def config(demo: DemoInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("cluster")
    write_inputs(root)
    return write_config(root / "c.yaml", root, demo)


@pytest.fixture(scope="module")
def embedded(config: Path) -> Path:
    """The corpus that one worker of an embedded Ray makes."""
    out = config.parent / "one"
    call([sys.executable, SCRIPT, *flags(config, out, workers="1")])
    return out


def flags(config: Path, out: Path, workers: str) -> list[str]:
    return ["--config", str(config), "--out", str(out), "--engine.workers", workers]


def environment(**extra: str) -> dict[str, str]:
    # A cluster must find its own packages: nothing is inherited from an outer Ray.
    clean = {k: v for k, v in os.environ.items() if not k.startswith("RAY_")}
    return clean | {"RAY_USAGE_STATS_ENABLED": "0", **extra}


def call(command: list[str], **extra: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment(**extra), capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture(scope="module")
def cluster() -> Iterator[tuple[str, str]]:
    """A head node of its own, with a dashboard; yields its address and the dashboard's."""
    port, dashboard = free_port(), free_port()
    head = subprocess.Popen(
        [
            str(BIN / "ray"),
            "start",
            "--head",
            "--block",
            f"--port={port}",
            f"--dashboard-port={dashboard}",
            "--num-cpus=2",
            "--node-ip-address=127.0.0.1",
            "--include-dashboard=true",
        ],
        env=environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        yield f"127.0.0.1:{port}", f"http://127.0.0.1:{dashboard}"
    finally:
        head.terminate()
        head.wait(timeout=60)


def test_two_workers_make_the_same_bytes(config: Path, embedded: Path) -> None:
    out = config.parent / "two"
    text = call([sys.executable, "-m", "pipelines.build_corpus", *flags(config, out, "2")])
    assert "images/s" in text and "left" in text and "What the shards hold" in text
    assert tree(out / "shards") == tree(embedded / "shards")
    assert (out / "curriculum.json").read_bytes() == (embedded / "curriculum.json").read_bytes()
    assert (out / "corpus.json").read_bytes() == (embedded / "corpus.json").read_bytes()


def test_a_job_on_a_running_cluster_makes_the_same_bytes(
    config: Path, embedded: Path, cluster: tuple[str, str]
) -> None:
    _, dashboard = cluster
    out = config.parent / "job"
    submit = [str(BIN / "ray"), "job", "submit", "--address", dashboard, "--working-dir", "."]
    wait_for(dashboard)
    call([*submit, "--", sys.executable, SCRIPT, *flags(config, out, workers="2")])
    assert tree(out / "shards") == tree(embedded / "shards")


def wait_for(dashboard: str) -> None:
    """Until the job API answers: it comes up some seconds after the head node."""
    listing = [str(BIN / "ray"), "job", "list", "--address", dashboard]
    for _ in range(30):
        done = subprocess.run(listing, env=environment(), capture_output=True, timeout=60)
        if done.returncode == 0:
            return
    pytest.fail(f"the job API at {dashboard} does not answer: {done.stderr.decode()[-500:]}")
