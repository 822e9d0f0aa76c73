"""A pool of actors that works through tasks; where actors come from is the cluster's affair.

The pool does not reckon how many actors fit. While tasks wait it keeps some actors asked for, and
the cluster places them: where CPUs come free, where a node joins, where an autoscaler adds one.
Only an actor that runs and has loaded its work gets a task, and only then does the task's time
begin. Once nothing waits, idle actors are dismissed, so that others get their CPUs, but for a few:
they begin a second time what takes much longer than usual. Both write the same bytes, and the
first that ends counts. Where nobody else wants the CPUs, actors are kept from one run to the next.
"""

from __future__ import annotations

import math
import time
from typing import Any

from pipelines.workers.attempts import Attempts, Fault
from pipelines.workers.calls import Call, Calls, Hired
from pipelines.workers.cluster import CallFailed, Cluster, Place
from pipelines.workers.heartbeat import Heartbeat
from pipelines.workers.outage import Outage
from pipelines.workers.pace import Pace
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
# Those within so short a time are one: a node that dies takes along all that were to start there.
_ONE_FAULT_S = 0.5
# A careful try goes on where others broke off, so it takes longer by nature.
_CAREFUL_FACTOR = 10
# So many idle actors at most wait for a task that turns out to be late.
_SPARES = 8


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
        kept: list[Hired] | None = None,
    ) -> None:
        """At most `limit` actors. Without `can_be_careful` all tries of a task are the same.

        When more than `most_failed` tasks have failed for good, no other one is begun. Actors in
        `kept`, from an earlier run, come before new ones, and those that are well at the end are
        put there; without it they are dismissed.
        """
        self._cluster = cluster
        self._s = settings
        self._limit = limit
        self._can_be_careful = can_be_careful
        self._most_failed = most_failed
        self._kept = [] if kept is None else kept
        self._keeps = kept is not None
        self._listener = listener
        self._todo = Todo(TaskList([]))
        self._idle: list[Hired] = []
        self._calls = Calls()
        self._steps = self._calls.steps
        self._heartbeat = Heartbeat(cluster, settings.silence_timeout_s)
        self._pace, self._outage = Pace(), Outage()
        self._attempts = Attempts(settings.attempts, cluster.dead_nodes)
        self._outcome = Outcome()
        self._loaded = False
        self._failed_starts = 0
        self._start_fault = ""
        self._start_failed_s = -math.inf
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
            for _, call in self._calls.items():
                self._dismiss(call.hired)
            for hired in self._idle:
                self._release(hired)
        return self._outcome

    def _give(self) -> None:
        """A task for each idle actor; its time begins now, for the actor runs."""
        while self._idle and (task := self._todo.take(time.monotonic())):
            self._work(self._idle.pop(), task)

    def _work(self, hired: Hired, task: Task) -> None:
        careful = self._can_be_careful and self._attempts.careful(task.task_id)
        method = "work_carefully" if careful else "work"
        limit_s = self._s.task_timeout_s * (_CAREFUL_FACTOR if careful else task.pieces)
        call = Call(
            hired=hired,
            step="task",
            deadline=time.monotonic() + limit_s,
            limit=f"{limit_s:g} s (engine.task_timeout_s)",
            task=task,
            careful=careful,
        )
        self._calls.begin(self._cluster.call(hired.actor, method, task.payload), call)

    def _hire(self) -> None:
        """Keep as many actors asked for as the waiting tasks can use; none when nothing waits."""
        if not self._todo:
            for ref in [r for r, call in self._calls.items() if call.task is None]:
                self._dismiss(self._calls.end(ref).hired)
            while len(self._idle) > min(_SPARES, self._calls.alone()):
                self._release(self._idle.pop())
            return
        placed = len(self._idle) + self._steps["load"] + self._steps["task"]
        wanted = min(
            len(self._todo) - len(self._idle) - self._steps["load"],
            max(_MIN_ASKED, placed),
            self._limit - placed,
        )
        for _ in range(self._steps["place"], int(wanted)):
            if self._kept:
                self._load(self._kept.pop())
                continue
            hired = Hired(self._cluster.hire())
            ref = self._cluster.call(hired.actor, "place")
            self._calls.begin(ref, Call(hired=hired, step="place"))
        if (surplus := self._steps["place"] - max(0, int(wanted))) > 0:
            # The last ones asked for: the first may just be starting.
            asked = [ref for ref, call in self._calls.items() if call.step == "place"]
            for ref in asked[-surplus:]:
                self._dismiss(self._calls.end(ref).hired)

    def _land(self) -> None:
        for ref in self._cluster.ended(list(self._calls)):
            if ref not in self._calls:
                continue  # of a task that another one has just ended
            call = self._calls.end(ref)
            try:
                answer = self._cluster.answer(ref)
            except CallFailed as error:
                if error.lost or call.task is None:
                    self._dismiss(call.hired)
                else:
                    self._rest(call.hired)
                self._fail(call, error.slug, error.why)
            except EngineError:
                self._dismiss(call.hired)
                raise
            else:
                self._go_on(call, answer)

    def _go_on(self, call: Call, answer: Any) -> None:
        if call.task is not None:
            seconds = time.monotonic() - call.began_s
            for ref in self._calls.copies(call.task.task_id):
                self._dismiss(self._calls.end(ref).hired)
            self._attempts.forget(call.task.task_id)
            self._outage.well()
            self._pace.done(call.task, seconds)
            self._outcome.add(answer)
            self._listener.done(call.task, answer, seconds)
            self._rest(call.hired)
        elif call.step == "place":
            call.hired.place = answer
            self._load(call.hired)
        else:
            self._loaded, self._failed_starts = True, 0
            self._idle.append(call.hired)

    def _load(self, hired: Hired) -> None:
        limit_s = self._s.start_timeout_s
        load = Call(
            hired=hired,
            step="load",
            deadline=time.monotonic() + limit_s,
            limit=f"{limit_s:g} s of loading (engine.start_timeout_s)",
        )
        self._calls.begin(self._cluster.call(hired.actor, "load"), load)

    def _fail(self, call: Call, slug: str, why: str) -> None:
        now = time.monotonic()
        if call.task is None:
            if call.hired.kept and slug == "worker_died":
                return  # gone between two runs, which says nothing of new ones
            gone = ": see whether the nodes are up and have memory" * (slug == "worker_died")
            self._start_fault = f"{why}{gone}"
            if now - self._start_failed_s > _ONE_FAULT_S:
                self._failed_starts, self._start_failed_s = self._failed_starts + 1, now
            return
        task = call.task
        fault = Fault(slug=slug, why=why, node=call.hired.place.node)
        seconds = now - call.began_s
        wait_s = self._outage.wait_s(self._attempts, task.task_id, fault, now, seconds)
        at_work = bool(self._calls.copies(task.task_id))
        self._listener.failed(task, slug, why, again=at_work or wait_s is not None)
        if at_work:
            return  # the other one that works at it is its next try
        if wait_s is not None:
            self._todo.again(task, now + wait_s)
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
        self._cluster.check()
        if sentence := self._outage.everywhere(now):
            raise EngineError(sentence)
        silent = self._heartbeat.look(self._calls, now)
        self._tell()
        for ref in silent:
            limit = f"{self._s.silence_timeout_s:g} s (engine.silence_timeout_s)"
            place = self._lose(ref, "worker_died", f"the worker gave no sign of life for {limit}")
            self._cluster.kill(place)
        for ref in [r for r, call in self._calls.items() if call.deadline < now]:
            self._lose(ref, "timeout")
        self._double(now)
        if self._last_ran_s < now:
            self._check_starts(late=now - self._last_ran_s > self._s.start_timeout_s)

    def _lose(self, ref: Any, slug: str, why: str = "") -> Place:
        call = self._calls.end(ref)
        self._dismiss(call.hired)
        self._fail(call, slug, why or f"not done after {call.limit}")
        return call.hired.place

    def _double(self, now: float) -> None:
        """Let idle actors begin a second time what is late; not what may have killed others."""
        if self._todo or not self._idle:
            return
        for task, call in self._calls.at_work():
            alone = len(self._calls.copies(task.task_id)) == 1
            late = self._pace.is_late(task, now - call.began_s)
            if self._idle and alone and late and self._attempts.clean(task.task_id):
                self._work(self._idle.pop(), task)

    def _tell(self) -> None:
        crew = Crew(
            at_work=self._steps["task"],
            loading=self._steps["load"] + len(self._idle),
            asked=self._steps["place"],
        )
        at_work = self._calls.at_work()
        self._listener.running([(task, call.counts) for task, call in at_work], crew)

    def _check_starts(self, *, late: bool) -> None:
        """EngineError when there is no reason to hope that a worker will run."""
        loading = self._steps["load"]
        broken = not self._loaded and self._failed_starts >= _FAILED_STARTS and not loading
        if self._failed_starts and (late or broken):
            raise EngineError(
                f"workers do not start: {self._start_fault}; the same command goes on from here"
            )
        if late and not loading:
            raise EngineError(
                f"no worker could start within {self._s.start_timeout_s:g} s"
                f" (engine.start_timeout_s): {self._cluster.room()}"
            )

    def _rest(self, hired: Hired) -> None:
        hired.served += 1
        if hired.served >= self._s.tasks_per_worker:
            self._dismiss(hired)
        else:
            self._idle.append(hired)

    def _release(self, hired: Hired) -> None:
        """Keep an actor for the next run where that is wanted; else it ends."""
        if self._keeps:
            self._cluster.rest(hired.actor)
            hired.kept = True
            self._kept.append(hired)
        else:
            self._dismiss(hired)

    def _dismiss(self, hired: Hired) -> None:
        self._cluster.dismiss(hired.actor)
