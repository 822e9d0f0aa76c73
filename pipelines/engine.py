"""Run one function over many tasks on a Ray cluster: the only file that knows ray.

A pool of actors, each holding what is dear to load (OCR models, fonts). A task is one call: it
commits its own output file and returns a small row of counts. No pixels go through the object
store, the driver keeps nothing but the tasks still to do, and an actor has one task at a time.

Faults are counted per task: a dead worker or node, an exception or a passed time limit each cost
one attempt; after `attempts` the task is quarantined with a slug and the others go on.
"""

from __future__ import annotations

import logging
import math
import os
import secrets
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import ray
from ray.exceptions import OutOfMemoryError, RayError, RayTaskError
from ray.util import metrics
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from pipelines.workers.attempts import Fault
from pipelines.workers.calls import Hired
from pipelines.workers.cluster import CallFailed, Place
from pipelines.workers.fate import die_with_parent, end_process
from pipelines.workers.head_watch import HeadWatch
from pipelines.workers.in_process import last_line, load, run_here
from pipelines.workers.last_words import cut_off, last_words
from pipelines.workers.outage import slug_of
from pipelines.workers.pool import Pool
from pipelines.workers.pulse import Counts, Pulse
from pipelines.workers.ray_address import limited, unreachable
from pipelines.workers.tasks import (
    EngineError,
    EngineSettings,
    Failure,
    Listener,
    Outcome,
    Several,
    Stats,
    Task,
    Tasks,
    Work,
    in_order,
)
from pipelines.workers.totals import Grow, Totals
from vae_corpus.memo import forget

__all__ = [
    "Engine",
    "EngineError",
    "EngineSettings",
    "Failure",
    "Listener",
    "Outcome",
    "Stats",
    "Task",
    "Tasks",
    "Work",
    "start",
]

_JOIN_S = 25.0
# The group of an actor's calls that do not wait for its work.
_BESIDE = "beside"


class Engine:
    """Runs tasks in this process or on Ray; make one with `start`."""

    def __init__(
        self,
        settings: EngineSettings,
        *,
        watch: HeadWatch | None = None,
        embedded: bool = False,
    ) -> None:
        """With a `watch` on the head of a cluster, tasks run there."""
        self._settings = settings
        self._watch = watch
        self._embedded = embedded
        # Workers of the last run and what each has of the node: nobody else wants it for now.
        self._kept: list[Hired] = []
        self._kept_share: dict[str, float] = {}

    def run(
        self,
        tasks: Tasks | Sequence[Task],
        make_work: Callable[[], Work],
        listener: Listener | None = None,
        gpus_per_worker: float = 0.0,
        make_careful: Callable[[], Work] | None = None,
        stage: str = "",
        most_failed: float = math.inf,
    ) -> Outcome:
        """Call `make_work()(task.payload)` for every task, the heaviest first.

        `make_work` runs once in each worker and loads what all its tasks share; workers of an
        embedded Ray stay for the next run and load its work then. A task that took its worker down
        twice gets its last tries from `make_careful()`, which is to find out what in it does that;
        without it, or without Ray, all tries are the same. With Ray, its metrics count by `stage`
        what is done. When more than `most_failed` tasks have failed for good, no other is begun.
        """
        listener = listener or Listener()
        ordered = in_order(tasks)
        if not len(ordered):
            return Outcome()
        if self._watch is None:
            return run_here(ordered, make_work, listener, self._settings, most_failed)
        share = {"CPU": self._settings.cpus_per_worker, "GPU": gpus_per_worker}
        cluster = _Ray(make_work, make_careful, share, self._watch)
        limit = self._settings.workers or math.inf
        if self._embedded:
            if share != self._kept_share:
                self.dismiss()
                self._kept_share = share
            # One node that never grows: asking for more would be of no use.
            limit = min(limit, cluster.fitting())
        careful = make_careful is not None
        several = Several(listener, Totals(_metrics(stage)))
        pool = Pool(
            cluster,
            self._settings,
            several,
            limit=limit,
            can_be_careful=careful,
            most_failed=most_failed,
            kept=self._kept if self._embedded else None,
        )
        return pool.run(ordered)

    def dismiss(self) -> None:
        """End the workers that stayed for the next run."""
        while self._kept:
            ray.kill(self._kept.pop().actor)


def about(settings: EngineSettings) -> str:
    """What `start` is going to do, for people."""
    if settings.workers == 0:
        return "work in this process, without Ray"
    address = os.environ.get("RAY_ADDRESS")
    return f"join the Ray cluster at {address} ..." if address else "start Ray on this machine ..."


