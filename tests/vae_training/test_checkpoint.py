from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.tensor import DTensor, Shard, distribute_tensor

from vae_corpus import storage
from vae_training.distributed import Ranks, join, lost
from vae_training.state import checkpoint
from vae_training.state.checkpoint import CheckpointError, Checkpoints
from vae_training.state.snapshot import share
from vae_training.state.staging import Staging


@pytest.fixture
def alone() -> Iterator[Ranks]:
    ranks = join("cpu", {})
    yield ranks
    ranks.close()


def open_folder(folder: Path, ranks: Ranks, keep: int = 2) -> Checkpoints:
    return Checkpoints(folder, keep=keep, group=ranks.background, device=ranks.device)


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


def test_a_save_waits_for_the_one_before_so_each_has_its_own_values(
    tmp_path: Path, alone: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, released, begun = dcp.FileSystemWriter.write_data, threading.Event(), list[float]()
    weight = torch.ones(3)

    def late(*given: Any) -> Any:
        begun.append(weight[0].item())
        assert released.wait(30)
        return real(*given)

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", late)
    checkpoints = open_folder(tmp_path, alone)
    checkpoints.save(1, {"w": weight}, {})
    while not begun:
        time.sleep(0.001)
    checkpoints.before_change()
    weight.fill_(2.0)
    second = threading.Thread(target=checkpoints.save, args=(2, {"w": weight}, {}))
    second.start()
    second.join(0.1)
    assert second.is_alive() and begun == [1.0] and not names(tmp_path)[1:]
    released.set()
    second.join()
    checkpoints.wait()
    assert begun == [1.0, 2.0] and load(checkpoints).tolist() == [2.0] * 3
    (tmp_path / "step-00000002").rename(tmp_path / "later")
    assert load(checkpoints).tolist() == [1.0] * 3


def test_a_lost_rank_is_not_told_as_a_bad_disk(
    tmp_path: Path, alone: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def lose(*_: Any) -> Any:
        raise RuntimeError("[/build/third_party/gloo/pair.cc:1] Connection closed by peer")

    monkeypatch.setattr(dcp.FileSystemWriter, "write_data", lose)
    checkpoints = open_folder(tmp_path, alone)
    checkpoints.save(1, {"w": torch.ones(3)}, {})
    with pytest.raises(RuntimeError, match="Connection closed by peer") as caught:
        checkpoints.wait()
    assert lost(caught.value) and not isinstance(caught.value, CheckpointError)


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


def test_what_all_ranks_hold_is_saved_once_by_all_together() -> None:
    held: dict[str, Any] = {
        "objective": {f"w{n}": torch.zeros(n + 1) for n in range(9)},
        "ema": {f"w{n}": torch.zeros(n + 1) for n in range(9)},
        "optimizer": {"step": torch.zeros(()), "lr": 0.5},
    }
    ranks = [share({**held, "random": {f"rank{r}": {}}}, r, 3) for r in range(3)]
    for part in ("objective", "ema"):
        names = [name for rank in ranks for name in rank[part]]
        assert sorted(names) == sorted(held[part])
    assert [list(rank["random"]) for rank in ranks] == [["rank0"], ["rank1"], ["rank2"]]
    assert all(rank["optimizer"]["lr"] == 0.5 for rank in ranks)
    assert sum("step" in rank["optimizer"] for rank in ranks) == 1
    sizes = [sum(t.nbytes for p in ("objective", "ema") for t in r[p].values()) for r in ranks]
    assert 0 < max(sizes) - min(sizes) <= held["ema"]["w8"].nbytes


def test_copies_are_those_of_the_moment_in_memory_that_is_used_again() -> None:
    staging = Staging(torch.device("cpu"))
    weight, counter = torch.ones(3, 4), torch.tensor(7)
    first = staging.copy({"a": {"w": weight, "n": counter, "lr": 0.5}})
    staging.wait()
    weight.zero_()
    assert first["a"]["w"].eq(1.0).all() and first["a"]["n"].item() == 7
    again = staging.copy({"a": {"w": weight, "n": counter, "lr": 0.1}, "b": {"w": torch.ones(2)}})
    assert again["a"]["w"] is first["a"]["w"] and again["a"]["w"].eq(0.0).all()
    assert again["a"]["lr"] == 0.1 and again["b"]["w"].tolist() == [1.0, 1.0]
    larger = staging.copy({"a": {"w": torch.ones(5)}})["a"]["w"]
    assert larger.shape == (5,) and larger.eq(1.0).all()


def test_memory_for_copies_can_be_taken_before(
    tmp_path: Path, alone: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    taken = list[str]()
    real = torch.empty_like

    def noted(*given: Any, **named: Any) -> torch.Tensor:
        taken.append(threading.current_thread().name)
        return real(*given, **named)

    monkeypatch.setattr(torch, "empty_like", noted)
    checkpoints = open_folder(tmp_path, alone)
    weight = torch.ones(3)
    checkpoints.make_room({"a": {"w": weight}, "w": weight, "lr": 0.5})
    checkpoints.save(1, {"a": {"w": weight}, "w": weight, "lr": 0.5}, {})
    checkpoints.wait()
    assert len(taken) == 2 and all(name.startswith("checkpoint") for name in taken)
    assert load(checkpoints).tolist() == [1.0] * 3


def test_a_save_tries_again_for_memory_that_was_not_there(
    tmp_path: Path, alone: Ranks, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*given: Any, **named: Any) -> torch.Tensor:
        raise RuntimeError("no memory to pin")

    checkpoints = open_folder(tmp_path, alone)
    with monkeypatch.context() as patch:
        patch.setattr(torch, "empty_like", full)
        checkpoints.make_room({"w": torch.ones(3)})
        checkpoints._pool.submit(int).result()  # behind it
    checkpoints.save(1, {"w": torch.ones(3)}, {})
    checkpoints.wait()
    assert load(checkpoints).tolist() == [1.0] * 3


def test_copies_of_shards_are_shards(alone: Ranks) -> None:
    mesh = init_device_mesh("cpu", (1,))
    weight = distribute_tensor(torch.arange(6.0).view(3, 2), mesh, [Shard(0)])
    copy = Staging(torch.device("cpu")).copy({"w": weight.requires_grad_()})["w"]
    assert isinstance(copy, DTensor) and copy.placements == weight.placements
    assert not copy.requires_grad and torch.equal(copy.to_local(), weight.to_local())


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_on_a_gpu_a_copy_holds_what_was_there_before_the_change() -> None:
    device = torch.device("cuda")
    weight, staging = torch.ones(2**26, device=device), Staging(device)
    for value in (1.0, 2.0):
        copy = staging.copy({"w": weight})["w"]
        staging.before_change()
        weight.add_(1.0)
        staging.wait()
        assert copy.is_pinned() and copy.eq(value).all()
