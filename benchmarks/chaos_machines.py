"""Three machines of a Ray cluster, as processes of this one, that can be harmed and mended."""

from __future__ import annotations

import random
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack

import psutil

from tests.ray_cluster import ROOT, free_port, node, wait_until

# Ray's own defaults: what a user's cluster has, and not the haste of our tests.
_PATIENT = {
    "RAY_health_check_initial_delay_ms": "5000",
    "RAY_health_check_period_ms": "3000",
    "RAY_health_check_timeout_ms": "10000",
    "RAY_health_check_failure_threshold": "5",
    "PYTHONPATH": str(ROOT),
    "OMP_NUM_THREADS": "1",
}
_HEAD_FLAGS = ("--num-cpus=0", "--node-ip-address=127.0.0.1", "--include-dashboard=false")


class Machines:
    """A head without CPUs and two nodes of one; `harm` does one of `FAULTS` to some of it."""

    def __init__(self) -> None:
        self.address = ""
        self._running: dict[str, tuple[subprocess.Popen[bytes], ExitStack]] = {}
        self._stopped: list[psutil.Process] = []

    def mend(self) -> None:
        """Replace what was harmed, as whoever runs the cluster would."""
        if not self._is_whole("head"):
            self.close()
            port = free_port()
            self.address = f"127.0.0.1:{port}"
            self._start("head", "--head", f"--port={port}", "--no-monitor", *_HEAD_FLAGS)
        for name in ("one", "two"):
            if not self._is_whole(name):
                self._end(name)
                self._start(name, f"--address={self.address}", "--num-cpus=1")
        self._stopped.clear()

    def close(self) -> None:
        for name in list(self._running):
            self._end(name)

    def go_on(self) -> None:
        """Let processes that are stopped run again."""
        for process in self._stopped:
            _send(process, signal.SIGCONT)

    def workers(self) -> list[psutil.Process]:
        """The actors of builds, on all nodes."""
        return [p for name in ("one", "two") for p in self._family(name) if _is_worker(p)]

    def harm(self, fault: str, rng: random.Random) -> bool:
        """Do it; False when there is nothing that it could be done to."""
        where, _, how = fault.partition("-")
        name = "head" if where == "head" else rng.choice(["one", "two"])
        victims: list[psutil.Process]
        if where == "worker":
            victims = self.workers()
            rng.shuffle(victims)
            del victims[1:]
        elif where == "raylet":
            victims = [p for p in self._family(name) if p.name() == "raylet"]
        elif where == "gcs":
            victims = [p for p in self._family("head") if p.name() == "gcs_server"]
        else:
            # The parent first: it would end what lives when its children die.
            process, _ = self._running[name]
            victims = [psutil.Process(process.pid), *self._family(name)]
        for victim in victims:
            _send(victim, signal.SIGKILL if how == "kill" else signal.SIGSTOP)
        if how != "kill":
            self._stopped += victims
        return bool(victims)

    def _start(self, name: str, *arguments: str) -> None:
        stack = ExitStack()
        process = stack.enter_context(node(*arguments, **_PATIENT))
        self._running[name] = process, stack
        wait_until(lambda: self._is_whole(name), f"the machine {name} runs", 60)

    def _end(self, name: str) -> None:
        if name in self._running:
            for member in self._family(name):
                _send(member, signal.SIGKILL)
            self._running.pop(name)[1].close()

    def _is_whole(self, name: str) -> bool:
        if name not in self._running or self._running[name][0].poll() is not None:
            return False
        family = self._family(name)
        needed = {"raylet", "gcs_server"} if name == "head" else {"raylet"}
        stopped = [p for p in family if _status(p) == psutil.STATUS_STOPPED]
        return needed <= {_name(p) for p in family} and not stopped

    def _family(self, name: str) -> list[psutil.Process]:
        try:
            return psutil.Process(self._running[name][0].pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []


def _is_worker(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[0].startswith("ray::_Worker")
    except (psutil.Error, IndexError):
        return False


def _send(process: psutil.Process, signum: int) -> None:
    try:
        process.send_signal(signum)
    except psutil.NoSuchProcess:
        return


def _name(process: psutil.Process) -> str:
    return _ask(process, psutil.Process.name)


def _status(process: psutil.Process) -> str:
    return _ask(process, psutil.Process.status)


def _ask(process: psutil.Process, what: Callable[[psutil.Process], str]) -> str:
    try:
        return what(process)
    except psutil.NoSuchProcess:
        return ""
