"""A sentence for the user when this process is ended without a chance to say anything.

Ray ends the driver from within C++ when its raylet dies: no `finally`, no `atexit`, no word. So a
tiny child waits at the end of a pipe. It hears either that all is well, or that the pipe breaks.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
from collections.abc import Iterator

_waiting: list[int] = []
_WAIT = 'read -r _ || printf "%s\\n" "$1" >&2'


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
