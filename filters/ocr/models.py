"""Folders of models as `export_models` writes them, one for each task, and their hashes."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from pathlib import Path

from filters.ocr.engine import OcrUnavailable


def model_folder(models: Path, task: str, files: Sequence[str]) -> Path:
    """The one folder `*_<task>` below `models`; OcrUnavailable when it or a file is missing."""
    make = f"make it with: python -m filters.ocr.export_models --out {models}"
    found = sorted(models.glob(f"*_{task}"))
    if len(found) != 1:
        raise OcrUnavailable(f"{models} holds {len(found)} folders *_{task}, not one; {make}")
    for name in files:
        if not (found[0] / name).is_file():
            raise OcrUnavailable(f"no {found[0] / name}; {make}")
    return found[0]


@functools.cache
def sha256(path: Path) -> str:
    """64 hex digits; a model is read once in a process."""
    return hashlib.sha256(path.read_bytes()).hexdigest()
