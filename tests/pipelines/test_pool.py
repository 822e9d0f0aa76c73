"""The pool on a cluster in memory, whose actors answer when the test lets them."""

from __future__ import annotations

import time
from typing import Any

import pytest

from pipelines.workers import pool
from pipelines.workers.calls import Hired
from pipelines.workers.cluster import CallFailed
from pipelines.workers.tasks import (
    EngineError,
    Stats,
    Task,
    in_order,
)
from tests.pipelines.cluster_in_memory import Cluster, Heard, Numbers, died, run


def test_more_actors_are_asked_for_than_have_a_place() -> None:
    cluster = Cluster(room=2)
    assert run(cluster, 100).tasks == 100
    assert cluster.most_asked == 8 and cluster.counts["load"] == 2


def test_a_pool_that_grows_asks_for_as_many_as_it_has() -> None:
    cluster = Cluster(room=30)
    assert run(cluster, 1000).tasks == 1000
    assert cluster.counts["load"] == 30 and cluster.most_asked == 30


def test_no_more_are_asked_for_than_can_be_used() -> None:
    few, limited = Cluster(room=100), Cluster(room=100)
    run(few, 3)
    run(limited, 50, limit=4)
    assert few.counts["hire"] == 3 and limited.counts["hire"] == 4


def test_tired_actors_are_replaced() -> None:
    cluster = Cluster(room=1)
    run(cluster, 6, limit=1, tasks_per_worker=2)
    assert cluster.counts["load"] == 3


def test_kept_actors_load_the_next_work_and_new_ones_come_where_they_do_not_do() -> None:
    cluster, kept = Cluster(room=3), list[Hired]()
    assert run(cluster, 2, limit=3, kept=kept).tasks == 2
    assert cluster.counts["hire"] == cluster.counts["rest"] == len(kept) == 2
    # One task takes one of them, and the other waits for its turn.
    assert run(cluster, 1, limit=3, kept=kept).tasks == 1
    assert cluster.counts["hire"] == len(kept) == 2 and cluster.counts["load"] == 3
    assert run(cluster, 30, limit=3, kept=kept).tasks == 30
    assert cluster.counts["hire"] == cluster.counts["place"] == len(kept) == 3
    assert cluster.counts["load"] == 3 + 3


def test_kept_actors_that_are_gone_are_no_sign_that_none_can_start(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "_ONE_FAULT_S", 0.0)
    cluster, kept = Cluster(room=4), list[Hired]()
    run(cluster, 4, limit=4, kept=kept)
    gone = iter([died] * 4)
    cluster.answers["load"] = lambda: next(gone, lambda: None)()
    assert len(kept) == 4 and run(cluster, 1, limit=4, kept=kept).tasks == 1
    assert cluster.counts["hire"] == 4 + 1


def test_a_kept_actor_that_hangs_while_it_loads_is_not_kept_on() -> None:
    cluster, kept = Cluster(room=2), list[Hired]()
    assert run(cluster, 40, limit=2, kept=kept).tasks == 40 and len(kept) == 2
    hung = kept[0].actor
    cluster.stopped.add(hung)
    assert run(cluster, 40, limit=2, kept=kept).tasks == 40
    assert hung not in cluster.placed and hung not in {hired.actor for hired in kept}


def test_kept_actors_that_cannot_load_in_time_are_told_as_new_ones_are() -> None:
    cluster, kept = Cluster(room=1), list[Hired]()
    run(cluster, 1, limit=1, kept=kept)
    cluster.endless.add("load")
    with pytest.raises(EngineError, match=r"workers do not start: .* 0.1 s of loading"):
        run(cluster, 1, limit=1, kept=kept, start_timeout_s=0.1)


def test_what_a_kept_actor_has_served_counts_on() -> None:
    cluster, kept = Cluster(room=1), list[Hired]()
    for _ in range(4):
        run(cluster, 1, limit=1, tasks_per_worker=2, kept=kept)
    assert cluster.counts["hire"] == 2 and not kept


def test_a_death_costs_the_task_a_try_and_the_others_nothing() -> None:
    cluster = Cluster(room=1, answers={"work": lambda p: died() if p == 1 else {}})
    heard = Heard()
    outcome = run(cluster, 3, listener=heard)
    assert set(heard.stats) == {"0", "2"}
    assert [failure.slug for failure in outcome.failures] == ["worker_died"]
    assert cluster.counts["work"] == 2 + 3


