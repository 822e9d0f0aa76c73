"""Processes that cannot hear that they are to end, because they are stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import psutil

from pipelines.workers.fate import end_process
from tests.ray_cluster import ROOT, wait_until

_SLEEP = "import time; time.sleep(60)"


def test_a_stopped_process_is_ended_by_its_name_alone() -> None:
    process = subprocess.Popen([sys.executable, "-c", _SLEEP, "the-worker"])
    try:
        process.send_signal(signal.SIGSTOP)
        end_process(process.pid, "of-another-name")
        assert psutil.Process(process.pid).status() != psutil.STATUS_ZOMBIE
        assert process.poll() is None
        end_process(process.pid, "the-worker")
        assert process.wait(timeout=10) == -signal.SIGKILL
    finally:
        process.kill()
        process.wait()
    end_process(process.pid, "the-worker")  # nothing has this number any more


def test_a_stopped_process_ends_with_its_parent() -> None:
    ask = "from pipelines.workers.fate import die_with_parent; die_with_parent()"
    child = f"import os; {ask}; print(os.getpid(), flush=True); {_SLEEP}"
    parent = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {child!r}])"
    process = subprocess.Popen(
        [sys.executable, "-c", parent], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout is not None
        pid = int(process.stdout.readline())
        os.kill(pid, signal.SIGSTOP)
        assert _lives(pid)
        process.kill()
    wait_until(lambda: not _lives(pid), "the child is gone", 10)


def _lives(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
