"""Ctrl-C and SIGTERM: out within seconds, with one sentence and the code that shells expect.

A signal becomes an exception, so that workers end and the lease is removed on the way out. Some
libraries turn it into an error of their own or swallow it, and some calls do not come back for
long. So a thread hears of the signal too, at once, and ends the process when the way out takes too
long. Nothing here may import more than Python has: it is at work before the libraries are loaded.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable
from types import FrameType, TracebackType

from pipelines.workers.last_words import hush

# Ending actors and Ray takes up to about three seconds.
_GRACE_S = 6.0
_SIGNALS = (signal.SIGINT, signal.SIGTERM)
_GOES_ON = "the same command goes on from here"


class Stopped(KeyboardInterrupt):
    """The user, or whoever runs the machine, wants the build to end."""


def stop_early() -> None:
    """Until a `Stoppable` is entered a signal ends the process at once, with a sentence."""

    def end(signum: int, frame: FrameType | None) -> None:
        _end(128 + signum, f"stopped: what is done is kept; {_GOES_ON}")

    for signum in _SIGNALS:
        signal.signal(signum, end)


def hurry(sentence: str) -> None:
    """The block of a `Stoppable` is about to end by an error: let that take no longer than a stop.

    A store that is away would hold up all that is to be left in order, for minutes.
    """
    if _entered:
        late = threading.Thread(target=_entered[-1].end_late, args=(1, sentence), daemon=True)
        late.start()


class Stoppable:
    """A block that a signal ends by `Stopped`; whatever else is raised on the way becomes that.

    `where` says in some words how far the work is; it is asked, from a thread, when the signal
    comes. `sentence` and `code` are then what to say and to end with.
    """

    def __init__(self, where: Callable[[], str]) -> None:
        self._where = where
        self._ended = threading.Event()
        self._before: dict[int, object] = {}
        self._raised = False
        self.signum: int | None = None
        self.sentence = f"stopped: what is done is kept; {_GOES_ON}"

    @property
    def code(self) -> int:
        return 128 + (self.signum or 0)

    def __enter__(self) -> Stoppable:
        _entered.append(self)
        # Only the main thread may say what a signal does.
        if threading.current_thread() is threading.main_thread():
            self._ear, self._mouth = os.pipe()
            os.set_blocking(self._mouth, False)
            for signum in _SIGNALS:
                self._before[signum] = signal.signal(signum, self._stop)
            self._wakeup = signal.set_wakeup_fd(self._mouth, warn_on_full_buffer=False)
            self._thread = threading.Thread(target=self._listen, name="stopping", daemon=True)
            self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None
    ) -> None:
        _entered.remove(self)
        self._ended.set()
        if self._before:
            signal.set_wakeup_fd(self._wakeup)
            os.write(self._mouth, b"\0")
            # It has heard every signal before this; also those for which Ray had a handler.
            self._thread.join()
            for signum, handler in self._before.items():
                signal.signal(signum, handler)  # type: ignore[arg-type]
            os.close(self._ear)
            os.close(self._mouth)
        if self.signum is not None and error is not None:
            raise Stopped from None

    def _stop(self, signum: int, frame: FrameType | None) -> None:
        # Only once: the way out must not be broken off by somebody's second Ctrl-C. The sentence
        # is the thread's affair, for what it asks may be locked by whom the signal interrupts.
        if not self._raised:
            self._raised, self.signum = True, signum
            raise Stopped

    def _listen(self) -> None:
        while (signum := os.read(self._ear, 1)[0]) not in (0, *_SIGNALS):
            pass
        if signum == 0:
            return
        # Ray has a handler of its own while it starts, so ours may not have been called.
        self.signum = signum
        self.sentence = f"stopped {self._where()}; {_GOES_ON}"
        self.end_late(self.code, self.sentence)

    def end_late(self, code: int, sentence: str) -> None:
        """End the process with a sentence if the block has not ended in a few seconds."""
        if not self._ended.wait(_GRACE_S):
            _end(code, sentence)


_entered: list[Stoppable] = []


def _end(code: int, sentence: str) -> None:
    hush()
    sys.stdout.flush()
    os.write(2, f"{sentence}\n".encode())
    os._exit(code)
