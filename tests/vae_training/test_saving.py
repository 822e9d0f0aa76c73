"""Checkpoints of a run are written while it goes on, and hold the step that they are named by."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest
import torch.distributed.checkpoint as dcp

from tests.vae_training.runs import (
    Forked,
    assert_same_weights,
    command,
    losses,
    run,
    steps_done,
)
from vae_training.state.checkpoint import CheckpointError
from vae_training.trainer import Outcome
from vae_training.update import Update

_WRITE = dcp.FileSystemWriter.write_data


def test_steps_go_on_while_a_slow_disk_writes_and_the_saved_state_is_that_of_its_step(
    corpus: Path,
    tmp_path: Path,
    whole: tuple[Path, Outcome],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    begun_at, begun = list[int](), threading.Event()
    apply = Update.apply

    def third_while_it_writes(self: Update, step: int) -> None:
        assert step != 2 or begun.wait(60)
        apply(self, step)

    def slow(*given: Any) -> Any:
        begun_at.append(steps_done(tmp_path))
        begun.set()
        until = time.monotonic() + 60
        # The next save, two steps later, would wait for this one.
        while len(begun_at) == 1 and steps_done(tmp_path) < 4:
            assert time.monotonic() < until, "training waits for the disk"
            time.sleep(0.01)
        return _WRITE(*given)

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", slow)
    monkeypatch.setattr(Update, "apply", third_while_it_writes)
    run(corpus, tmp_path, checkpoint_every=2, keep_checkpoints=9)
    assert begun_at[0] == 2 and len(begun_at) == 3
    for later in ("step-00000004", "step-00000006"):
        shutil.rmtree(tmp_path / "checkpoints" / later)
    shutil.rmtree(tmp_path / "model")
    run(corpus, tmp_path)
    assert losses(tmp_path) == losses(whole[0])
    assert_same_weights(whole[0], tmp_path)


def test_a_disk_that_fails_ends_the_run_at_the_next_save_with_a_sentence(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    saves = iter(range(9))

    def full(*given: Any) -> Any:
        if next(saves) == 1:
            raise OSError("no space left on device")
        return _WRITE(*given)

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", full)
    with pytest.raises(CheckpointError, match="no space left on device.*make room"):
        run(corpus, tmp_path, checkpoint_every=2)
    assert steps_done(tmp_path) == 6  # the save of step 4 failed, that of step 6 tells
    assert [path.name for path in (tmp_path / "checkpoints").glob("step-*")] == ["step-00000002"]


def never_written() -> None:
    """The second checkpoint of this process is begun and never finished."""
    saves = iter(range(9))

    def stuck(*given: Any) -> Any:
        if next(saves) == 1:
            time.sleep(600)
        return _WRITE(*given)

    dcp.FileSystemWriter.write_data = stuck


@pytest.mark.slow
def test_a_run_killed_while_it_writes_resumes_from_the_checkpoint_before(
    corpus: Path, tmp_path: Path, whole: tuple[Path, Outcome]
) -> None:
    more = ["--steps", "6", "--checkpoint_every", "2"]
    process = Forked(tmp_path / "log", command(corpus, tmp_path, *more), before=never_written)
    draft = tmp_path / "checkpoints" / ".draft-step-00000004"
    process.signal_once(draft.exists, 0, signal.SIGKILL)
    process.finish(-signal.SIGKILL)
    assert [path.name for path in (tmp_path / "checkpoints").glob("step-*")] == ["step-00000002"]
    run(corpus, tmp_path)
    assert losses(tmp_path) == losses(whole[0]) and not draft.exists()
