"""The second OCR engine: PaddleOCR, in an environment and a process of its own. Works offline.

PaddleOCR's pins collide with ours, so its interpreter is started as a helper (`paddle_server.py`)
and pixels go to it over a pipe. Preparing pixels, running both networks, cutting boxes out of the
map and decoding letters are PaddleOCR's; windows, cutting out of lines and their order are those
of `windowed`, as with `rapid`. On the models of the rapidocr wheel (`export_models`) it is a check
of that engine: line by line, both read the same. Figures of one are still not comparable with the
other's, and `engine_id` tells them apart.
"""

from __future__ import annotations

import functools
import json
import os
import shutil
import struct
import subprocess
import threading
import weakref
from collections import deque
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np

from filters.ocr.engine import OcrUnavailable, Polygons, Rgb
from filters.ocr.models import model_folder, sha256
from filters.ocr.windowed import OcrOptions, WindowedEngine
from filters.ocr.windows import Map

PYTHON_VARIABLE = "VAE_CORPUS_PADDLE_PYTHON"
REQUIREMENTS = Path(__file__).with_name("paddle-requirements.txt")
_SERVER = Path(__file__).with_name("paddle_server.py")
_MODEL_FILES = ("inference.onnx", "inference.yml")
_LENGTHS = struct.Struct(">II")
_LAST_LINES = 20


class PaddleFailed(RuntimeError):
    """The helper broke off, took too long, or could not read a picture; the message tells why."""


class _BrokeOff(PaddleFailed):
    """The helper ended before it had answered."""


class PaddleOcrEngine(WindowedEngine):
    """PaddleOCR on one thread of a helper process, which starts when first used.

    `models` is the folder that `export_models` wrote: it holds one folder ending in `_det` and one
    in `_rec`. `python` is the interpreter that has PaddleOCR, by default the one that the variable
    VAE_CORPUS_PADDLE_PYTHON names. OcrUnavailable when one of them is missing. The helper ends
    with `close`, with this object, or with this process, and one that broke off is started anew by
    the next call. `server` is the script that it runs.
    """

    def __init__(
        self,
        models: Path,
        options: OcrOptions | None = None,
        *,
        python: str | Path | None = None,
        timeout_s: float = 300.0,
        server: Path = _SERVER,
    ) -> None:
        super().__init__(options)
        self.models = {task: model_folder(models, task, _MODEL_FILES) for task in ("det", "rec")}
        self.python = _interpreter(python)
        self.timeout_s = timeout_s
        self._server = server
        self._helper: _Helper | None = None

    @functools.cached_property
    def engine_id(self) -> str:
        """Versions are those of the helper's environment, which this starts."""
        versions = [f"{name} {version}" for name, version in self._started().packages.items()]
        files = [
            f"{folder.name}/{name} sha256:{sha256(folder / name)}"
            for folder in self.models.values()
            for name in _MODEL_FILES
        ]
        return self._id(*versions, *files)

    def ready(self, *, to_read: bool = False) -> None:
        # The helper loads both models when it starts.
        self._started()

    def read_line(self, rgb: Rgb) -> tuple[str, float]:
        reply = self._ask("read_line", rgb)
        return reply["text"], reply["confidence"]

    def _exchange(self, header: dict[str, Any], data: bytes) -> dict[str, Any]:
        try:
            return self._started().exchange(header, data)
        except BaseException:
            # An answer that comes late would be taken for that to the next question.
            self.close()
            raise

    def close(self) -> None:
        """End the helper; a later call starts another."""
        if self._helper is not None:
            self._helper.close()
            self._helper = None

    def _started(self) -> _Helper:
        if self._helper is None:
            models = {task: str(folder.resolve()) for task, folder in self.models.items()}
            settings = {"models": models, "options": asdict(self.options)}
            command = [str(self.python), str(self._server), json.dumps(settings)]
            self._helper = _Helper(command, self.timeout_s)
        return self._helper

    def _map(self, window: Rgb) -> Map:
        data = self._ask("map", window)["data"]
        return np.frombuffer(data, np.float32).reshape(window.shape[:2])

    def _boxes(self, probability: Map) -> Polygons:
        polygons = self._ask("boxes", probability)["polygons"]
        return np.array(polygons, np.float32).reshape(-1, 4, 2)

    def _ask(self, what: str, pixels: Rgb | Map) -> dict[str, Any]:
        height, width = pixels.shape[:2]
        header, data = {"op": what, "height": height, "width": width}, pixels.tobytes()
        try:
            reply = self._exchange(header, data)
        except _BrokeOff:
            # Killed from outside, say for memory: only a second time is it this picture's fault.
            reply = self._exchange(header, data)
        if "error" in reply:
            raise PaddleFailed(f"PaddleOCR: {what} of {width} x {height} px: {reply['error']}")
        return reply


