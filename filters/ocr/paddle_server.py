"""PaddleOCR behind a pipe: runs in an environment of its own, started by `filters.ocr.paddle`.

PaddleOCR pins versions of OpenCV and numpy that collide with ours, so this file imports nothing of
this project and needs only `paddle-requirements.txt`. It takes its settings as JSON on the command
line, reads requests from stdin and answers on stdout, and ends when stdin does.

Each message is two lengths in bytes (uint32, big endian), a JSON header, and raw bytes. A request
is {"op", "height", "width"} with numbers of a picture of that size. To "map", with the pixels of a
window uint8[H, W, 3] in RGB, the answer holds float32[H, W], how likely each is inside a line. To
"boxes", with such a map, it is {"polygons"}, corners in px; to "read_line", with pixels that one
line fills, {"text", "confidence"}; and to what fails, {"error"}. The first message of all comes
from here and tells the versions: {"packages"}, or {"unavailable"} where a package or a model is
missing.
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
        detection, self._recogniser = (
            part(model_name=Path(models[task]).name, model_dir=models[task], **engine)
            for part, task in ((paddleocr.TextDetection, "det"), (paddleocr.TextRecognition, "rec"))
        )
        # Its steps are called one by one: what it says of a line must not depend on where the
        # border of its picture is.
        self._detector = detection.paddlex_predictor

    def map(self, bgr: Any) -> tuple[dict[str, Any], bytes]:
        """float32[H, W] of uint8[H, W, 3], blue first: how likely each pixel is inside a line."""
        # Without the resizing, which would change windows whose sides are as they must be.
        tensor = [bgr]
        for step in ("Normalize", "ToCHW", "ToBatch"):
            tensor = self._detector.pre_tfs[step](imgs=tensor)
        (found,) = self._detector.runner(x=tensor)
        return {}, self._array.ascontiguousarray(found[0, 0], self._array.float32).tobytes()

    def boxes(self, probability: Any) -> tuple[dict[str, Any], bytes]:
        """Corners of the lines of a map, float32[H, W]."""
        # All thresholds each time: what is not given is taken from the file of the model.
        (found,), _ = self._detector.post_op(
            [probability[None, None]],
            [(*probability.shape, 1.0, 1.0)],
            thresh=self._options["threshold"],
            box_thresh=self._options["box_threshold"],
            unclip_ratio=self._options["unclip"],
        )
        return {"polygons": self._array.asarray(found).tolist()}, b""

    def read_line(self, bgr: Any) -> tuple[dict[str, Any], bytes]:
        """What the one line says that fills uint8[H, W, 3], blue first.

        One at a time: a line's text depends on the width of those read with it.
        """
        (found,) = self._recogniser.predict(bgr, batch_size=1)
        return {"text": found["rec_text"], "confidence": float(found["rec_score"])}, b""

    def answer(self, header: dict[str, Any], data: bytes) -> tuple[dict[str, Any], bytes]:
        shape = (header["height"], header["width"])
        if header["op"] == "boxes":
            return self.boxes(self._array.frombuffer(data, self._array.float32).reshape(shape))
        rgb = self._array.frombuffer(data, self._array.uint8).reshape(*shape, 3)
        bgr = self._array.ascontiguousarray(rgb[:, :, ::-1])
        return {"map": self.map, "read_line": self.read_line}[header["op"]](bgr)


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
            reply = {"error": _describe(error, offline)}, b""
        if offline.tried:
            reply = {"error": f"PaddleOCR tried to reach the network: {offline.tried}"}, b""
        send(replies, *reply)
    return 0


def _describe(error: BaseException, offline: Offline) -> str:
    network = f"; it tried to reach the network: {offline.tried}" if offline.tried else ""
    return f"{type(error).__name__}: {error}{network}"


def send(pipe: BinaryIO, header: dict[str, Any], data: bytes = b"") -> None:
    start = json.dumps(header).encode()
    pipe.write(_LENGTHS.pack(len(start), len(data)) + start)
    pipe.write(data)
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
