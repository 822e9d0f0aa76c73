"""Tasks one after the other in this process: a build without Ray, and what both ways share."""

from __future__ import annotations

import math
import time
import traceback
from collections.abc import Callable

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


def run_here(
    tasks: Tasks,
    make_work: Callable[[], Work],
    listener: Listener,
    s: EngineSettings,
    most_failed: float = math.inf,
) -> Outcome:
    """Work through the tasks, until more than `most_failed` of them have failed for good."""
    listener.running([], Crew(loading=1))
    outcome, work, outage = Outcome(), load(make_work), Outage()
    for number, task in enumerate(tasks):
        if len(outcome.failures) > most_failed:
            outcome.untried = len(tasks) - number
            break
        for attempt in range(1, s.attempts + 1):
            began_s = time.monotonic()
            try:
                stats = _counted(work, task, listener)
            except EngineError:
                raise
            except Exception as error:
                why, slug, left = last_line(error), slug_of(error), s.attempts - attempt
                listener.failed(task, slug, why, again=left > 0)
                outage.ill(task.task_id, slug, time.monotonic())
                if left:
                    time.sleep(outage.delay_s(slug, attempt, left))
                elif outage.is_everywhere(time.monotonic()):
                    raise EngineError(outage.sentence(why)) from None
                else:
                    outcome.failures.append(Failure(task_id=task.task_id, slug=slug, why=why))
            else:
                outage.well()
                outcome.add(stats)
                listener.done(task, stats, time.monotonic() - began_s)
                break
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