@contextmanager
def start(settings: EngineSettings) -> Iterator[Engine]:
    """Join the cluster that `RAY_ADDRESS` names, else start an embedded one for this run."""
    if settings.workers == 0:
        yield Engine(settings)
        return
    # Ray's own variables must be set before init. Warnings about future defaults are not for
    # the reader of a build log.
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    common: dict[str, Any] = {"logging_level": logging.ERROR}
    address = os.environ.get("RAY_ADDRESS")
    # Ray puts a handler of its own in place of ours, by which a stopped build ends without a word.
    on_sigterm = signal.getsignal(signal.SIGTERM)
    if address:
        _join(address, common)
    else:
        # Ray guards a local cluster by a token. Left alone it writes one to the home folder, and
        # every later `ray start` on this machine would then ask for it; ours ends with this run.
        os.environ.setdefault("RAY_AUTH_TOKEN", secrets.token_hex(32))
        # Ray starts a process for each CPU in advance, and none of them has our PYTHONPATH.
        os.environ.setdefault("RAY_prestart_worker_first_driver", "0")
        cpus = math.ceil((settings.workers or 0) * settings.cpus_per_worker) or os.cpu_count()
        # An explicit "local" keeps a stale address file of another cluster from being joined.
        ray.init(
            address="local",
            num_cpus=cpus,
            include_dashboard=False,
            # Without an install the workers would not find our packages.
            runtime_env={"env_vars": {"PYTHONPATH": str(Path(__file__).resolve().parents[1])}},
            **common,
        )
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, on_sigterm)
    sentence = cut_off(address)
    watch = HeadWatch(_nodes, sentence)
    with watch.watching():
        try:
            with last_words(f"error: {sentence}"):
                yield Engine(settings, watch=watch, embedded=not address)
        finally:
            # With a head that is stopped this does not come back: that is watched as well.
            ray.shutdown()


def _join(address: str, common: dict[str, Any]) -> None:
    """Join a cluster; EngineError within a minute when there is none at this address."""
    hint = (
        "See with `ray status` that it runs, and that this machine reaches it; without RAY_ADDRESS"
        " the build starts Ray on this machine"
    )
    if why := unreachable(address):
        raise EngineError(f"no Ray cluster at RAY_ADDRESS={address}: {why}. {hint}")
    late = EngineError(
        f"no Ray cluster at RAY_ADDRESS={address}: something is there, but it has not let this"
        f" build join within {_JOIN_S:g} s, and may be no head of a Ray cluster. {hint}"
    )
    try:
        with limited(_JOIN_S, late):
            # Inside a job the working directory is already set; passing it again is an error.
            ray.init(**common)
    except (ConnectionError, ValueError) as error:
        raise EngineError(
            f"no Ray cluster at RAY_ADDRESS={address}: {last_line(error)}. {hint}"
        ) from None


def _metrics(stage: str) -> Grow:
    """Counters of this stage for Ray's dashboard and Prometheus."""
    about = {
        "images": "images done, with the slug of those rejected",
        "bytes": "bytes of images done",
        "seconds": "seconds that workers spent on tasks that ended well",
    }
    counters = {
        name: metrics.Counter(f"vae_corpus_{name}", description=text, tag_keys=("stage", "slug"))
        for name, text in about.items()
    }
    return lambda name, slug, more: counters[name].inc(more, {"stage": stage, "slug": slug})


class _Worker:
    """The actor: says where it runs, loads the work and keeps it.

    `counts` runs in a thread beside the others, which take turns as in any actor.
    """

    def __init__(self) -> None:
        # Ray asks a worker to end when its node or driver is gone; one that is stopped cannot hear.
        die_with_parent()
        self._make_careful: Callable[[], Work] | None = None
        self._work: Work | None = None
        self._pulse = Pulse()

    def place(self) -> Place:
        return Place(str(ray.get_runtime_context().get_node_id()), os.getpid())

    def load(self, make_work: Callable[[], Work], make_careful: Callable[[], Work] | None) -> None:
        self._work, self._make_careful = load(make_work), make_careful

    def rest(self) -> None:
        """Let go of the work, and of models and browsers that it has loaded."""
        self._work = None
        forget()

    def work(self, payload: Any) -> Stats | Fault:
        assert self._work is not None
        return self._count(self._work, payload)

    def work_carefully(self, payload: Any) -> Stats | Fault:
        assert self._make_careful is not None
        return self._count(self._make_careful(), payload)

    def counts(self) -> Counts:
        return self._pulse.read()

    def _count(self, work: Work, payload: Any) -> Stats | Fault:
        pulse = self._pulse = Pulse()
        try:
            with pulse.counting():
                stats = work(payload)
        except EngineError:
            raise
        except Exception as error:
            # As a value: the errors of some libraries cannot be sent, and Ray prints each of them.
            return Fault(slug=slug_of(error), why=last_line(error))
        finally:
            # What is asked from now on is asked of the next task.
            self._pulse = Pulse()
        return pulse.read() | stats