def test_a_third_try_is_careful_where_that_can_be() -> None:
    care = {"work": died, "work_carefully": lambda p: {"careful": p}}
    cluster = Cluster(room=1, answers=care)
    heard = Heard()
    run(cluster, 2, careful=True, listener=heard)
    assert heard.stats == {"0": {"careful": 0}, "1": {"careful": 1}}
    assert cluster.counts["work"] == 4
    assert len(run(Cluster(room=1, answers=care), 2).failures) == 2


def test_a_task_that_takes_too_long_is_quarantined() -> None:
    cluster = Cluster(room=2)
    cluster.endless.add("work")
    (failure,) = run(cluster, 1, task_timeout_s=0.1, attempts=1).failures
    assert failure.slug == "timeout" and "0.1 s (engine.task_timeout_s)" in failure.why


def test_a_task_of_several_pieces_has_the_time_of_all() -> None:
    cluster = Cluster(room=2)
    cluster.endless.add("work")
    tasks = in_order([Task(task_id="0", payload=0, pieces=4)])
    (failure,) = run(cluster, tasks, task_timeout_s=0.1, attempts=1).failures
    assert failure.slug == "timeout" and "0.4 s (engine.task_timeout_s)" in failure.why


def test_work_that_does_not_load_in_time_ends_the_run() -> None:
    cluster = Cluster(room=1)
    cluster.endless.add("load")
    with pytest.raises(EngineError, match=r"workers do not start: .* 0.1 s of loading"):
        run(cluster, 1, start_timeout_s=0.1)


def test_a_pool_without_any_place_gives_up_and_says_why() -> None:
    with pytest.raises(EngineError, match=r"within 0.1 s .*start_timeout_s.*there is no room"):
        run(Cluster(room=0), 1, start_timeout_s=0.1)
    with pytest.raises(EngineError, match="no worker can start: there is no room"):
        run(Cluster(room=9), 1, limit=0)


@pytest.mark.parametrize("step", ["place", "load"])
def test_actors_that_die_before_they_have_loaded_end_the_run(step: str) -> None:
    cluster = Cluster(room=1, answers={step: died})
    with pytest.raises(EngineError, match="start: gone: see whether the nodes.*same command"):
        run(cluster, 5)
    assert cluster.counts["work"] == 0


def test_a_node_that_dies_with_all_that_were_to_start_there_ends_no_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cluster = Cluster(room=9)
    begun_s, has_ended, answer = time.monotonic(), cluster._has_ended, cluster.answer

    def later(actor: int, method: str) -> bool:
        # The next ones are started elsewhere, which takes its time.
        return has_ended(actor, method) and (actor <= 8 or time.monotonic() > begun_s + 2.5)

    monkeypatch.setattr(cluster, "_has_ended", later)
    monkeypatch.setattr(
        cluster, "answer", lambda call: died() if cluster.calls[call][0] <= 8 else answer(call)
    )
    assert run(cluster, 30).tasks == 30


def test_tasks_are_asked_what_they_have_counted_so_far() -> None:
    cluster, heard = Cluster(room=2), Heard()
    cluster.endless.add("work")
    run(cluster, 2, listener=heard, task_timeout_s=2.5, attempts=1)
    tasks, crew = heard.told[-1]
    assert [stats for _, stats in tasks] == [{"images": 7}] * 2
    assert crew.at_work == 2 and crew.loading == 0
    assert cluster.counts["peek"] <= 2 * 4


def test_failed_tries_are_told() -> None:
    heard = Heard()
    run(Cluster(room=1, answers={"work": died}), 1, listener=heard, attempts=2)
    assert heard.again == [True, False]


def test_tasks_are_made_when_their_turn_comes() -> None:
    tasks, ahead = Numbers(300), []
    cluster = Cluster(room=4, answers={"work": lambda p: ahead.append(tasks.made - p) or {}})
    assert run(cluster, tasks, limit=4).tasks == 300
    # Four actors, each with one task: nobody takes more from the rest than can be worked on.
    assert len(ahead) == 300 and max(ahead) <= 2 * 4


def test_a_run_that_only_fails_ends_before_it_has_tried_all() -> None:
    tasks = Numbers(1000)
    outcome = run(Cluster(room=2, answers={"work": died}), tasks, most_failed=5, attempts=1)
    assert 5 < len(outcome.failures) < 20
    assert outcome.untried == 1000 - len(outcome.failures)


