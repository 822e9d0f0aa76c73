"""Commands as processes of their own, forked from one that has imported them.

An interpreter that imports Ray, DuckDB or PyTorch works for seconds before it does anything. Where
a test is about many processes and not about how they start, they are forked from a `Nursery`: each
has its own number, environment, working memory and fate. As below a shell, one that has died stays
in the table of processes until somebody asks for its exit code.
"""

from __future__ import annotations

import atexit
import functools
import importlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

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
            self.returncode = self._nursery.ask("poll", pid=self.pid)
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
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.forked", module],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def start(self, arguments: list[str], environment: Mapping[str, str], log: Path) -> Child:
        """A child that ends with the code of `main(arguments)`; prints to `log`.out and .err."""
        out, err = log.with_suffix(".out"), log.with_suffix(".err")
        for path in (out, err):
            path.touch()
        pid = self.ask(
            "fork",
            arguments=arguments,
            environment=dict(environment),
            files=[str(out), str(err)],
        )
        return Child(self, pid, out, err)

    def ask(self, what: str, **given: Any) -> Any:
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps({"what": what, **given}) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        assert answer, "the process that forks others has ended"
        return json.loads(answer)

    def close(self) -> None:
        with self._process:
            assert self._process.stdin
            self._process.stdin.close()


@functools.cache
def nursery(module: str) -> Nursery:
    """The one of this process of tests; it ends with it."""
    made = Nursery(module)
    atexit.register(made.close)
    return made


def _serve(module: str) -> int:
    """Fork a child for each line that asks for one; in a child the code of its `main`."""
    command = importlib.import_module(module).main
    with os.fdopen(os.dup(1), "w") as answers:
        for line in sys.stdin:
            asked = json.loads(line)
            if asked["what"] == "poll":
                pid, status = os.waitpid(asked["pid"], os.WNOHANG)
                answer = os.waitstatus_to_exitcode(status) if pid else None
            else:
                answer = os.fork()
                if answer == 0:
                    break
            print(json.dumps(answer), file=answers, flush=True)
        else:
            return 0
    os.environ.clear()
    os.environ.update(asked["environment"])
    for number, (path, flags) in enumerate(
        [("/dev/null", os.O_RDONLY), *((path, os.O_WRONLY) for path in asked["files"])]
    ):
        file = os.open(path, flags)
        os.dup2(file, number)
        os.close(file)
    code: int = command(asked["arguments"])
    return code


if __name__ == "__main__":
    sys.exit(_serve(sys.argv[1]))