class _Ray:
    """The cluster of Ray as the pool sees it; each actor asks for the same share of a node."""

    def __init__(
        self,
        make_work: Callable[[], Work],
        make_careful: Callable[[], Work] | None,
        share: dict[str, float],
        watch: HeadWatch,
    ) -> None:
        self._share = share
        self._watch = watch
        self._works = ray.put(make_work), ray.put(make_careful)
        remote: Any = ray.remote  # its types know nothing of concurrency groups
        self._hire = remote(
            num_cpus=share["CPU"],
            num_gpus=share["GPU"],
            max_restarts=0,
            max_task_retries=0,
            concurrency_groups={_BESIDE: 1},
        )(_Worker)

    def hire(self) -> Any:
        return self._hire.remote()

    def dismiss(self, actor: Any) -> None:
        ray.kill(actor)

    def kill(self, place: Place) -> None:
        # Ray gives up on a process that has been stopped for long, and keeps its CPUs for it.
        there = NodeAffinitySchedulingStrategy(node_id=place.node, soft=False)
        options = {"num_cpus": 0, "max_retries": 0, "scheduling_strategy": there}
        remote: Any = ray.remote
        remote(**options)(end_process).remote(place.pid, _Worker.__name__)

    def call(self, actor: Any, method: str, *arguments: Any) -> Any:
        if method == "load":
            arguments = self._works
        return getattr(actor, method).remote(*arguments)

    def rest(self, actor: Any) -> None:
        actor.rest.remote()

    def peek(self, actor: Any) -> Any:
        return actor.counts.options(concurrency_group=_BESIDE).remote()

    def told(self, question: Any) -> Counts | None:
        if not ray.wait([question], timeout=0)[0]:
            return None
        try:
            counts: Counts = ray.get(question)
        except RayError:
            return {}  # the actor is gone, as its other call will say
        return counts

    def ended(self, calls: Sequence[Any]) -> Sequence[Any]:
        if not calls:
            time.sleep(0.2)  # every task waits for another try
            return []
        ended, _ = ray.wait(list(calls), num_returns=1, timeout=1.0)
        if ended:
            # Each wait looks at all calls, so one takes all that have ended.
            ended, _ = ray.wait(list(calls), num_returns=len(calls), timeout=0)
        return ended

    def answer(self, call: Any) -> Any:
        try:
            answer = ray.get(call)
        except RayTaskError as error:
            cause = error.cause or error
            if isinstance(cause, EngineError):
                raise cause from None
            raise CallFailed("exception", last_line(cause), lost=False) from None
        except RayError as error:
            slug = "out_of_memory" if isinstance(error, OutOfMemoryError) else "worker_died"
            raise CallFailed(slug, last_line(error), lost=True) from None
        if isinstance(answer, Fault):
            raise CallFailed(answer.slug, answer.why, lost=False)
        return answer

    def dead_nodes(self) -> set[str]:
        return {node["NodeID"] for node in _nodes() if not node["Alive"]}

    def check(self) -> None:
        self._watch.check()

    def room(self) -> str:
        nodes = [node["Resources"] for node in _nodes() if node["Alive"]]
        sizes = Counter(self._amounts(node) for node in nodes)
        have = ", ".join(f"{count} with {size}" for size, count in sorted(sizes.items()))
        free = self._amounts(ray.available_resources())  # type: ignore[no-untyped-call]
        return (
            f"each asks for {self._amounts(self._share)} on one node; nodes: {have or 'none'}; free"
            f" are {free} in all. Let workers ask for less (engine.cpus_per_worker,"
            " engine.gpus_per_worker), or run again when a node has as much to spare."
        )

    def fitting(self) -> int:
        """How many workers fit on the one node of an embedded cluster."""
        have: dict[str, float] = ray.cluster_resources()  # type: ignore[no-untyped-call]
        shares = [have.get(what, 0.0) / much for what, much in self._share.items() if much]
        return int(min(shares))

    def _amounts(self, have: dict[str, float]) -> str:
        return " and ".join(f"{have.get(w, 0.0):g} {w}" for w, much in self._share.items() if much)


def _nodes() -> list[dict[str, Any]]:
    nodes: list[dict[str, Any]] = ray.nodes()  # type: ignore[no-untyped-call]
    return nodes
