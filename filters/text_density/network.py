"""Small networks of our own, run by onnxruntime on one thread."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filters.ocr.engine import OcrUnavailable


@dataclass(frozen=True)
class Network:
    """A network that is ready to run, and the hash of its file."""

    session: Any
    sha256: str


@functools.cache
def load(path: Path) -> Network:
    """OcrUnavailable, with what to do, where it cannot run."""
    try:
        import onnxruntime
    except ImportError as error:
        raise OcrUnavailable(
            "onnxruntime is not installed: pip install 'vae-corpus[ocr]'"
        ) from error
    data = path.read_bytes()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    return Network(session, hashlib.sha256(data).hexdigest())
