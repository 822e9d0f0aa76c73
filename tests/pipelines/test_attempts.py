from __future__ import annotations

from pipelines.workers.attempts import Attempts, Fault


def died(node: str) -> Fault:
    return Fault(slug="worker_died", why="gone", node=node)


RAISED = Fault(slug="exception", why="no", node="a")
HUNG = Fault(slug="timeout", why="late", node="a")


def test_each_fault_costs_a_try() -> None:
    attempts = Attempts(3)
    assert [attempts.add("t", fault) for fault in (RAISED, died("a"), HUNG)] == [2, 1, 0]
    assert attempts.add("another", RAISED)


def test_a_dead_node_costs_one_try_and_a_live_one_each() -> None:
    assert Attempts(2, lambda: {"a"}).add("t", died("a"))
    dead, alive = Attempts(2, lambda: {"a"}), Attempts(2, lambda: {"b"})
    assert [dead.add("t", died("a")) for _ in range(3)] == [1, 1, 1]
    assert [alive.add("t", died("a")) for _ in range(2)] == [1, 0]


def test_a_node_may_turn_out_to_be_dead_later() -> None:
    dead: set[str] = set()
    attempts = Attempts(3, lambda: dead)
    attempts.add("t", died("a"))
    attempts.add("t", died("a"))
    dead.add("a")
    assert attempts.add("t", RAISED)


def test_care_is_taken_after_two_deaths_or_before_the_last_try() -> None:
    attempts = Attempts(4)
    attempts.add("t", died("a"))
    assert not attempts.careful("t") and not attempts.careful("another")
    attempts.add("t", HUNG)
    assert attempts.careful("t")
    last = Attempts(3)
    last.add("t", died("a"))
    last.add("t", RAISED)
    assert last.careful("t")


def test_an_exception_asks_for_no_care() -> None:
    attempts = Attempts(3)
    attempts.add("t", RAISED)
    attempts.add("t", RAISED)
    assert not attempts.careful("t")
