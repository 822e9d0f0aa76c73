"""A driver whose head is silent ends with a sentence, also when it is stuck itself."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from pipelines.workers import head_watch
from pipelines.workers.head_watch import HeadWatch
from pipelines.workers.tasks import EngineError
from tests.ray_cluster import ROOT, wait_until


def silence(watch: HeadWatch) -> str:
    try:
        watch.check()
    except EngineError as error:
        return str(error)
    return ""


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(head_watch, "_ASK_EVERY_S", 0.1)
    monkeypatch.setattr(head_watch, "SILENCE_S", 1.5)
    monkeypatch.setattr(head_watch, "_GRACE_S", 60.0)


def test_a_head_that_answers_is_not_missed() -> None:
    watch = HeadWatch(lambda: None, "the head is gone")
    with watch.watching():
        time.sleep(3.5)
        assert silence(watch) == ""


def never() -> None:
    time.sleep(60)


def refuses() -> None:
    raise ConnectionError("no answer")


@pytest.mark.parametrize("ask", [never, refuses])
def test_a_head_that_is_silent_is_told_of(ask: object) -> None:
    watch = HeadWatch(ask, "the head is gone")  # type: ignore[arg-type]
    with watch.watching():
        assert silence(watch) == ""
        wait_until(lambda: silence(watch) == "the head is gone", "the silence is told", 10)


def test_a_driver_that_is_stuck_is_ended_with_one_sentence() -> None:
    code = (
        "import time; from pipelines.workers import head_watch\n"
        "from pipelines.workers.last_words import last_words\n"
        "head_watch.SILENCE_S = head_watch._GRACE_S = 0.5\n"
        "watch = head_watch.HeadWatch(lambda: time.sleep(60), 'the head is gone')\n"
        "with watch.watching(), last_words('cut off'): time.sleep(60)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (1, "error: the head is gone\n")
