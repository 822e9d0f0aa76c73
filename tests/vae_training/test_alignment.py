"""Alignment on features of a real, pretrained vision model: latents become more like them."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch

from benchmarks.alignment import PretrainedFeatures, align, judge
from tests.vae_training.photographs import photograph
from vae_corpus.curriculum import LossWeights
from vae_training.model import build
from vae_training.model.pixels import to_model
from vae_training.model.skip import fit, fold


def crops(
    photographs: list[np.ndarray], steps: int, batch: int, seed: int = 0, px: int = 32
) -> Iterator[torch.Tensor]:
    rng = np.random.default_rng(seed)
    for _ in range(steps):
        chosen = [photographs[n] for n in rng.integers(len(photographs), size=batch)]
        places = [[rng.integers(side - px) for side in photo.shape[:2]] for photo in chosen]
        cut = [photo[y : y + px, x : x + px] for photo, (y, x) in zip(chosen, places, strict=True)]
        yield to_model(torch.from_numpy(np.stack(cut)))


def test_features_are_those_of_the_positions_of_the_latent() -> None:
    features, x = PretrainedFeatures(), next(crops([photograph("astronaut.png")], 1, 2, px=64))
    whole = features(x, (4, 4))
    assert whole.shape == (2, 16, features.width)
    other = x.clone()
    other[:, :, :16, :16] = 0.0
    moved = (features(other, (4, 4)) - whole).square().sum(dim=-1).view(2, 4, 4)
    assert (moved[:, 0, 0] > 10 * moved[:, 3, 3]).all()


def test_aligned_latents_are_nearer_to_real_features_at_a_bounded_cost() -> None:
    torch.set_num_threads(1)
    seen = [photograph(name) for name in ("china.jpg", "coffee.png", "chelsea.png")]
    (held,) = crops(seen, 1, 32, seed=1)
    found = {}
    blocks = torch.cat([fold(x, 16).transpose(0, 1).flatten(1) for x in crops(seen, 25, 6)], dim=1)
    for reaches in (False, True):
        torch.manual_seed(0)
        model = build("tiny")
        for half in model.halves:
            fit(half.projection, (blocks @ blocks.T).double())
        weights = LossWeights(align=1.0)
        objective = align(model, crops(seen, 25, 6), reaches=reaches, lr=2e-3, weights=weights)
        found[reaches] = judge(objective, held)
    assert found[True]["cosine"] > found[False]["cosine"] + 0.05
    assert found[True]["psnr_db"] > found[False]["psnr_db"] - 3.0
