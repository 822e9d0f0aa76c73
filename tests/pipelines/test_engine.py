"""The engine, in this process and on a real Ray with workers that die, hang and raise."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any
from weakref import WeakSet

import pytest

from pipelines import engine
from pipelines.engine import Engine, EngineError, EngineSettings, Task
from pipelines.workers.head_watch import HeadWatch
from pipelines.workers.pulse import beat
from pipelines.workers.tasks import Crew, Listener, Outcome, Stats
from pipelines.workers.todo import Todo
from vae_corpus.memo import memo

# For engines beside the one of the fixture: as a watch whose head always answers.
UNWATCHED = HeadWatch(lambda: None, "")


def tasks(*payloads: Any) -> list[Task]:
    return [Task(task_id=str(i), payload=p, weight=i) for i, p in enumerate(payloads)]


@pytest.fixture(scope="module")
def pool() -> Iterator[Engine]:
    with engine.start(EngineSettings(workers=2, attempts=2, task_timeout_s=20)) as started:
        yield started


@pytest.fixture
def free_node(pool: Engine) -> None:
    """The node of `pool`, whose CPUs are for an engine beside it."""
    pool.dismiss()


@pytest.fixture(scope="module")
def here() -> Iterator[Engine]:
    with engine.start(EngineSettings(workers=0, attempts=2)) as started:
        yield started


class Heard(Listener):
    """Keeps what each task gave, and how many images were counted inside of tasks."""

    def __init__(self) -> None:
        self.stats: dict[str, Stats] = {}
        self.inside: list[int] = []

    def running(self, tasks: Sequence[tuple[Task, Stats]], crew: Crew) -> None:
        self.inside.append(sum(stats.get("images", 0) for _, stats in tasks))

    def done(self, task: Task, stats: Stats, seconds: float) -> None:
        self.stats[task.task_id] = stats


def run(
    started: Engine, todo: list[Task], make: Callable[[], engine.Work], **more: Any
) -> tuple[dict[str, Stats], Outcome]:
    """The stats of each task that ended well, by id, and the outcome."""
    heard = Heard()
    outcome = started.run(todo, make, heard, **more)
    assert outcome.tasks == len(heard.stats)
    return heard.stats, outcome


def _make_counts() -> engine.Work:
    def work(images: int) -> engine.Stats:
        for number in range(images):
            time.sleep(0.1)
            beat(images=1, rejected="odd" if number % 2 else None)
        return {"own": True}

    return work


def _make_double() -> engine.Work:
    return lambda payload: {"images": payload * 2}


def _make_fails_once() -> engine.Work:
    def work(marker: str) -> engine.Stats:
        if not Path(marker).exists():
            Path(marker).touch()
            raise OSError("the network is away")
        return {"images": 1}

    return work


def _make_dies_once() -> engine.Work:
    def work(marker: str) -> engine.Stats:
        if marker and not Path(marker).exists():
            Path(marker).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return {"images": 1}

    return work


def _make_dies() -> engine.Work:
    return lambda payload: os.kill(os.getpid(), signal.SIGKILL) or {}


def _make_careful() -> engine.Work:
    return lambda payload: {"careful": payload}


def _make_raises() -> engine.Work:
    def work(payload: str) -> engine.Stats:
        if payload == "bad":
            raise ValueError("this unit is bad")
        return {"images": 1}

    return work


def _make_hangs() -> engine.Work:
    def work(payload: float) -> engine.Stats:
        time.sleep(payload)
        return {"images": 1}

    return work


def _make_slow_to_load() -> engine.Work:
    time.sleep(1.5)
    return _make_hangs()


def _make_pid() -> engine.Work:
    return lambda payload: {"pid": os.getpid()}


def _make_model() -> engine.Work:
    _model("a")
    return _make_looks_for_models()


def _make_looks_for_models() -> engine.Work:
    def work(payload: str) -> engine.Stats:
        time.sleep(0.2)  # so that no worker does all
        return {"pid": os.getpid(), "models": len(_models)}

    return work


@memo
def _model(name: str) -> Model:
    return Model()


class Model:
    def __init__(self) -> None:
        _models.add(self)


_models = WeakSet[Model]()


def _make_nothing() -> engine.Work:
    raise RuntimeError("the model is missing")


@pytest.mark.slow
def test_workers_stay_for_the_next_run_without_what_they_had_loaded(pool: Engine) -> None:
    works = _make_model, _make_looks_for_models, _make_looks_for_models
    said = [stats for make in works for stats in run(pool, tasks(*"abcdef"), make)[0].values()]
    assert len({stats["pid"] for stats in said}) <= 2
    assert {stats["models"] for stats in said} == {0, 1}
    assert {stats["models"] for stats in said[6:]} == {0}


@pytest.mark.slow
def test_workers_with_another_share_of_the_node_are_new(free_node: None) -> None:
    beside = Engine(EngineSettings(workers=1), watch=UNWATCHED, embedded=True)
    pids = []
    for cpus in (1, 1, 2):
        beside._settings = EngineSettings(workers=1, cpus_per_worker=cpus)
        pids.append(run(beside, tasks("x"), _make_pid)[0]["0"]["pid"])
    beside.dismiss()
    assert pids[0] == pids[1] != pids[2]


@pytest.mark.parametrize("where", ["here", "pool"])
def test_every_task_gives_its_stats(where: str, request: pytest.FixtureRequest) -> None:
    stats, outcome = run(request.getfixturevalue(where), tasks(1, 2, 3), _make_double)
    assert stats == {"0": {"images": 2}, "1": {"images": 4}, "2": {"images": 6}}
    assert outcome.images == 12 and not outcome.failures


@pytest.mark.parametrize("where", ["here", "pool"])
def test_images_are_told_while_their_task_runs(where: str, request: pytest.FixtureRequest) -> None:
    heard = Heard()
    outcome = request.getfixturevalue(where).run(tasks(40), _make_counts, heard)
    assert heard.stats == {"0": {"images": 40, "rejected": {"odd": 20}, "own": True}}
    assert outcome.images == 40 and outcome.rejected == {"odd": 20}
    inside = [now for now in heard.inside if 0 < now < 40]
    assert inside and inside == sorted(inside)


@pytest.mark.parametrize("where", ["here", "pool"])
def test_a_passing_fault_is_tried_again_and_nobody_is_busy_until_then(
    where: str, request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.workers.outage.AGAIN_S", 1.0)
    take, taken = Todo.take, []
    monkeypatch.setattr(Todo, "take", lambda *given: taken.append(given) or take(*given))
    outcome = request.getfixturevalue(where).run(tasks(str(tmp_path / "m")), _make_fails_once)
    assert outcome.tasks == 1 and not outcome.failures
    # A loop that does not rest asks thousands of times in a second.
    assert 2 <= len(taken) < 100


@pytest.mark.parametrize("where", ["here", "pool"])
def test_a_bad_task_is_quarantined_and_the_others_go_on(
    where: str, request: pytest.FixtureRequest
) -> None:
    started = request.getfixturevalue(where)
    stats, outcome = run(started, tasks("good", "bad", "good"), _make_raises)
    assert set(stats) == {"0", "2"}
    (failure,) = outcome.failures
    assert (failure.task_id, failure.slug) == ("1", "exception")
    assert "this unit is bad" in failure.why


def test_heaviest_first(here: Engine) -> None:
    order: list[int] = []

    def make() -> engine.Work:
        def work(payload: int) -> engine.Stats:
            order.append(payload)
            return {}

        return work

    here.run(tasks(0, 1, 2), make)
    assert order == [2, 1, 0]


def test_a_killed_worker_costs_one_attempt(pool: Engine, tmp_path: Path) -> None:
    outcome = pool.run(tasks(str(tmp_path / "m"), "", "", ""), _make_dies_once)
    assert outcome.tasks == 4 and not outcome.failures


@pytest.mark.parametrize("where", ["here", "pool"])
def test_work_that_cannot_load_stops_at_once(where: str, request: pytest.FixtureRequest) -> None:
    with pytest.raises(EngineError, match="workers do not start: .*the model is missing"):
        request.getfixturevalue(where).run(tasks(1, 2), _make_nothing)


def test_a_hanging_task_is_stopped_and_the_others_go_on(free_node: None) -> None:
    # Less than a worker takes to start and to load its work.
    short = Engine(EngineSettings(workers=2, attempts=1, task_timeout_s=1), watch=UNWATCHED)
    stats, outcome = run(short, tasks(0, 120, 0), _make_slow_to_load)
    assert set(stats) == {"0", "2"}
    assert [failure.slug for failure in outcome.failures] == ["timeout"]


def test_a_task_that_kills_its_worker_twice_is_tried_with_care(free_node: None) -> None:
    three = Engine(EngineSettings(workers=1, attempts=3), watch=UNWATCHED)
    stats, outcome = run(three, tasks("x"), _make_dies, make_careful=_make_careful)
    assert stats == {"0": {"careful": "x"}} and not outcome.failures


def test_a_worker_that_fits_on_no_machine_ends_the_run_at_once(free_node: None) -> None:
    large = EngineSettings(cpus_per_worker=1000)
    with pytest.raises(EngineError, match="each asks for 1000 CPU on one node; nodes: 1 with"):
        Engine(large, watch=UNWATCHED, embedded=True).run(tasks(1), _make_double)


def test_tired_workers_are_replaced(free_node: None) -> None:
    tired = Engine(EngineSettings(workers=1, tasks_per_worker=2), watch=UNWATCHED)
    stats, _ = run(tired, tasks(*range(6)), _make_pid)
    assert len({found["pid"] for found in stats.values()}) == 3