class _Helper:
    """A process that answers messages; the first, unasked, says that it is ready."""

    def __init__(self, command: list[str], timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._command = command
        self._lock = threading.Lock()
        pipe = subprocess.PIPE
        try:
            # Isolated (-I): neither our folders nor our PYTHONPATH are on its path.
            self._process = subprocess.Popen(
                [command[0], "-I", *command[1:]], stdin=pipe, stdout=pipe, stderr=pipe
            )
        except OSError as error:
            raise OcrUnavailable(
                f"{command[0]} does not start: {error}. {_how_to_install()}"
            ) from error
        assert self._process.stdin and self._process.stdout and self._process.stderr
        self._requests, self._replies = self._process.stdin, self._process.stdout
        self._last_lines: deque[str] = deque(maxlen=_LAST_LINES)
        # Read all the time, because a full pipe would stop the helper.
        self._listener = threading.Thread(
            target=_listen, args=(self._process.stderr, self._last_lines), daemon=True
        )
        self._listener.start()
        self.close = weakref.finalize(self, _end, self._process, self._listener)
        try:
            first = self._within_time(self._receive)
        except BaseException:
            self.close()
            raise
        if "unavailable" in first:
            self.close()
            raise OcrUnavailable(
                f"{command[0]} cannot run PaddleOCR: {first['unavailable']}\n{_how_to_install()}"
            )
        self.packages: dict[str, str] = first["packages"]

    def exchange(self, header: dict[str, Any], data: bytes) -> dict[str, Any]:
        """The answer to one message; PaddleFailed when there is none."""
        start = json.dumps(header).encode()

        def send_and_receive() -> dict[str, Any]:
            self._requests.write(_LENGTHS.pack(len(start), len(data)) + start)
            self._requests.write(data)
            self._requests.flush()
            return self._receive()

        with self._lock:
            return self._within_time(send_and_receive)

    def _receive(self) -> dict[str, Any]:
        start = self._replies.read(_LENGTHS.size)
        if len(start) < _LENGTHS.size:
            raise EOFError
        size, extra = _LENGTHS.unpack(start)
        body = self._replies.read(size + extra)
        if len(body) < size + extra:
            raise EOFError
        reply: dict[str, Any] = json.loads(body[:size])
        return reply | {"data": body[size:]}

    def _within_time(self, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What `work` gives; a helper that takes too long is killed, which ends both pipes."""
        late = threading.Event()

        def kill() -> None:
            late.set()
            self._process.kill()

        timer = threading.Timer(self._timeout_s, kill)
        timer.daemon = True
        timer.start()
        try:
            return work()
        except (EOFError, OSError, ValueError) as error:
            status = _wait(self._process, 1.0)
            self._listener.join(1.0)
            why = f"broke off with status {status}"
            kind: type[PaddleFailed] = _BrokeOff
            if late.is_set():
                why = f"gave no answer within {self._timeout_s:g} s and was ended"
                kind = PaddleFailed
            last = "\n".join(self._last_lines) or "(nothing)"
            raise kind(
                f"the PaddleOCR helper ({self._command[0]}) {why}; its last words:\n{last}"
            ) from error
        except BaseException:
            # Interrupted half way: neither side knows where the next message begins.
            self._process.kill()
            raise
        finally:
            timer.cancel()


def _listen(pipe: IO[bytes], lines: deque[str]) -> None:
    with pipe:
        for line in pipe:
            lines.append(line.decode(errors="replace").rstrip())


def _end(process: subprocess.Popen[bytes], listener: threading.Thread) -> None:
    """The helper ends when its input does; one that does not is killed."""
    for pipe in (process.stdin, process.stdout):
        assert pipe
        # What is left unsent has no one to go to.
        try:
            pipe.close()
        except OSError:
            continue
    _wait(process, 5.0)
    listener.join(1.0)


def _wait(process: subprocess.Popen[bytes], seconds: float) -> int:
    """The exit status of a process that should end by itself, and is killed if it does not."""
    try:
        return process.wait(seconds)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


def _interpreter(python: str | Path | None) -> Path:
    named = python or os.environ.get(PYTHON_VARIABLE)
    if not named:
        raise OcrUnavailable(f"no interpreter that has PaddleOCR is named. {_how_to_install()}")
    # The link is not followed: it is what makes a virtual environment one.
    found = shutil.which(str(named))
    if found is None:
        raise OcrUnavailable(f"{named} is no interpreter that can be run. {_how_to_install()}")
    return Path(found).absolute()


def _how_to_install() -> str:
    return (
        "PaddleOCR needs an environment of its own (707 MB, half a minute):\n"
        "  python3 -m venv .venv-paddle\n"
        f"  .venv-paddle/bin/python -m pip install --requirement {REQUIREMENTS}\n"
        f"  export {PYTHON_VARIABLE}=$PWD/.venv-paddle/bin/python"
    )
