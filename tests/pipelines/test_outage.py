"""Files that cannot be reached, in a build without Ray; and which errors say so."""

from __future__ import annotations

import time

import botocore.exceptions
import pytest

from pipelines import engine
from pipelines.engine import EngineError, EngineSettings, Task
from pipelines.workers.outage import slug_of


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.workers.outage.PATIENCE_S", 1.0)
    monkeypatch.setattr("pipelines.workers.outage.AGAIN_S", 0.1)


def run(work: engine.Work, count: int) -> engine.Outcome:
    tasks = [Task(task_id=str(i), payload=i) for i in range(count)]
    with engine.start(EngineSettings(workers=0)) as started:
        return started.run(tasks, lambda: work)


@pytest.mark.parametrize(
    ("error", "slug"),
    [
        (OSError(5, "Input/output error"), "storage"),
        (TimeoutError("no answer"), "storage"),
        (botocore.exceptions.EndpointConnectionError(endpoint_url="s3://x"), "storage"),
        (FileNotFoundError("no such file"), "exception"),
        (PermissionError("not yours"), "exception"),
        (ValueError("this unit is bad"), "exception"),
    ],
)
def test_errors_of_reaching_files_are_told_from_others(error: Exception, slug: str) -> None:
    assert slug_of(error) == slug


def test_a_store_that_comes_back_costs_no_task() -> None:
    back_s = time.monotonic() + 0.6

    def work(payload: int) -> engine.Stats:
        if time.monotonic() < back_s:
            raise OSError("503 Slow Down")
        return {"images": 1}

    outcome = run(work, 4)
    assert outcome.images == 4 and not outcome.failures


def test_a_store_that_stays_away_ends_the_run_with_a_sentence() -> None:
    def work(payload: int) -> engine.Stats:
        raise OSError("503 Slow Down")

    with pytest.raises(EngineError, match="cannot be reached.*503 Slow Down.*goes on from there"):
        run(work, 4)


def test_a_file_that_cannot_be_read_costs_its_task_alone() -> None:
    def work(payload: int) -> engine.Stats:
        if payload == 2:
            raise OSError(5, "Input/output error")
        return {"images": 1}

    outcome = run(work, 4)
    assert outcome.images == 3
    assert [(f.task_id, f.slug) for f in outcome.failures] == [("2", "storage")]
