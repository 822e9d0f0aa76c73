"""What a user reads when the process is ended from outside, and that it is nothing otherwise."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from pipelines.workers.last_words import last_words
from tests.pipelines.slow_tasks import slow_tasks
from tests.ray_cluster import ROOT


def run(code: str) -> str:
    script = f"import os, sys\nfrom pipelines.workers.last_words import last_words\n{code}"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    return subprocess.run(
        command, env=environment, stderr=subprocess.PIPE, text=True, timeout=30
    ).stderr


def test_a_process_that_is_ended_leaves_a_sentence() -> None:
    said = run("with last_words('it\\'s 100 % over'): os._exit(1)")
    assert said == "it's 100 % over\n"
    assert run("with last_words('over'): os.kill(os.getpid(), 9)") == "over\n"


@pytest.mark.parametrize("leave", ["pass", "sys.exit(1)"])
def test_a_process_that_leaves_by_itself_leaves_none(leave: str) -> None:
    assert run(f"with last_words('over'): {leave}") == ""


def test_nothing_is_left_running() -> None:
    before = psutil.Process().children()
    with last_words("over"):
        assert psutil.Process().children() != before
    assert psutil.Process().children() == before


@pytest.mark.slow
def test_a_build_whose_ray_ends_says_so(tmp_path: Path) -> None:
    with slow_tasks("", tmp_path, count=20, seconds=3, workers=1) as driver:
        driver.wait(begun=1)
        family = psutil.Process(driver.process.pid).children(recursive=True)
        (raylet,) = (member for member in family if member.name() == "raylet")
        raylet.kill()
        _, said = driver.process.communicate(timeout=60)
    assert driver.process.returncode == 1
    assert "Ray on this machine ended" in said and "the same command goes on" in said
