"""Tasks one after the other in this process: a build without Ray, and what both ways share."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable

from pipelines.workers.attempts import Attempts, Fault
from pipelines.workers.outage import Outage, slug_of
from pipelines.workers.pulse import Pulse
from pipelines.workers.tasks import (
    Crew,
    EngineError,
    EngineSettings,
    Failure,
    Listener,
    Outcome,
    Stats,
    Task,
    Tasks,
    Work,
)
from pipelines.workers.todo import Todo

_WAIT_S = 0.2


def run_here(
    tasks: Tasks,
    make_work: Callable[[], Work],
    listener: Listener,
    s: EngineSettings,
    most_failed: float = math.inf,
) -> Outcome:
    """Work through the tasks, until more than `most_failed` of them have failed for good."""
    listener.running([], Crew(loading=1))
    outcome, work = Outcome(), load(make_work)
    todo, attempts, away = Todo(tasks), Attempts(s.attempts), Outage()
    while todo and len(outcome.failures) <= most_failed:
        began_s = time.monotonic()
        task = todo.take(began_s)
        if task is None:
            time.sleep(_WAIT_S)
            continue
        try:
            stats = _counted(work, task, listener)
        except EngineError:
            raise
        except Exception as error:
            now, fault = time.monotonic(), Fault(slug=slug_of(error), why=last_line(error))
            wait_s = away.wait_s(attempts, task.task_id, fault, now, now - began_s)
            listener.failed(task, fault.slug, fault.why, again=wait_s is not None)
            if sentence := away.everywhere(now):
                raise EngineError(sentence) from None
            if wait_s is not None:
                todo.again(task, now + wait_s)
            else:
                failure = Failure(task_id=task.task_id, slug=fault.slug, why=fault.why)
                outcome.failures.append(failure)
        else:
            away.well()
            attempts.forget(task.task_id)
            outcome.add(stats)
            listener.done(task, stats, time.monotonic() - began_s)
    outcome.untried = len(todo)
    return outcome


def _counted(work: Work, task: Task, listener: Listener) -> Stats:
    def tell() -> None:
        listener.running([(task, pulse.read())], Crew(at_work=1))

    pulse = Pulse(tell)
    tell()
    with pulse.counting():
        stats = work(task.payload)
    return pulse.read() | stats


def load(make_work: Callable[[], Work]) -> Work:
    try:
        return make_work()
    except Exception as error:
        raise EngineError(f"workers do not start: {last_line(error)}") from error


def last_line(error: BaseException) -> str:
    lines = traceback.format_exception_only(error)
    text = " ".join("".join(lines).split())
    return text if len(text) <= 500 else text[:500] + "..."
