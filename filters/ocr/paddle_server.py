"""PaddleOCR behind a pipe: runs in an environment of its own, started by `filters.ocr.paddle`.

PaddleOCR pins versions of OpenCV and numpy that collide with ours, so this file imports nothing of
this project and needs only `paddle-requirements.txt`. It takes its settings as JSON on the command
line, reads requests from stdin and answers on stdout, and ends when stdin does.

Each message is two lengths in bytes (uint32, big endian), a JSON header, and raw bytes. A request
is {"op", "height", "width"} with the pixels uint8[H, W, 3] in RGB. The answer to "detect" is
{"polygons"}, corners in px; to "read_line", where one line fills the picture, {"text",
"confidence"}; and to what fails, {"error"}. The first message of all comes from here and tells the
versions: {"packages"}, or {"unavailable"} where a package or a model is missing.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import os
import signal
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any, BinaryIO

_PACKAGES = ("paddleocr", "paddlex", "onnxruntime", "opencv-contrib-python", "numpy")
_LENGTHS = struct.Struct(">II")
# Pictures come padded to multiples of this, and no larger than PaddleX takes: it resizes none.
_STRIDE_PX = 32


class Offline:
    """Refuses every look-up and connection of this process, and remembers them."""

    def __init__(self) -> None:
        self.tried: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
            # A local socket (asyncio, logging) has a path where others have a host.
            if event == "socket.connect" and not isinstance(arguments[1], tuple):
                return
            self.tried.append(f"{event}{arguments[-1] if event == 'socket.connect' else arguments}")
            raise OSError("this process works offline")


class Reader:
    """PaddleOCR's detector and recogniser on local ONNX models, on one thread.

    Its pipeline is left out, because it cuts lines out in a way of its own, which drops the
    fractions of their sides (every seventh upright line comes out a pixel short), and that changes
    what they say. Nor is there a model that turns or flattens pages: none can be looked for.
    """

    def __init__(self, models: dict[str, str], options: dict[str, float]) -> None:
        import cv2
        import numpy as np

        # By name: a missing one is told first, and no type checker of ours looks for them.
        importlib.import_module("onnxruntime")
        paddleocr: Any = importlib.import_module("paddleocr")

        cv2.setNumThreads(1)
        self._array = np
        self._options = options
        engine = {
            "engine": "onnxruntime",
            "device": "cpu",
            "engine_config": {
                "providers": ["CPUExecutionProvider"],
                "intra_op_num_threads": 1,
                "inter_op_num_threads": 1,
            },
        }
        # A name and a folder pin a model; without them the newest of the hub would be asked for.
        self._detector, self._recogniser = (
            part(model_name=Path(models[task]).name, model_dir=models[task], **engine)
            for part, task in ((paddleocr.TextDetection, "det"), (paddleocr.TextRecognition, "rec"))
        )

    def detect(self, bgr: Any) -> dict[str, Any]:
        """Corners of lines in uint8[H, W, 3], blue first: PaddleOCR's door."""
        # All of them each time: what is not given is taken from the file of the model.
        (found,) = self._detector.predict(
            bgr,
            batch_size=1,
            limit_side_len=_STRIDE_PX,
            limit_type="min",
            thresh=self._options["threshold"],
            box_thresh=self._options["box_threshold"],
            unclip_ratio=self._options["unclip"],
        )
        return {"polygons": self._array.asarray(found["dt_polys"]).tolist()}

    def read_line(self, bgr: Any) -> dict[str, Any]:
        """What the one line says that fills uint8[H, W, 3], blue first.

        One at a time: a line's text depends on the width of those read with it.
        """
        (found,) = self._recogniser.predict(bgr, batch_size=1)
        return {"text": found["rec_text"], "confidence": float(found["rec_score"])}

    def answer(self, header: dict[str, Any], pixels: bytes) -> dict[str, Any]:
        shape = (header["height"], header["width"], 3)
        rgb = self._array.frombuffer(pixels, self._array.uint8).reshape(shape)
        bgr = self._array.ascontiguousarray(rgb[:, :, ::-1])
        return {"detect": self.detect, "read_line": self.read_line}[header["op"]](bgr)


def serve(requests: BinaryIO, replies: BinaryIO, settings: dict[str, Any]) -> int:
    """Answers until `requests` ends; returns the exit status."""
    offline = Offline()
    try:
        reader = Reader(settings["models"], settings["options"])
        packages = {name: importlib.metadata.version(name) for name in _PACKAGES}
    except Exception as error:
        send(replies, {"unavailable": _describe(error, offline)})
        return 1
    if offline.tried:
        send(replies, {"unavailable": f"it tried to reach the network: {offline.tried}"})
        return 1
    send(replies, {"packages": packages})
    while (message := receive(requests)) is not None:
        try:
            reply = reader.answer(*message)
        except Exception as error:
            reply = {"error": _describe(error, offline)}
        if offline.tried:
            reply = {"error": f"PaddleOCR tried to reach the network: {offline.tried}"}
        send(replies, reply)
    return 0


def _describe(error: BaseException, offline: Offline) -> str:
    network = f"; it tried to reach the network: {offline.tried}" if offline.tried else ""
    return f"{type(error).__name__}: {error}{network}"


def send(pipe: BinaryIO, header: dict[str, Any]) -> None:
    data = json.dumps(header).encode()
    pipe.write(_LENGTHS.pack(len(data), 0) + data)
    pipe.flush()


def receive(pipe: BinaryIO) -> tuple[dict[str, Any], bytes] | None:
    """A header and its bytes, or None at the end of the pipe."""
    start = pipe.read(_LENGTHS.size)
    if len(start) < _LENGTHS.size:
        return None
    lengths = _LENGTHS.unpack(start)
    header, pixels = pipe.read(lengths[0]), pipe.read(lengths[1])
    return (json.loads(header), pixels) if len(pixels) == lengths[1] else None


def main() -> int:
    # Ctrl-C reaches the whole group of processes: the one that started this ends it.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # Libraries print where they like: only messages may go to the pipe.
    requests, replies = os.fdopen(os.dup(0), "rb"), os.fdopen(os.dup(1), "wb")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    with tempfile.TemporaryDirectory(prefix="paddle-") as cache:
        # Read when PaddleX is imported, which then keeps nothing in the home.
        os.environ.update(
            PADDLE_PDX_CACHE_HOME=cache,
            PADDLE_PDX_DISABLE_MODEL_SOURCE_CHECK="True",
            HF_HUB_OFFLINE="1",
            OMP_NUM_THREADS="1",
        )
        return serve(requests, replies, json.loads(sys.argv[1]))


if __name__ == "__main__":
    sys.exit(main())
