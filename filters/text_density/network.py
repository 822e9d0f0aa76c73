"""Small networks of our own, run by onnxruntime on one thread."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filters.ocr.engine import OcrUnavailable
from vae_corpus.memo import memo


@dataclass(frozen=True)
class Network:
    """A network that is ready to run, and the hash of its file."""

    session: Any
    sha256: str


@memo
def load(path: Path) -> Network:
    """OcrUnavailable, with what to do, where it cannot run or its file is missing or broken."""
    try:
        import onnxruntime
    except ImportError as error:
        raise OcrUnavailable(
            "onnxruntime is not installed: pip install 'vae-corpus[ocr]'"
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    try:
        data = path.read_bytes()
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # onnxruntime has no common class for what a bad file meets
        raise OcrUnavailable(
            f"no network in {path}: {error}; install vae-corpus anew, or train one with:"
            " python benchmarks/fit_text_density.py"
        ) from error
    return Network(session, hashlib.sha256(data).hexdigest())
