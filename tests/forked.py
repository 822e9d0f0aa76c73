"""Commands as processes of their own, forked from one that has imported them.

An interpreter that imports Ray, DuckDB or PyTorch works for seconds before it does anything. Where
a test is about many processes and not about how they start, they are forked from a `Nursery`: each
has its own number, environment, working memory and fate. As below a shell, one that has died stays
in the table of processes until somebody asks for its exit code.

`children_are_forked` lets the library start its own children so, those that draw documents and
those that score with care.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]


class Child:
    """A forked process; what it prints to stdout and stderr goes to two files."""

    def __init__(self, nursery: Nursery, pid: int, out: Path, err: Path) -> None:
        self._nursery, self._out, self._err = nursery, out, err
        self.pid = pid
        self.returncode: int | None = None

    def said(self) -> str:
        return self._out.read_text()

    def complaints(self) -> str:
        return self._err.read_text()

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def poll(self) -> int | None:
        if self.returncode is None:
            self.returncode = self._nursery.poll(self.pid)
        return self.returncode

    def wait(self, timeout: float) -> int:
        end = time.monotonic() + timeout
        while (code := self.poll()) is None:
            assert time.monotonic() < end, f"not ended within {timeout:g} s: {self.complaints()}"
            time.sleep(0.02)
        return code

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


class Nursery:
    """A process that has imported `module` and forks children that call its `main`."""

    def __init__(self, module: str) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", module, str(theirs.fileno())],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()

    def start(self, arguments: list[str], environment: Mapping[str, str], log: Path) -> Child:
        """A child that ends with the code of `main(arguments)`; prints to `log`.out and .err."""
        out, err = log.with_suffix(".out"), log.with_suffix(".err")
        with open(os.devnull) as nothing, open(out, "w") as said, open(err, "w") as complaints:
            files = [file.fileno() for file in (nothing, said, complaints)]
            pid = self.fork(arguments, environment, files)
        return Child(self, pid, out, err)

    def fork(
        self, arguments: list[str], environment: Mapping[str, str], files: Sequence[int]
    ) -> int:
        """The number of a child that calls `main(arguments)`.

        It has `files` as its stdin, stdout and stderr; those behind them it gets too, and finds
        their numbers there where the arguments have ours.
        """
        asked = {"what": "fork", "arguments": arguments, "environment": dict(environment)}
        pid: int = self.ask(asked | {"passed": list(files[3:])}, files)
        return pid

    def poll(self, pid: int) -> int | None:
        """The exit code of a child that has ended; those of a closed nursery were killed."""
        if self._process.returncode is not None:
            return -signal.SIGKILL
        code: int | None = self.ask({"what": "poll", "pid": pid})
        return code

    def ask(self, asked: dict[str, Any], files: Sequence[int] = ()) -> Any:
        with self._lock:
            socket.send_fds(self._socket, [json.dumps(asked).encode()], files)
            answer = self._socket.recv(1000)
        assert answer, "the process that forks others has ended"
        return json.loads(answer)

    def close(self) -> None:
        self._socket.close()
        self._process.wait()


@functools.cache
def nursery(module: str) -> Nursery:
    """The one of this process of tests; it ends with it."""
    made = Nursery(module)
    atexit.register(made.close)
    return made


class _Forked:
    """What the library needs of a `Popen`, for a child of the nursery of `tests.prepared`."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        stdin: int,
        pass_fds: Sequence[int],
        env: Mapping[str, str],
    ) -> None:
        self._nursery = nursery("tests.prepared")
        *_, module, _ = command
        reader, writer = os.pipe()
        self.pid = self._nursery.fork([module, command[-1]], env, [reader, 1, 2, *pass_fds])
        os.close(reader)
        self.stdin = os.fdopen(writer, "wb")
        if stdin == subprocess.DEVNULL:
            self.stdin.close()
        self.returncode: int | None = None

    def __enter__(self) -> _Forked:
        return self

    def __exit__(self, *exc: object) -> None:
        self.stdin.close()
        self.wait()

    def kill(self) -> None:
        if self.returncode is None:
            os.kill(self.pid, signal.SIGKILL)

    def wait(self, timeout: float = 60) -> int:
        end = time.monotonic() + timeout
        while self.returncode is None:
            self.returncode = self._nursery.poll(self.pid)
            if self.returncode is None:
                if time.monotonic() > end:
                    raise subprocess.TimeoutExpired(f"process {self.pid}", timeout)
                time.sleep(0.005)
        return self.returncode


@contextmanager
def children_are_forked() -> Iterator[None]:
    """Within it, children that draw or score with care are forked from one that is prepared."""
    from pipelines.workers import careful
    from renderers.documents import process

    nursery("tests.prepared")
    names = ("DEVNULL", "PIPE", "TimeoutExpired")
    forking = SimpleNamespace(Popen=_Forked, **{name: getattr(subprocess, name) for name in names})
    with pytest.MonkeyPatch.context() as patch:
        for module in (process, careful):
            patch.setattr(module, "subprocess", forking)
        yield


def _serve(module: str, fd: int) -> int:
    """Fork a child for each message that asks for one; in a child the code of its `main`."""
    command = importlib.import_module(module).main
    # To look for garbage in it would copy it into every child.
    gc.freeze()
    with socket.socket(fileno=fd) as asks:
        while True:
            message, files, _, _ = socket.recv_fds(asks, 1 << 20, 16)
            if not message:
                return 0
            asked = json.loads(message)
            if asked["what"] == "poll":
                pid, status = os.waitpid(asked["pid"], os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if pid else None
            else:
                answer = os.fork()
                if answer == 0:
                    break
            for file in files:
                os.close(file)
            asks.send(json.dumps(answer).encode())
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, file in enumerate(files[:3]):
        os.dup2(file, number)
        os.close(file)
    numbers = dict(zip(map(str, asked["passed"]), map(str, files[3:]), strict=True))
    code: int = command([numbers.get(word, word) for word in asked["arguments"]])
    return code


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1], int(sys.argv[2])))
