"""A pool of actors that works through tasks; where actors come from is the cluster's affair.

The pool does not reckon how many actors fit. While tasks wait it keeps some actors asked for, and
the cluster places them: where CPUs come free, where a node joins, where an autoscaler adds one.
Only an actor that runs and has loaded its work gets a task, and only then does the task's time
begin. Once nothing waits, idle actors are dismissed, so that others get their CPUs.
"""

from __future__ import annotations

import heapq
import math
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from pipelines.workers.attempts import Attempts, Fault
from pipelines.workers.pulse import Counts
from pipelines.workers.tasks import (
    Crew,
    EngineError,
    EngineSettings,
    Failure,
    Listener,
    Outcome,
    Task,
    TaskList,
    Tasks,
)
from pipelines.workers.todo import Todo

# So many actors are asked for although none may fit; a pool that has more at work doubles.
_MIN_ASKED = 8
# Starts that fail before any worker has loaded its work: then the others would fail as well.
_FAILED_STARTS = 3
# A careful try goes on where others broke off, so it takes longer by nature.
_CAREFUL_FACTOR = 10
# So many actors at most are asked each second what they have counted, by turns: a few hundred
# bytes, also where there are thousands.
_PEEKS = 8


class CallFailed(Exception):
    """A call that gave no answer: why, as a slug and a sentence; `lost`: the actor is gone too."""

    def __init__(self, slug: str, why: str, *, lost: bool) -> None:
        super().__init__(slug, why)
        self.slug, self.why, self.lost = slug, why, lost


class Cluster(Protocol):
    """What the pool asks of a cluster. Actors and calls are opaque."""

    def hire(self) -> Any:
        """An actor that the cluster will place when it can."""

    def dismiss(self, actor: Any) -> None:
        """End an actor and what it does, also one that has no place yet."""

    def call(self, actor: Any, method: str, *arguments: Any) -> Any:
        """Begin a call: `place` (answers with the node), `load`, `work` or `work_carefully`."""

    def peek(self, actor: Any) -> Any:
        """Ask an actor what it has counted in its task so far, beside the call in flight."""

    def told(self, question: Any) -> Counts | None:
        """The answer to such a question; None while there is none, empty if none will come."""

    def ended(self, calls: Sequence[Any]) -> Sequence[Any]:
        """Those of the calls that have ended; waits a second for the first."""

    def answer(self, call: Any) -> Any:
        """What an ended call gave; CallFailed, or EngineError when its work cannot be loaded."""

    def dead_nodes(self) -> set[str]:
        """Nodes that are known to be dead."""

    def room(self) -> str:
        """What an actor asks for and what the nodes have, for people."""


@dataclass(eq=False)
class _Hired:
    """An actor, the node that it runs on once that is known, and the tasks that it has done."""

    actor: Any
    node: str = ""
    served: int = 0


@dataclass(kw_only=True)
class _Call:
    """A call in flight: for a place to run, to load the work, or (with a task) to do it."""

    hired: _Hired
    step: str
    deadline: float = math.inf
    limit: str = ""
    task: Task | None = None
    began_s: float = 0.0
    question: Any = None
    asked_s: float = 0.0
    counts: Counts = field(default_factory=dict)


