"""Draw pages in a process that can be killed: foreign documents may hang, crash or fill memory.

A page that takes too long or too much is given up with a slug, and the next one gets a new process.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import pickle
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from renderers.documents.opening import Ref, Tools
from renderers.documents.page import DocumentFault, PageImage, RendererMissing
from renderers.documents.recipe import PageRecipe
from vae_corpus.pictures.decode import Limits

# How often memory is looked at; what a process takes in between is beyond the limit.
_LOOK_S = 0.1
# The first answer waits for the libraries.
_START_S = 60.0
# A process may also die of something else, such as the kernel's want of memory.
_TRIES = 2
_DYING_S = 2.0
# Where programs that draw for us keep what they need.
_PREFIX, _LOCK, _NEW_S = "vae-corpus-documents-", ".lock", 60
_PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")


@dataclass(frozen=True, kw_only=True)
class Bounds:
    """What a page may take: seconds, and bytes of private memory of all processes together.

    Opening a document may take `open_timeout_s`: some are converted as a whole.
    """

    page_timeout_s: float = 30.0
    open_timeout_s: float = 120.0
    memory_bytes: int = 3 * 1024**3


class _TooMuch(Exception):
    """Memory ran over; `fresh`: of a process that had done nothing before."""

    def __init__(self, used: int, allowed: int, fresh: bool) -> None:
        super().__init__(f"{used / 1e9:.1f} GB, {allowed / 1e9:.1f} are allowed")
        self.fresh = fresh


class _Dead(Exception):
    """The process is gone, and is put away; says how it ended."""


class Renderings:
    """Pages of documents, drawn by one process that is started when it is needed."""

    def __init__(self, tools: Tools, bounds: Bounds) -> None:
        self._tools, self._bounds = tools, bounds
        self._child: subprocess.Popen[bytes] | None = None
        self._pipe: Connection | None = None
        self._folder: str | None = None
        self._lock_file: int | None = None
        self._fresh = True
        self._lock = threading.Lock()
        atexit.register(self.close)

    def version(self, kind: str) -> str:
        """What draws a kind of documents, see `Opener.version`; RendererMissing."""
        name: str = self._ask(("version", kind), self._bounds.open_timeout_s)
        return name

    def pages(self, ref: Ref) -> int:
        """How many pages there are to ask for; see `render` for what is raised."""
        count: int = self._ask(("pages", ref), self._bounds.open_timeout_s)
        return count

    def render(self, ref: Ref, number: int, recipe: PageRecipe, limits: Limits) -> PageImage:
        """A page, from 0.

        DocumentFault for what is wrong with it, also `page_timeout`, `too_much_memory` and
        `page_crashed`; RendererMissing; OSError when the file cannot be read now.
        """
        request = ("render", ref, number, recipe, limits)
        page: PageImage = self._ask(request, self._bounds.page_timeout_s)
        return page

    def close(self) -> None:
        """End the process, and all that it started."""
        if self._child is not None:
            for pid in reversed(_family(self._child.pid)):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            self._child.wait()
        if self._pipe is not None:
            self._pipe.close()
        self._child = self._pipe = None
        if self._folder is not None:
            # What programs that were killed have left behind.
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None
        if self._lock_file is not None:
            os.close(self._lock_file)
            self._lock_file = None

    def _ask(self, request: tuple[Any, ...], limit_s: float) -> Any:
        for left in reversed(range(_TRIES)):
            try:
                # A dead process is put away before another thread asks.
                with self._lock:
                    kind, content = self._answered(request, limit_s)
            except _Dead as error:
                if not left:
                    raise DocumentFault("page_crashed", f"its process {error}, twice") from None
                continue
            except _TooMuch as error:
                # Programs keep a little of every page: it may not be the fault of this one.
                if error.fresh or not left:
                    raise DocumentFault("too_much_memory", str(error)) from None
                continue
            if kind == "done":
                return content
            if kind == "fault":
                raise DocumentFault(*content)
            if kind == "missing":
                raise RendererMissing(content)
            raise OSError(*content)
        raise AssertionError("the last try returns or raises")

    def _answered(self, request: tuple[Any, ...], limit_s: float) -> tuple[str, Any]:
        try:
            return self._answer(request, limit_s)
        except (EOFError, OSError):
            raise _Dead(self._end()) from None

    def _answer(self, request: tuple[Any, ...], limit_s: float) -> tuple[str, Any]:
        pipe = self._running()
        pipe.send_bytes(pickle.dumps(request, protocol=5))
        began = time.monotonic()
        limit_s += _START_S if self._fresh else 0.0
        while not pipe.poll(_LOOK_S):
            assert self._child is not None
            used = _private_bytes(self._child.pid)
            if used > self._bounds.memory_bytes:
                fresh = self._fresh
                self.close()
                raise _TooMuch(used, self._bounds.memory_bytes, fresh)
            if time.monotonic() - began > limit_s:
                self.close()
                what = "page" if request[0] == "render" else "document"
                raise DocumentFault(f"{what}_timeout", f"not done in {limit_s:.0f} s")
        answer: tuple[str, Any] = pickle.loads(pipe.recv_bytes())
        self._fresh = False
        return answer

    def _running(self) -> Connection:
        if self._pipe is None:
            ours, theirs = socket.socketpair()
            _sweep(Path(tempfile.gettempdir()))
            self._folder = tempfile.mkdtemp(prefix=_PREFIX)
            self._lock_file = _locked(Path(self._folder) / _LOCK)
            paths = os.pathsep.join(path for path in sys.path if path)
            self._child = subprocess.Popen(
                # Not from the folder in which we happen to be: it may shadow what we import.
                [sys.executable, "-P", "-m", "renderers.documents.child", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                env=os.environ | {"PYTHONPATH": paths, "TMPDIR": self._folder},
            )
            theirs.close()
            self._pipe = Connection(ours.detach())
            self._fresh = True
            self._pipe.send_bytes(pickle.dumps(self._tools))
        return self._pipe

    def _end(self) -> str:
        code = None
        if self._child is not None:
            # Its end of the pipe closes a little before it is gone.
            with suppress(subprocess.TimeoutExpired):
                code = self._child.wait(_DYING_S)
        self.close()
        if code is not None and code < 0:
            return f"was ended by {signal.Signals(-code).name}"
        return "ended" if code is None else f"ended with code {code}"


def _sweep(place: Path) -> None:
    """Remove the folders of those that were killed: nobody holds their locks any more."""
    for folder in place.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            # A new folder may not have its lock yet.
            if time.time() - folder.stat().st_mtime > _NEW_S:
                os.close(_locked(folder / _LOCK))
                shutil.rmtree(folder, ignore_errors=True)


def _locked(path: Path) -> int:
    """The file, held until it is closed or its process ends; OSError when another holds it."""
    file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(file)
        raise
    return file


def _family(pid: int) -> list[int]:
    """A process and all that descend from it, parents first."""
    children: dict[int, list[int]] = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with suppress(OSError, IndexError, ValueError):
            parent = int((folder / "stat").read_text().rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(folder.name))
    family, new = [], [pid]
    while new:
        family += new
        new = [child for parent in new for child in children.get(parent, ())]
    return family


def _private_bytes(pid: int) -> int:
    """Memory that a process and its descendants hold and share with nobody."""
    total = 0
    for one in _family(pid):
        with suppress(OSError, ValueError):
            _, resident, shared, *_ = Path(f"/proc/{one}/statm").read_text().split()
            total += (int(resident) - int(shared)) * _PAGE_BYTES
    return total
