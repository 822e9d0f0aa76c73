"""Atomic, asynchronous checkpoints of all ranks; the newest few are kept.

    checkpoints/step-00000048/   one file per rank and `.metadata` (torch.distributed.checkpoint)
                                 info.json: step, data state, settings; written last of all

Every rank writes its own part into a folder `.draft-...`. When all parts are on disk, the first
rank writes `info.json` and renames the folder, so every folder `step-...` is complete. Copies are
written, as of `state/staging`, by a thread: training goes on meanwhile.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed.checkpoint as dcp
from torch import distributed

# Derived from BaseException: `except Exception` does not see it.
from torch.distributed.checkpoint.api import CheckpointException

from vae_corpus import storage
from vae_training.distributed import lost
from vae_training.state.staging import Staging

_INFO = "info.json"
T = TypeVar("T")


class CheckpointError(ValueError):
    """A run cannot be resumed from its folder; the message says why and what to do."""


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """A checkpoint on disk: `info` as saved, and the `names` of its tensors."""

    path: Path
    info: dict[str, Any]
    names: frozenset[str]


class Checkpoints:
    """The checkpoints below `folder`, a file system that all ranks share.

    All ranks call each method together. A save waits for the one before it. `group` is a CPU group
    for checkpoints alone, because a save communicates from a thread of its own. Tensors to be
    saved are on `device`, or on the CPU.
    """

    def __init__(
        self, folder: Path, *, keep: int, group: distributed.ProcessGroup, device: torch.device
    ) -> None:
        self._folder, self._keep, self._group = folder, keep, group
        self._staging = Staging(device)
        self._first = distributed.get_rank() == 0
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="checkpoint")
        self._pending: Future[None] | None = None
        self._room: Future[None] | None = None
        self._abandoned = False
        if self._first:
            for left_over in folder.glob(".draft-*"):
                shutil.rmtree(left_over)
        distributed.barrier(group)

    def latest(self) -> Checkpoint | None:
        """The newest checkpoint, or None; CheckpointError when it cannot be read."""
        return self._on_first(lambda: _newest(self._folder))

    def load(self, found: Checkpoint, tensors: dict[str, Any]) -> None:
        """Fill `tensors` in place; ranks and sharding may differ from those at saving.

        CheckpointError when a part is damaged or a tensor is missing.
        """
        try:
            dcp.load(tensors, checkpoint_id=found.path, process_group=self._group)
        except (Exception, CheckpointException) as error:
            raise _unreadable(found.path, error) from None

    def make_room(self, tensors: dict[str, Any]) -> None:
        """Take the memory for copies of `tensors`, so that the first save does not wait for it.

        It is taken by a thread while training goes on. The sizes of `tensors` are what counts.
        Where there is none, the save tries again and tells.
        """
        self._room = self._pool.submit(self._staging.make_room, tensors)

    def save(self, step: int, tensors: dict[str, Any], info: dict[str, Any]) -> Path:
        """Begin to write the checkpoint of `step`; returns its path to be.

        Before `tensors` are changed, `before_change` is called. Those that several ranks name are
        written once. CheckpointError when the save before has failed.
        """
        self.wait()
        if self._room:
            self._room.exception()  # waits
        final = self._folder / f"step-{step:08d}"
        draft = self._folder / f".draft-{final.name}"
        copies = self._staging.copy(tensors)
        self._pending = self._pool.submit(self._write, copies, draft, final, info)
        return final

    def before_change(self) -> None:
        """Let saved tensors be changed from here on; the host does not wait."""
        self._staging.before_change()

    def wait(self) -> None:
        """Wait for the save in progress; CheckpointError when it failed.

        Where it failed because another rank is lost, the error is one of `distributed.lost`.
        """
        if self._pending is None:
            return
        pending, self._pending = self._pending, None
        try:
            pending.result()
        except (Exception, CheckpointException) as error:
            if lost(error):
                raise RuntimeError(_said(error)) from None
            raise CheckpointError(
                f"cannot write a checkpoint below {self._folder} ({_said(error)}): make room or"
                " mend the disk; the same command resumes from the checkpoint before"
            ) from None

    def abandon(self) -> None:
        """Let `close` not wait for the save in progress: a part of it would never come."""
        self._abandoned = True

    def close(self) -> None:
        """End the thread after the save in progress."""
        self._pool.shutdown(wait=not self._abandoned)

    def _write(
        self, copies: dict[str, Any], draft: Path, final: Path, info: dict[str, Any]
    ) -> None:
        self._staging.wait()
        # Copies are on the CPU: a writer that would fetch them from the GPU waits for training
        # every few MB.
        writer = dcp.FileSystemWriter(draft, per_thread_copy_ahead=0)
        # Returns on each rank when the parts of all ranks are on disk.
        dcp.save(copies, storage_writer=writer, process_group=self._group)
        self._on_first(lambda: self._publish(draft, final, info))

    def _publish(self, draft: Path, final: Path, info: dict[str, Any]) -> None:
        _finish(draft, final, info)
        for old in _steps(self._folder)[: -self._keep]:
            # Renamed first, because files are deleted one by one.
            shutil.rmtree(old.rename(old.with_name(f".draft-old-{old.name}")))

    def _on_first(self, work: Callable[[], T]) -> T:
        """Call `work` on the first rank; all ranks get its result, or raise its error."""
        said: list[Any] = [None]
        if self._first:
            try:
                said = [work()]
            except Exception as error:
                said = [error]
        distributed.broadcast_object_list(said, group=self._group, group_src=0)
        if isinstance(said[0], Exception):
            raise said[0]
        result: T = said[0]
        return result


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


def _finish(draft: Path, final: Path, info: dict[str, Any]) -> None:
    storage.commit_bytes(str(draft / _INFO), (json.dumps(info, indent=1) + "\n").encode())
    if final.exists():
        shutil.rmtree(final.rename(draft.with_name(f".draft-replaced-{final.name}")))
    draft.rename(final)
    storage.sync_folder(final.parent)


def _unreadable(path: Path, error: BaseException) -> CheckpointError:
    return CheckpointError(
        f"cannot read {path} ({_said(error)}): delete that folder to resume from the one before"
    )


def _said(error: BaseException) -> str:
    """The message of an error, without the traces of all ranks."""
    if not isinstance(error, CheckpointException):
        return str(error)
    return "; ".join(f"rank {rank}: {cause[0]}" for rank, cause in error.failures.items())


def _steps(folder: Path) -> list[Path]:
    return sorted(folder.glob("step-*"))
