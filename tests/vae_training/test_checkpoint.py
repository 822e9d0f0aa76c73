from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp

from vae_corpus import storage
from vae_training.distributed import Ranks, join
from vae_training.state import checkpoint
from vae_training.state.checkpoint import CheckpointError, Checkpoints


@pytest.fixture
def alone() -> Iterator[Ranks]:
    ranks = join("cpu", {})
    yield ranks
    ranks.close()


def open_folder(folder: Path, ranks: Ranks, keep: int = 2) -> Checkpoints:
    return Checkpoints(folder, keep=keep, group=ranks.background)


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def load(checkpoints: Checkpoints) -> torch.Tensor:
    found = checkpoints.latest()
    assert found is not None
    tensors = {"w": torch.zeros(3)}
    checkpoints.load(found, tensors)
    return tensors["w"]


def test_the_newest_few_are_kept_and_the_last_is_loaded(tmp_path: Path, alone: Ranks) -> None:
    checkpoints = open_folder(tmp_path, alone)
    for step in (5, 10, 15):
        checkpoints.save(step, {"w": torch.full((3,), float(step))}, {"step": step})
    checkpoints.wait()
    assert names(tmp_path) == ["step-00000010", "step-00000015"]
    found = checkpoints.latest()
    assert found is not None and found.info == {"step": 15} and found.names == {"w"}
    assert load(checkpoints).tolist() == [15.0] * 3


def test_what_changes_after_save_does_not_reach_the_disk(
    tmp_path: Path, alone: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed = threading.Event()
    real = dcp.FileSystemWriter.write_data

    def late(*given: Any) -> Any:
        assert changed.wait(30)
        return real(*given)

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", late)
    checkpoints = open_folder(tmp_path, alone)
    weight = torch.ones(3)
    checkpoints.save(1, {"w": weight}, {})
    weight.fill_(2.0)
    changed.set()
    checkpoints.wait()
    assert load(checkpoints).tolist() == [1.0] * 3


def test_a_crash_at_any_point_of_a_save_leaves_the_one_before(
    tmp_path: Path, alone: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    checkpoints = open_folder(tmp_path, alone)
    checkpoints.save(1, {"w": torch.ones(3)}, {})
    checkpoints.wait()

    def crash(*_: object) -> None:
        raise OSError("no space left")

    for module, name in ((storage, "commit_bytes"), (checkpoint, "_finish")):
        checkpoints = open_folder(tmp_path, alone)
        with monkeypatch.context() as broken:
            broken.setattr(module, name, crash)
            checkpoints.save(2, {"w": torch.zeros(3)}, {})
            with pytest.raises(CheckpointError, match="no space left.*make room"):
                checkpoints.wait()
        assert load(checkpoints).tolist() == [1.0] * 3
    # The parts of a rank that died while it wrote.
    (tmp_path / ".draft-step-00000003").mkdir()
    again = open_folder(tmp_path, alone)
    assert names(tmp_path) == ["step-00000001"]
    assert load(again).tolist() == [1.0] * 3


def test_an_error_of_the_disk_is_told_by_the_next_save(tmp_path: Path, alone: Ranks) -> None:
    (tmp_path / "full").write_text("a file where the folder should be")
    checkpoints = open_folder(tmp_path / "full", alone)
    checkpoints.save(1, {"w": torch.ones(3)}, {})
    with pytest.raises(CheckpointError, match="cannot write a checkpoint below"):
        checkpoints.save(2, {"w": torch.ones(3)}, {})


def test_saving_again_replaces(tmp_path: Path, alone: Ranks) -> None:
    checkpoints = open_folder(tmp_path, alone)
    for value in (1.0, 2.0):
        checkpoints.save(7, {"w": torch.full((3,), value)}, {})
    checkpoints.wait()
    assert names(tmp_path) == ["step-00000007"] and load(checkpoints).tolist() == [2.0] * 3


@pytest.mark.parametrize("part", [".metadata", "info.json", "__0_0.distcp"])
def test_a_damaged_checkpoint_is_named(tmp_path: Path, alone: Ranks, part: str) -> None:
    checkpoints = open_folder(tmp_path, alone)
    path = checkpoints.save(7, {"w": torch.zeros(3)}, {})
    checkpoints.wait()
    (path / part).write_bytes(b"half")
    with pytest.raises(CheckpointError, match="step-00000007.*delete that folder"):
        load(checkpoints)


def test_a_tensor_that_is_not_there_is_named(tmp_path: Path, alone: Ranks) -> None:
    checkpoints = open_folder(tmp_path, alone)
    checkpoints.save(7, {"v": torch.zeros(3)}, {})
    checkpoints.wait()
    with pytest.raises(CheckpointError, match=r"Missing key.* w"):
        load(checkpoints)
