"""What Ray's dashboard and Prometheus are told while a run goes on."""

from __future__ import annotations

import subprocess
import sys
import urllib.request

import pytest

from tests.ray_cluster import ROOT, environment, free_port, head, wait_until

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


@pytest.mark.slow
def test_images_inside_a_task_are_counted_by_stage_and_slug() -> None:
    metrics = free_port()
    often = {"RAY_metrics_report_interval_ms": "1000"}
    flags = (f"--metrics-export-port={metrics}", "--include-dashboard=false", "--no-monitor")
    with head(*flags, cpus=1, **often) as address:
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


def counted(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            text = answer.read().decode()
    except OSError:
        return False
    lines = [line for line in text.splitlines() if "vae_corpus_images" in line]
    return any('slug="odd"' in line and 'stage="score"' in line for line in lines)
