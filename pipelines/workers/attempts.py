"""How often each task has failed, and what its next try is: an ordinary one, a careful one, none.

A machine that dies takes down whatever ran on it, and a worker that was ready there may get a
task before anybody knows. So all deaths of one task on one dead node count as a single attempt.
"""

from __future__ import annotations

from collections.abc import Callable, Set
from dataclasses import dataclass

# Faults that take the worker along: something in the task may be to blame.
_FATAL = ("worker_died", "out_of_memory", "timeout")


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One failed try. Slugs: `exception`, `worker_died`, `out_of_memory`, `timeout`."""

    slug: str
    why: str
    node: str = ""


class Attempts:
    """The faults of the tasks that had some; `dead_nodes` is asked only when it matters."""

    def __init__(self, allowed: int, dead_nodes: Callable[[], Set[str]] = frozenset) -> None:
        self._allowed = allowed
        self._dead_nodes = dead_nodes
        self._faults: dict[str, list[Fault]] = {}

    def add(self, task_id: str, fault: Fault) -> int:
        """Note a failed try; how often the task may be tried again."""
        self._faults.setdefault(task_id, []).append(fault)
        return max(0, self._allowed - len(self._charged(task_id)))

    def clean(self, task_id: str) -> bool:
        """Whether no try of the task has failed so far."""
        return task_id not in self._faults

    def forget(self, task_id: str) -> None:
        """The task has ended well: what it went through is of no use any more."""
        self._faults.pop(task_id, None)

    def careful(self, task_id: str) -> bool:
        """Whether the next try must find out what in the task takes the workers down.

        So after two such faults, or after one when only one try is left.
        """
        if task_id not in self._faults:
            return False
        charged = self._charged(task_id)
        fatal = sum(fault.slug in _FATAL for fault in charged)
        return fatal >= 2 or (fatal == 1 and len(charged) == self._allowed - 1)

    def _charged(self, task_id: str) -> list[Fault]:
        faults = self._faults[task_id]
        nodes = [fault.node for fault in faults if fault.slug == "worker_died"]
        if len(set(nodes)) == len(nodes):
            return faults
        dead, seen, charged = self._dead_nodes(), set(), []
        for fault in faults:
            place = (fault.slug, fault.node)
            if fault.slug != "worker_died" or fault.node not in dead or place not in seen:
                charged.append(fault)
            seen.add(place)
        return charged
