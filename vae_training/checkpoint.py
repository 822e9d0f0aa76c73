"""Checkpoints that are whole or not there, the newest few kept, loaded by the same command.

A checkpoint is a folder `step-00000048` with `state.pt` (tensors) and `info.json` (data state,
settings). It is written under another name and renamed, so that a crash leaves no half of one.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch


class CheckpointError(ValueError):
    """A run cannot be resumed from its folder; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A loaded checkpoint; tensors lie on the CPU."""

    path: Path
    tensors: dict[str, Any]
    info: dict[str, Any]


def save(
    folder: Path, step: int, tensors: dict[str, Any], info: dict[str, Any], *, keep: int
) -> Path:
    """Write the checkpoint of `step` below `folder`, then delete all but the newest `keep`."""
    folder.mkdir(parents=True, exist_ok=True)
    final = folder / f"step-{step:08d}"
    draft = folder / f".draft-{final.name}"
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir()
    with open(draft / "state.pt", "wb") as file:
        torch.save(tensors, file)
        file.flush()
        os.fsync(file.fileno())
    with open(draft / "info.json", "w", encoding="utf-8") as text:
        json.dump(info, text, indent=1)
        text.flush()
        os.fsync(text.fileno())
    if final.exists():
        shutil.rmtree(final)
    draft.rename(final)
    for old in _steps(folder)[:-keep]:
        shutil.rmtree(old)
    return final


def load_latest(folder: Path) -> Checkpoint | None:
    """The newest checkpoint below `folder`, or None; CheckpointError when it cannot be read."""
    steps = _steps(folder)
    if not steps:
        return None
    path = steps[-1]
    try:
        info = json.loads((path / "info.json").read_text(encoding="utf-8"))
        tensors = torch.load(path / "state.pt", map_location="cpu", weights_only=True)
    except Exception as error:  # torch.load meets damage with errors of many types
        raise CheckpointError(
            f"cannot read {path} ({error}): delete that folder to resume from the one before"
        ) from None
    return Checkpoint(path=path, tensors=tensors, info=info)


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
