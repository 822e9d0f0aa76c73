"""Whether anything listens where RAY_ADDRESS points, and an end to waiting for it.

Left alone, Ray tries for a quarter of an hour and then names neither the address nor the reason.
"""

from __future__ import annotations

import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from urllib.parse import urlsplit

# A head that starts at this moment may take so long to listen.
PATIENCE_S = 10.0


def unreachable(address: str, patience_s: float = PATIENCE_S) -> str:
    """Why nothing can be reached at `host:port` or `ray://host:port`; empty if something can."""
    parts = urlsplit(address if "://" in address else f"ray://{address}")
    try:
        host, port = parts.hostname, parts.port
    except ValueError as error:
        return f"it is no host:port ({error})"
    if not host or not port:
        return ""  # `auto` and the like: Ray knows where to look
    ends_s = time.monotonic() + patience_s
    while True:
        try:
            socket.create_connection((host, port), timeout=patience_s / 2).close()
        except OSError as error:
            if time.monotonic() > ends_s:
                return f"connecting to {host} port {port} failed for {patience_s:g} s ({error})"
            time.sleep(0.5)
        else:
            return ""


@contextmanager
def limited(seconds: float, late: Exception) -> Iterator[None]:
    """Raise `late` inside the block after so many seconds; in the main thread alone."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(signum: int, frame: FrameType | None) -> None:
        raise late

    before = signal.signal(signal.SIGALRM, end)
    # Again and again: a library may swallow what is raised inside of it.
    signal.setitimer(signal.ITIMER_REAL, seconds, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
