"""What a stage is said to have done, and when."""

from __future__ import annotations

import time

import pytest

from pipelines.report.console import Console
from pipelines.report.progress import Progress
from pipelines.workers.pulse import Pulse, beat
from pipelines.workers.tasks import Crew, Task


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def tasks(count: int, *, weight: int = 1000, images: int | None = 10) -> list[Task]:
    return [Task(task_id=str(i), payload=None, weight=weight, images=images) for i in range(count)]


def test_images_inside_a_task_count_before_it_ends() -> None:
    clock = Clock()
    todo = tasks(4)
    progress = Progress(todo, clock)
    progress.running([(todo[0], {})], Crew(at_work=1))
    clock.now += 5
    progress.running([(todo[0], {"images": 5, "bytes": 500})], Crew(at_work=1))
    now = progress.snapshot()
    assert (now.images, now.total, now.tasks) == (5, 40, 0)
    assert now.left_s == pytest.approx(5 * 7)
    assert str(now).startswith("5 of 40 images, 1.0 images/s, ")


def test_what_a_failed_try_had_counted_is_taken_back() -> None:
    todo = tasks(1)
    progress = Progress(todo)
    progress.running([(todo[0], {"images": 5})], Crew(at_work=1))
    progress.failed(todo[0], "worker_died", "gone", again=True)
    assert progress.snapshot().images == 0 and progress.snapshot().retries == 1
    progress.done(todo[0], {"images": 10, "rejected": {"too_small": 2}}, 1.0)
    now = progress.snapshot()
    assert now.images == 10 and "2 rejected (2 too_small), 1 retry" in str(now)


def test_where_nobody_knows_the_images_their_number_is_estimated_by_weight() -> None:
    todo = tasks(4, images=None)
    progress = Progress(todo)
    assert progress.snapshot().total is None
    progress.done(todo[0], {"images": 30, "bytes": 900}, 1.0)
    assert progress.snapshot().total == 120 and "of about 120 images" in str(progress.snapshot())
    for task in todo[1:]:
        progress.done(task, {"images": 20}, 1.0)
    assert "90 of 90 images" in str(progress.snapshot())


def test_a_heavy_task_counts_for_more_than_a_light_one() -> None:
    clock = Clock()
    light, heavy = (Task(task_id=str(w), payload=None, weight=w, images=1) for w in (1, 99))
    progress = Progress([light, heavy], clock)
    progress.running([(heavy, {})], Crew(at_work=1))
    clock.now += 99
    progress.done(heavy, {"images": 1}, 99.0)
    assert progress.snapshot().left_s == pytest.approx(1)


def test_only_the_thread_that_counts_is_counted() -> None:
    pulse = Pulse()
    beat(images=1)
    with pulse.counting():
        beat(images=1, bytes=5)
        beat(images=1, bytes=5, rejected="too_small")
    beat(images=1)
    assert pulse.read() == {"images": 2, "bytes": 10, "rejected": {"too_small": 1}}


def test_a_stage_that_is_busy_in_one_call_says_so(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("pipelines.report.console._LOG_FIRST_S", 0.1)
    monkeypatch.setattr("pipelines.report.console._LOG_EVERY_S", 0.1)
    with Console().stage("plan"):
        time.sleep(0.5)
    assert "plan: at work for 0:00" in capsys.readouterr().out
