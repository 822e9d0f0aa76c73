"""What Ray's dashboard and Prometheus are told while a run goes on."""

from __future__ import annotations

import socket
import subprocess
import sys
import urllib.request

import pytest

from tests.ray_cluster import ROOT, environment, node, wait_until

_DRIVER = """
import time
from pipelines import engine
from pipelines.workers.pulse import beat

def make():
    def work(images):
        for number in range(images):
            time.sleep(0.2)
            beat(images=1, bytes=10, rejected="odd" if number % 2 else None)
        return {}
    return work

with engine.start(engine.EngineSettings(workers=1)) as started:
    tasks = [engine.Task(task_id="a", payload=300)]
    started.run(tasks, make, stage="score")
"""


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


@pytest.mark.slow
def test_images_inside_a_task_are_counted_by_stage_and_slug() -> None:
    port, metrics = free_port(), free_port()
    often = {"RAY_metrics_report_interval_ms": "1000"}
    head = ("--head", f"--port={port}", "--num-cpus=1", f"--metrics-export-port={metrics}")
    with node(*head, **often):
        address = f"127.0.0.1:{port}"
        wait_until(lambda: listens(port), "the head listens", 60)
        process = subprocess.Popen(
            [sys.executable, "-c", _DRIVER],
            cwd=ROOT,
            env=environment(PYTHONPATH=str(ROOT), RAY_ADDRESS=address, **often),
        )
        try:
            wait_until(lambda: counted(metrics), "the counters are shown", 60)
            assert process.poll() is None
        finally:
            process.kill()
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def counted(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return False
    lines = [line for line in text.splitlines() if "vae_corpus_images" in line]
    return any('slug="odd"' in line and 'stage="score"' in line for line in lines)