class Pool:
    """Actors, one call in flight each; dead ones are replaced, tired ones retired."""

    def __init__(
        self,
        cluster: Cluster,
        settings: EngineSettings,
        listener: Listener,
        *,
        limit: float = math.inf,
        can_be_careful: bool = False,
        most_failed: float = math.inf,
    ) -> None:
        """At most `limit` actors. Without `can_be_careful` all tries of a task are the same.

        When more than `most_failed` tasks have failed for good, no other one is begun.
        """
        self._cluster = cluster
        self._s = settings
        self._limit = limit
        self._can_be_careful = can_be_careful
        self._most_failed = most_failed
        self._listener = listener
        self._todo = Todo(TaskList([]))
        self._idle: list[_Hired] = []
        self._calls: dict[Any, _Call] = {}
        self._steps: Counter[str] = Counter()
        self._attempts = Attempts(settings.attempts, cluster.dead_nodes)
        self._outcome = Outcome()
        self._loaded = False
        self._failed_starts = 0
        self._start_fault = ""
        self._next_look_s = 0.0
        self._last_ran_s = time.monotonic()

    def run(self, tasks: Tasks) -> Outcome:
        """Work through the tasks in their order; EngineError when no worker can start."""
        if self._limit < 1:
            raise EngineError(f"no worker can start: {self._cluster.room()}")
        self._todo = Todo(tasks)
        try:
            while self._todo or self._steps["task"]:
                if len(self._outcome.failures) > self._most_failed:
                    self._outcome.untried += len(self._todo)
                    self._todo = Todo(TaskList([]))
                self._give()
                self._hire()
                self._land()
                self._look()
        finally:
            for hired in [*self._idle, *(call.hired for call in self._calls.values())]:
                self._cluster.dismiss(hired.actor)
        return self._outcome

    def _give(self) -> None:
        """A task for each idle actor; its time begins now, for the actor runs."""
        while self._idle and (task := self._todo.take(time.monotonic())):
            hired = self._idle.pop()
            if self._can_be_careful and self._attempts.careful(task.task_id):
                method, limit_s = "work_carefully", _CAREFUL_FACTOR * self._s.task_timeout_s
            else:
                method, limit_s = "work", self._s.task_timeout_s
            ref = self._cluster.call(hired.actor, method, task.payload)
            limit = f"{limit_s:g} s (engine.task_timeout_s)"
            self._begin(ref, hired, "task", limit_s, limit, task)

    def _hire(self) -> None:
        """Keep as many actors asked for as the waiting tasks can use; none when nothing waits."""
        if not self._todo:
            for ref in [r for r, call in self._calls.items() if call.task is None]:
                self._dismiss(self._end(ref).hired)
            while self._idle:
                self._dismiss(self._idle.pop())
            return
        placed = len(self._idle) + self._steps["load"] + self._steps["task"]
        wanted = min(
            len(self._todo) - len(self._idle) - self._steps["load"],
            max(_MIN_ASKED, placed),
            self._limit - placed,
        )
        for _ in range(self._steps["place"], int(wanted)):
            hired = _Hired(self._cluster.hire())
            self._begin(self._cluster.call(hired.actor, "place"), hired, "place")
        if (surplus := self._steps["place"] - max(0, int(wanted))) > 0:
            # The last ones asked for: the first may just be starting.
            asked = [ref for ref, call in self._calls.items() if call.step == "place"]
            for ref in asked[-surplus:]:
                self._dismiss(self._end(ref).hired)

    def _land(self) -> None:
        for ref in self._cluster.ended(list(self._calls)):
            call = self._end(ref)
            try:
                answer = self._cluster.answer(ref)
            except CallFailed as error:
                self._fail(call, error.slug, error.why)
                if error.lost or call.task is None:
                    self._dismiss(call.hired)
                else:
                    self._rest(call.hired)
            else:
                self._go_on(call, answer)

    def _go_on(self, call: _Call, answer: Any) -> None:
        if call.task is not None:
            self._attempts.forget(call.task.task_id)
            self._outcome.add(answer)
            self._listener.done(call.task, answer, time.monotonic() - call.began_s)
            self._rest(call.hired)
        elif call.step == "place":
            call.hired.node = answer
            limit_s = self._s.start_timeout_s
            limit = f"{limit_s:g} s of loading (engine.start_timeout_s)"
            ref = self._cluster.call(call.hired.actor, "load")
            self._begin(ref, call.hired, "load", limit_s, limit)
        else:
            self._loaded, self._failed_starts = True, 0
            self._idle.append(call.hired)

    def _fail(self, call: _Call, slug: str, why: str) -> None:
        if call.task is None:
            self._failed_starts, self._start_fault = self._failed_starts + 1, why
            return
        task, fault = call.task, Fault(slug=slug, why=why, node=call.hired.node)
        again = self._attempts.add(task.task_id, fault)
        self._listener.failed(task, slug, why, again=again)
        if again:
            self._todo.again(task, 0.0)
        else:
            self._outcome.failures.append(Failure(task_id=task.task_id, slug=slug, why=why))

    def _look(self) -> None:
        """Once a second: tell how it goes; stop what takes too long, a call or the whole pool."""
        now = time.monotonic()
        if self._idle or self._steps["task"]:
            self._last_ran_s = now
        if now < self._next_look_s:
            return
        self._next_look_s = now + 1.0
        self._tell(now)
        for ref in [r for r, call in self._calls.items() if call.deadline < now]:
            call = self._end(ref)
            self._dismiss(call.hired)
            self._fail(call, "timeout", f"not done after {call.limit}")
        if self._last_ran_s < now:
            self._check_starts(late=now - self._last_ran_s > self._s.start_timeout_s)

    def _tell(self, now: float) -> None:
        calls = [(call, call.task) for call in self._calls.values() if call.task is not None]
        for call, _ in calls:
            if call.question is not None:
                counts = self._cluster.told(call.question)
                if counts is not None:
                    call.question, call.counts = None, counts or call.counts
        silent = (call for call, _ in calls if call.question is None)
        for call in heapq.nsmallest(_PEEKS, silent, key=lambda call: call.asked_s):
            call.question, call.asked_s = self._cluster.peek(call.hired.actor), now
        crew = Crew(
            at_work=len(calls),
            loading=self._steps["load"] + len(self._idle),
            asked=self._steps["place"],
        )
        self._listener.running([(task, call.counts) for call, task in calls], crew)

    def _check_starts(self, *, late: bool) -> None:
        """EngineError when there is no reason to hope that a worker will run."""
        loading = self._steps["load"]
        broken = not self._loaded and self._failed_starts >= _FAILED_STARTS and not loading
        if self._failed_starts and (late or broken):
            raise EngineError(f"workers do not start: {self._start_fault}")
        if late and not loading:
            raise EngineError(
                f"no worker could start within {self._s.start_timeout_s:g} s"
                f" (engine.start_timeout_s): {self._cluster.room()}"
            )

    def _begin(
        self,
        ref: Any,
        hired: _Hired,
        step: str,
        limit_s: float = math.inf,
        limit: str = "",
        task: Task | None = None,
    ) -> None:
        now = time.monotonic()
        self._calls[ref] = _Call(
            hired=hired, step=step, deadline=now + limit_s, limit=limit, task=task, began_s=now
        )
        self._steps[step] += 1

    def _end(self, ref: Any) -> _Call:
        call = self._calls.pop(ref)
        self._steps[call.step] -= 1
        return call

    def _rest(self, hired: _Hired) -> None:
        hired.served += 1
        if hired.served >= self._s.tasks_per_worker:
            self._dismiss(hired)
        else:
            self._idle.append(hired)

    def _dismiss(self, hired: _Hired) -> None:
        self._cluster.dismiss(hired.actor)
