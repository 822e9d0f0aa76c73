"""The same corpus from one process, from two workers, and from a job on a running Ray cluster."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.compiled_here import VARIABLES
from tests.pictures import tree
from tests.ray_cluster import BIN, ROOT, environment, head_for_jobs

SCRIPT = "pipelines/build_corpus.py"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def dashboard() -> Iterator[str]:
    with head_for_jobs(cpus=2, gpus=1, **VARIABLES) as url:
        yield url


def flags(config: Path, out: Path, workers: str) -> list[str]:
    return ["--config", str(config), "--out", str(out), "--engine.workers", workers]


def call(command: list[str], **extra: str) -> str:
    done = subprocess.run(
        command, cwd=ROOT, env=environment(**extra), capture_output=True, text=True, timeout=400
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    return done.stdout


def test_two_workers_make_the_same_bytes(first_build: tuple[Path, Path], tmp_path: Path) -> None:
    config, built = first_build
    out = tmp_path / "two"
    text = call([sys.executable, "-m", "pipelines.build_corpus", *flags(config, out, "2")])
    assert "images/s" in text and "left" in text and "What the shards hold" in text
    assert tree(out / "shards") == tree(built / "shards")
    for name in ("curriculum.json", "corpus.json"):
        assert (out / name).read_bytes() == (built / name).read_bytes()


def test_a_job_on_a_running_cluster_makes_the_same_bytes(
    first_build: tuple[Path, Path], dashboard: str, tmp_path: Path
) -> None:
    config, built = first_build
    out = tmp_path / "job"
    submit = [str(BIN / "ray"), "job", "submit", "--address", dashboard, "--working-dir", "."]
    # Scoring asks for shares of a GPU, the other stages must not.
    command = [sys.executable, SCRIPT, *flags(config, out, workers="1")]
    call([*submit, "--", *command, "--engine.gpus_per_worker", "0.5"])
    assert tree(out / "shards") == tree(built / "shards")
