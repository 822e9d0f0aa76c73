"""Statistics of latents: exact, and the same on any number of ranks."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

import vae_training.latents as latents
from tests.vae_training.runs import opened
from tests.vae_training.several_ranks import on_ranks
from vae_training.latents import latent_statistics
from vae_training.metrics.moments import Moments
from vae_training.model import build
from vae_training.model.adapters import adapter_of


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
