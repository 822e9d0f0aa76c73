from __future__ import annotations

import dataclasses

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from vae_corpus.curriculum import LossWeights
from vae_corpus.words import RUNGS, buckets
from vae_training import distributed
from vae_training.distributed import compile_halves
from vae_training.losses.dino import load_features
from vae_training.losses.objective import Objective
from vae_training.model import CONFIGS, Autoencoder


def small() -> Autoencoder:
    """Two levels: tracing takes most of the time."""
    shape = dataclasses.replace(
        CONFIGS["tiny"], f=2, widths=(1, 1), latent_channels=12, middle_blocks=0
    )
    return Autoencoder(**dataclasses.asdict(shape))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize(("backend", "adaptive"), [("eager", None), ("aot_eager", 1e4)])
def test_compiling_keeps_names_and_results(dino: str, backend: str, adaptive: float | None) -> None:
    torch.manual_seed(0)
    objective = Objective(small(), None, load_features(dino, 1), adaptive=adaptive)
    x, names = torch.rand(1, 3, 32, 32) * 2 - 1, set(objective.state_dict())

    def losses_and_gradients() -> list[torch.Tensor]:
        objective.zero_grad()
        terms = objective(x, LossWeights(align=0.5))
        terms["loss"].backward()
        return [terms["loss"].detach(), *(p.grad.clone() for p in objective.trained())]

    plain = losses_and_gradients()
    # These trace as the real backend does, the second both ways, without a minute of compilation.
    compile_halves(objective, backend=backend)
    for a, b in zip(plain, losses_and_gradients(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)
    assert set(objective.state_dict()) == names


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_each_bucket_is_compiled_once_and_none_falls_back() -> None:
    # torch goes back to plain Python after 8 shapes, without a word.
    assert sum(len(buckets(rung)) for rung in RUNGS) <= distributed._SHAPES
    torch._dynamo.reset()
    counter = CompileCounter()
    objective = Objective(small(), None, None)
    compile_halves(objective, backend=counter)
    shapes = [(2 * (1 + n % 3), 2 * (1 + n // 3)) for n in range(9)]
    for height, width in [*shapes, *shapes]:
        objective(torch.zeros(1, 3, height, width), LossWeights())
    assert counter.frame_count == 2 * len(shapes)
