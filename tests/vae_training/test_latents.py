"""Statistics of latents: exact, the same on any number of ranks, over crops of the last phase."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from threading import Barrier, Thread
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import vae_training.latents as latents
from vae_corpus.curriculum import CorpusError
from vae_corpus.words import GENERAL
from vae_training.config import TrainSettings
from vae_training.data.corpus import Data, open_data
from vae_training.latents import latent_statistics
from vae_training.metrics.moments import Moments
from vae_training.model import build
from vae_training.model.adapters import adapter_of


@dataclass
class Shared:
    """Sums of several threads that stand for ranks."""

    world: int
    given: dict[int, list[float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.barrier = Barrier(self.world)

    def rank(self, number: int) -> Any:
        def sums(values: list[float]) -> list[float]:
            self.given[number] = list(values)
            self.barrier.wait()
            total = [sum(column) for column in zip(*self.given.values(), strict=True)]
            self.barrier.wait()
            return total

        return SimpleNamespace(rank=number, world=self.world, device=torch.device("cpu"), sums=sums)


def on_ranks(world: int, call: Callable[[Any], Any]) -> list[Any]:
    shared, found = Shared(world), dict[int, Any]()
    threads = [
        Thread(target=lambda n=n: found.update({n: call(shared.rank(n))})) for n in range(world)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(world)]


def opened(corpus: Path, **changes: Any) -> Data:
    given = {"steps": 6, "batch_pixels": 256 * 256, "validation_samples": 1, **changes}
    return open_data(TrainSettings(corpus=str(corpus), **given), 1)


@pytest.mark.parametrize("world", [1, 3])
def test_moments_are_those_of_float64_far_from_zero(world: int) -> None:
    rng = np.random.default_rng(0)
    offset = np.array([0.0, 1e4, -3.0], dtype=np.float32)[:, None, None]
    parts = [rng.normal(0, 1e-2, (2, 3, 4, 5 + n)).astype(np.float32) + offset for n in range(7)]

    def over(ranks: Any) -> tuple[list[float], list[float]]:
        moments = Moments(3)
        for part in parts[ranks.rank :: ranks.world]:
            moments.add(torch.from_numpy(part))
        return moments.over(ranks)

    flat = np.concatenate([p.astype(np.float64).swapaxes(0, 1).reshape(3, -1) for p in parts], 1)
    for mean, std in on_ranks(world, over):
        np.testing.assert_allclose(mean, flat.mean(axis=1), rtol=1e-10)
        np.testing.assert_allclose(std, flat.std(axis=1), rtol=1e-10)


def test_statistics_are_those_of_the_crops_on_any_number_of_ranks(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.manual_seed(0)
    model, data = build("tiny").eval(), opened(corpus)
    seen: list[torch.Tensor] = []
    adapter = adapter_of(model)

    def encode(model: Any, x: torch.Tensor) -> torch.Tensor:
        seen.append(x)
        return adapter.encode(model, x)

    watched = SimpleNamespace(**{**vars(adapter), "encode": encode})
    monkeypatch.setattr(latents, "adapter_of", lambda _: watched)
    (one,) = on_ranks(1, lambda r: latent_statistics(model, data, r, crops=18, workers=1))
    assert sum(len(x) for x in seen) == 18 and all(x.shape[2:] == (128, 128) for x in seen)
    with torch.no_grad():
        z = torch.cat([adapter.encode(model, x).double() for x in seen])
    flat = z.numpy().swapaxes(0, 1).reshape(64, -1)
    np.testing.assert_allclose(one, [flat.mean(axis=1), flat.std(axis=1)], rtol=1e-9, atol=1e-12)
    for other in on_ranks(2, lambda r: latent_statistics(model, data, r, crops=18, workers=3)):
        np.testing.assert_allclose(other, one, rtol=1e-12, atol=1e-12)
    assert sum(len(x) for x in seen) == 2 * 18
    (again,) = on_ranks(1, lambda r: latent_statistics(model, data, r, crops=18, workers=4))
    assert again == one
    (seeded,) = on_ranks(
        1, lambda r: latent_statistics(model, opened(corpus, seed=1), r, crops=18, workers=1)
    )
    assert seeded != one


def test_crops_come_as_the_last_phase_weights_them_and_from_training_images_alone(
    corpus: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = opened(corpus)
    rows: list[int] = []
    read = latents.read_rgb
    monkeypatch.setattr(
        latents,
        "read_rgb",
        lambda shards, row, bucket: rows.append(row) or read(shards, row, bucket),
    )
    for number in range(200):
        windows = latents._windows(data, number / 200, number, 1, 128)
        assert windows.shape == (1, 128, 128, 3) and windows.dtype == np.uint8
    assert all(data.holdout.training[row] for row in rows)
    groups = [data.shards.groups[data.shards.group[row]] for row in rows]
    # The first phase has no text, the last one half of both rungs and only general images at 512.
    assert 0.4 < np.mean([group.rung == 512 for group in groups]) < 0.6
    assert 0.65 < np.mean([group.kind == GENERAL for group in groups]) < 0.85


def test_a_crop_is_never_larger_than_the_images_of_its_phase(corpus: Path) -> None:
    data = opened(corpus, crop_px=48)
    assert latents._windows(data, 0.5, 0, 4, 128).shape == (4, 48, 48, 3)


def damage(corpus: Path, keep: Callable[[int], bool]) -> None:
    """Overwrite images by their row, but for those to keep."""
    shards = opened(corpus).shards
    for row in range(len(shards)):
        if not keep(row):
            with (corpus / shards.names[shards.shard[row]]).open("r+b") as file:
                file.seek(int(shards.offset[row]))
                file.write(bytes(int(shards.bytes[row])))


def test_damaged_images_are_replaced_and_the_count_holds(corpus: Path, tmp_path: Path) -> None:
    shutil.copytree(corpus, tmp_path / "copy")
    data = opened(tmp_path / "copy")
    alone = SimpleNamespace(rank=0, world=1, device=torch.device("cpu"))
    asked = {"crops": 30, "side": 32, "workers": 2}
    before = np.concatenate(list(latents.draw(data, alone, **asked)))
    # One training row of each group stays.
    rows = np.flatnonzero(data.holdout.training)
    _, first = np.unique(data.shards.group[rows], return_index=True)
    kept = set(rows[first].tolist())
    damage(tmp_path / "copy", kept.__contains__)
    after = np.concatenate(list(latents.draw(data, alone, **asked)))
    assert len(before) == len(after) == 30 and not np.array_equal(before, after)
    assert after.reshape(30, -1).std(axis=1).min() > 0
    damage(tmp_path / "copy", lambda row: False)
    with pytest.raises(CorpusError, match="16 images in a row cannot be read.*delete it"):
        list(latents.draw(data, alone, **asked))
