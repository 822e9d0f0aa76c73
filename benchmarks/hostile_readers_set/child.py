"""Reads one hostile input as a worker does, in a process with limits of its own.

Processes are forked from one that has loaded all that is needed. An audit hook notes every attempt
of Python code to write or read outside the places that are its own, to reach the network, to start
a program, to unpickle a class.
"""

from __future__ import annotations

import json
import os
import re
import resource
import select
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hostile_readers_set import reading

# The last resort; what is measured has to be far below.
_DATA_BYTES, _CPU_S, _FILE_BYTES, _KILL_S = 8 << 30, 150, 1 << 30, 150
_SAID_CHARS = 300
_WRITES = {"os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.link", "os.symlink", "os.chmod"}
_WRITES |= {"os.chown", "os.truncate", "os.utime", "shutil.rmtree"}
_NEVER = {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork"}
_NEVER |= {"socket.connect", "socket.getaddrinfo", "pickle.find_class", "urllib.Request"}


def read(reader: str, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    """What came of FOLDER/source; `died` says how the process ended before it could tell."""
    said = in_child(lambda: _read(reader, folder, settings), folder / "out" / "errors")
    if isinstance(said, str):
        times = {"seconds": 0.0, "cpu_seconds": 0.0, "peak_mb": 0}
        return times | {"error": "", "passed_over": 0, "seen": [], "died": said}
    return said


def in_child(work: Callable[[], Any], errors: Path) -> Any:
    """What `work` returns, as JSON has it; a sentence when its process ends or does not."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.close(reader)
            os.dup2(os.open(errors, os.O_WRONLY | os.O_CREAT), sys.stderr.fileno())
            data = json.dumps(work()).encode()
            while data:
                data = data[os.write(writer, data) :]
            os._exit(0)
        except BaseException as error:
            os.write(2, f"{type(error).__name__}: {error}"[:1000].encode("utf-8", "replace"))
            os._exit(1)
    os.close(writer)
    said, ends = b"", time.monotonic() + _KILL_S
    while True:
        ready, _, _ = select.select([reader], [], [], max(0.0, ends - time.monotonic()))
        if not ready:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)
            os.close(reader)
            return f"it was not done in {_KILL_S} s"
        piece = os.read(reader, 1 << 16)
        if not piece:
            break
        said += piece
    os.close(reader)
    _, status = os.waitpid(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    if code:
        how = signal.Signals(-code).name if code < 0 else f"code {code}"
        return f"{how}: {errors.read_text(errors='replace').strip()[-300:]}"
    return json.loads(said)


def _read(reader: str, folder: Path, settings: dict[str, Any]) -> dict[str, Any]:
    resource.setrlimit(resource.RLIMIT_DATA, (_DATA_BYTES, _DATA_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (_CPU_S, _CPU_S))
    resource.setrlimit(resource.RLIMIT_FSIZE, (_FILE_BYTES, _FILE_BYTES))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.chdir(folder / "tmp")
    os.environ |= {"HOME": str(folder / "home"), "TMPDIR": str(folder / "tmp")}
    work = {"text": reading.texts, "settings": reading.settings}.get(reader, reading.source)
    watch = Watch(folder)
    told: dict[str, Any] = {"error": "", "slugs": {}, "good": 0, "passed_over": 0, "why": ""}
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    idle, begun, worked = _memory("VmRSS"), time.monotonic(), time.process_time()
    watch.on = True
    try:
        told |= work(reader, folder, settings)
    except reading.FOR_PEOPLE as error:
        told["error"] = str(error)[:_SAID_CHARS]
        told["error_chars"] = len(str(error))
    except BaseException as error:
        told["raised"] = f"{type(error).__name__}: {error}"[:_SAID_CHARS]
    watch.on = False
    told["cpu_seconds"] = round(time.process_time() - worked, 2)
    told["seconds"] = round(time.monotonic() - begun, 2)
    told["peak_mb"] = round((_memory("VmHWM") - idle) / 1e6)
    told["seen"] = watch.seen
    return told


class Watch:
    """What an audit hook sees while `on`: whatever has no place in reading a source."""

    def __init__(self, own: Path) -> None:
        self.on = False
        self.seen: list[str] = []
        self._own = os.path.realpath(own)
        places = [sys.prefix, sys.base_prefix, "/proc", "/sys", "/dev/null", "/dev/urandom"]
        places += [str(Path(__file__).parents[2]), "/usr", "/lib"]
        self._readable = tuple(os.path.realpath(place) for place in places)
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.on:
            return
        if event in _NEVER or event in _WRITES and not self._is_ours(arguments[0], "out", "tmp"):
            self._note(event, arguments)
        elif event == "open" and isinstance(arguments[0], str | bytes):
            path, mode, flags = arguments
            if (flags or 0) & (os.O_WRONLY | os.O_RDWR | os.O_CREAT):
                if not self._is_ours(path, "out", "tmp"):
                    self._note("write", (path, mode))
            elif not self._is_ours(path, "") and not self._is_readable(path):
                self._note("read", (path,))

    def _is_ours(self, path: Any, *parts: str) -> bool:
        real = os.path.realpath(os.fsdecode(path))
        return any(real.startswith(f"{self._own}/{part}") for part in parts)

    def _is_readable(self, path: Any) -> bool:
        return os.path.realpath(os.fsdecode(path)).startswith(self._readable)

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if len(self.seen) < 10:
            self.seen.append(f"{event} {arguments!r}"[:_SAID_CHARS])


def _memory(name: str) -> int:
    found = re.search(rf"^{name}:\s+(\d+) kB", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert found is not None
    return 1024 * int(found[1])
