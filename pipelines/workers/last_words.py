"""A sentence for the user when this process is ended without a chance to say anything.

Ray ends the driver from within C++ when its raylet dies: no `finally`, no `atexit`, no word. So a
tiny child waits at the end of a pipe. It hears either that all is well, or that the pipe breaks.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

_GOES_ON = "What is committed stays: the same command goes on from there"
_waiting: list[int] = []
_WAIT = 'read -r _ || printf "%s\\n" "$1" >&2'


def cut_off(address: str | None) -> str:
    """What to say when a build ends with its cluster: that at `address`, or one of its own."""
    if not address:
        return (
            "the build was cut off: Ray on this machine ended, or this process was killed, most"
            f" likely because memory ran out. {_GOES_ON}; fewer engine.workers need less memory."
        )
    return (
        f"the build was cut off: the head of the Ray cluster at {address} ended or cannot be"
        f" reached, or this process or Ray on this machine was killed. {_GOES_ON} when the cluster"
        " runs; see with `ray status`."
    )


@contextlib.contextmanager
def last_words(sentence: str) -> Iterator[None]:
    """Print `sentence` to stderr if the process ends inside the block; nothing if it leaves it."""
    # A session of its own: Ctrl-C and the hang-up of a terminal are meant for us, not for it.
    waiter = subprocess.Popen(
        ["/bin/sh", "-c", _WAIT, "sh", sentence], stdin=subprocess.PIPE, start_new_session=True
    )
    assert waiter.stdin is not None
    _waiting.append(waiter.stdin.fileno())
    try:
        yield
    finally:
        _waiting.pop()
        with contextlib.suppress(BrokenPipeError):
            waiter.stdin.write(b"\n")
            waiter.stdin.close()
        waiter.wait()


def hush() -> None:
    """Say nothing although the process is about to end inside a block."""
    for pipe in _waiting:
        with contextlib.suppress(OSError):
            os.write(pipe, b"\n")
