from __future__ import annotations

from pathlib import Path

import pytest
import torch

from vae_training.checkpoint import CheckpointError, load_latest, save


def test_the_newest_few_are_kept_and_the_last_is_loaded(tmp_path: Path) -> None:
    for step in (5, 10, 15):
        save(tmp_path, step, {"w": torch.tensor([step])}, {"step": step}, keep=2)
    assert [p.name for p in sorted(tmp_path.iterdir())] == ["step-00000010", "step-00000015"]
    found = load_latest(tmp_path)
    assert found is not None
    assert found.info == {"step": 15} and found.tensors["w"].item() == 15


def test_an_unfinished_checkpoint_is_not_seen(tmp_path: Path) -> None:
    (tmp_path / ".draft-step-00000003").mkdir()
    assert load_latest(tmp_path) is None
    save(tmp_path, 3, {}, {}, keep=1)
    assert [p.name for p in tmp_path.iterdir()] == ["step-00000003"]


def test_saving_again_replaces(tmp_path: Path) -> None:
    for value in (1, 2):
        save(tmp_path, 7, {"w": torch.tensor(value)}, {}, keep=1)
    found = load_latest(tmp_path)
    assert found is not None and found.tensors["w"].item() == 2


def test_a_damaged_checkpoint_is_named(tmp_path: Path) -> None:
    path = save(tmp_path, 7, {"w": torch.zeros(99)}, {}, keep=1)
    (path / "state.pt").write_bytes(b"half")
    with pytest.raises(CheckpointError, match="step-00000007.*delete that folder"):
        load_latest(tmp_path)