def test_tries_that_failed_come_back_before_anything_new_is_begun() -> None:
    tasks, failed = Numbers(50), set()

    def fails_once(payload: int) -> Stats:
        if payload not in failed:
            failed.add(payload)
            assert tasks.made - payload <= 4
            raise CallFailed("exception", "no", lost=False)
        return {}

    assert run(Cluster(room=2, answers={"work": fails_once}), tasks, limit=2).tasks == 50


def test_an_actor_that_gives_no_sign_of_life_is_replaced() -> None:
    cluster, heard = Cluster(room=1), Heard()
    cluster.stopped.add(1)
    outcome = run(cluster, 5, limit=1, listener=heard, silence_timeout_s=2)
    # It was stopped while it loaded its work: no task is charged with that.
    assert outcome.tasks == 5 and not outcome.failures and heard.again == []
    assert cluster.counts["kill"] == 1


def test_a_task_whose_actor_is_stopped_is_tried_again(monkeypatch: pytest.MonkeyPatch) -> None:
    cluster, heard = Cluster(room=2), Heard()
    call = cluster.call

    def stop_at_work(actor: int, method: str, *arguments: Any) -> int:
        if method == "work" and not cluster.stopped:
            cluster.stopped.add(actor)
        return call(actor, method, *arguments)

    monkeypatch.setattr(cluster, "call", stop_at_work)
    outcome = run(cluster, 20, limit=2, listener=heard, silence_timeout_s=2)
    assert outcome.tasks == 20 and not outcome.failures and heard.again == [True]


def test_a_late_task_is_begun_again_and_the_first_that_ends_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("pipelines.workers.pace._AT_LEAST_S", 0.5)
    cluster, heard = Cluster(room=3), Heard()
    call, late = cluster.call, set()

    def never_ends_at_first(actor: int, method: str, *arguments: Any) -> int:
        if method == "work" and arguments == (0,):
            late.add(actor)
            if len(late) == 1:
                # It says what it has counted, and never ends.
                cluster.never_ends.add(actor)
        return call(actor, method, *arguments)

    monkeypatch.setattr(cluster, "call", never_ends_at_first)
    outcome = run(cluster, 20, limit=3, listener=heard, task_timeout_s=60)
    assert outcome.tasks == 20 and len(heard.stats) == 20 and not heard.again
    assert len(late) == 2, "two actors worked at it"


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that cannot be reached are waited for two seconds."""
    monkeypatch.setattr("pipelines.workers.outage.PATIENCE_S", 2.0)
    monkeypatch.setattr("pipelines.workers.outage.AGAIN_S", 0.1)


@pytest.mark.usefixtures("hasty")
def test_files_out_of_reach_are_waited_for() -> None:
    well_s, tries = time.monotonic() + 1.5, []

    def away(payload: int) -> Stats:
        tries.append(payload)
        if time.monotonic() < well_s:
            raise CallFailed("storage", "503", lost=False)
        return {}

    outcome = run(Cluster(room=2, answers={"work": away}), 5, attempts=2)
    assert outcome.tasks == 5 and not outcome.failures
    assert len(tries) > 2 * 5 + 5, "more often than there are attempts"


@pytest.mark.usefixtures("hasty")
def test_files_that_stay_out_of_reach_end_the_run() -> None:
    def away(payload: int) -> Stats:
        raise CallFailed("storage", "503", lost=False)

    begun_s = time.monotonic()
    with pytest.raises(EngineError, match=r"files cannot be reached.*503.*same command goes on"):
        run(Cluster(room=2, answers={"work": away}), 500)
    assert time.monotonic() - begun_s < 5


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("others", [0, 30])
def test_one_bad_file_is_the_fault_of_its_task(others: int) -> None:
    def bad(payload: int) -> Stats:
        if payload == 0:
            raise CallFailed("storage", "bad sector", lost=False)
        return {}

    outcome = run(Cluster(room=1, answers={"work": bad}), 1 + others)
    assert outcome.tasks == others
    assert [failure.slug for failure in outcome.failures] == ["storage"]


def test_a_cluster_that_is_lost_ends_the_run() -> None:
    cluster = Cluster(room=1)
    cluster.endless.add("work")
    cluster.lost = "the head is gone"
    with pytest.raises(EngineError, match="the head is gone"):
        run(cluster, 1)
