"""Checkpoints that are whole or not there, written while training goes on, the newest few kept.

    checkpoints/step-00000048/   one file per rank and `.metadata` (torch.distributed.checkpoint)
                                 info.json: step, data state, settings; written last of all

Every rank writes its own part into a folder `.draft-...`. When all parts are on disk, the first
rank writes `info.json` and renames the folder: what is called `step-...` is whole. The tensors are
copied before `save` returns, so that the next step may change them while the copies are written.
"""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch.distributed.checkpoint as dcp
from torch import distributed

# Derived from BaseException: `except Exception` does not see it.
from torch.distributed.checkpoint.api import CheckpointException

from vae_corpus import storage

_INFO = "info.json"


class CheckpointError(ValueError):
    """A run cannot be resumed from its folder; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint on disk. `names` are those of the tensors that it holds."""

    path: Path
    info: dict[str, Any]
    names: frozenset[str]


class Checkpoints:
    """The checkpoints below `folder`, which all ranks of `group` (a CPU group) see.

    Its methods are called by all ranks together. One save at a time is being written; the next
    one waits for it. The group must serve nothing else: a save talks over it from a thread.
    """

    def __init__(self, folder: Path, *, keep: int, group: distributed.ProcessGroup) -> None:
        self._folder, self._keep, self._group = folder, keep, group
        self._first = distributed.get_rank() == 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None
        if self._first:
            for left_over in folder.glob(".draft-*"):
                shutil.rmtree(left_over)
        distributed.barrier(group)

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint, or None; CheckpointError when it cannot be read.

        The first rank looks, so that all go on from the same one.
        """
        said: list[Any] = [None]
        if self._first:
            try:
                said = [_newest(self._folder)]
            except CheckpointError as error:
                said = [error]
        distributed.broadcast_object_list(said, group=self._group, group_src=0)
        if isinstance(said[0], CheckpointError):
            raise said[0]
        found: Checkpoint | None = said[0]
        return found

    def load(self, found: Checkpoint, tensors: dict[str, Any]) -> None:
        """Fill `tensors`, in place, whatever the number of ranks and the sharding were at saving.

        CheckpointError when a part is damaged, or lacks one of the tensors.
        """
        try:
            dcp.load(tensors, checkpoint_id=found.path, process_group=self._group)
        except (Exception, CheckpointException) as error:
            raise _unreadable(found.path, error) from None

    def save(self, step: int, tensors: dict[str, Any], info: dict[str, Any]) -> Path:
        """Begin to write the checkpoint of `step`; returns where it will be once it is whole.

        An error of the save before is raised here, as CheckpointError.
        """
        self.wait()
        final = self._folder / f"step-{step:08d}"
        draft = self._folder / f".draft-{final.name}"
        written = dcp.async_save(tensors, checkpoint_id=draft, process_group=self._group)
        self._pending = self._pool.submit(self._commit, written, draft, final, info)
        return final

    def wait(self) -> None:
        """Return when the save in progress is whole on disk; CheckpointError when it failed."""
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            pending.result()
        except (Exception, CheckpointException) as error:
            raise CheckpointError(
                f"cannot write a checkpoint below {self._folder} ({_said(error)}): make room or"
                " mend the disk; the same command resumes from the checkpoint before"
            ) from None

    def close(self) -> None:
        """Give the thread back; a save in progress is finished first."""
        self._pool.shutdown(wait=True)

    def _commit(self, written: Future[Any], draft: Path, final: Path, info: dict[str, Any]) -> None:
        written.result()  # on each rank when the parts of all ranks are on disk
        said: list[OSError | None] = [None]
        if self._first:
            try:
                _publish(draft, final, info)
                for old in _steps(self._folder)[: -self._keep]:
                    # First to a name that nobody takes for whole: its files go one by one.
                    shutil.rmtree(old.rename(old.with_name(f".draft-old-{old.name}")))
            except OSError as error:
                said = [error]
        # No rank says "saved" before it is, and none waits for a first rank that failed.
        distributed.broadcast_object_list(said, group=self._group, group_src=0)
        if said[0] is not None:
            raise said[0]


def _newest(folder: Path) -> Checkpoint | None:
    steps = _steps(folder)
    if not steps:
        return None
    path = steps[-1]
    try:
        info = json.loads((path / _INFO).read_text(encoding="utf-8"))
        held = dcp.FileSystemReader(path).read_metadata().state_dict_metadata
    except Exception as error:  # a damaged pickle raises errors of many types
        raise _unreadable(path, error) from None
    return Checkpoint(path=path, info=info, names=frozenset(held))


def _publish(draft: Path, final: Path, info: dict[str, Any]) -> None:
    _write(draft / _INFO, json.dumps(info, indent=1) + "\n")
    if final.exists():
        shutil.rmtree(final.rename(draft.with_name(f".draft-replaced-{final.name}")))
    draft.rename(final)
    storage.sync_folder(final.parent)


def _write(path: Path, text: str) -> None:
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    storage.sync_folder(path.parent)


def _unreadable(path: Path, error: BaseException) -> CheckpointError:
    return CheckpointError(
        f"cannot read {path} ({_said(error)}): delete that folder to resume from the one before"
    )


def _said(error: BaseException) -> str:
    """What went wrong, without the traces of all ranks."""
    if not isinstance(error, CheckpointException):
        return str(error)
    return "; ".join(f"rank {rank}: {cause[0]}" for rank, cause in error.failures.items())


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
