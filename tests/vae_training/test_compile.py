from __future__ import annotations

import dataclasses

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from vae_corpus.curriculum import LossWeights
from vae_corpus.words import RUNGS, buckets
from vae_training import compilation
from vae_training.compilation import compile_levels, compile_model
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
    compile_levels(objective, backend=backend)
    for a, b in zip(plain, losses_and_gradients(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)
    assert set(objective.state_dict()) == names


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_each_bucket_is_compiled_once_and_none_falls_back() -> None:
    # torch gives up after 8 shapes, or after fewer where it is told so.
    assert sum(len(buckets(rung)) for rung in RUNGS) <= compilation._SHAPES
    torch._dynamo.reset()
    counter = CompileCounter()
    objective = Objective(small(), None, None)
    shapes = [(8 * (1 + n % 2), 8 * (1 + n // 2)) for n in range(4)]
    with torch._dynamo.config.patch(recompile_limit=2, accumulated_recompile_limit=2):
        compile_levels(objective, backend=counter)
        for height, width in [*shapes, *shapes]:
            objective(torch.zeros(1, 3, height, width), LossWeights())
    levels = objective.adapter.all_levels(objective.autoencoder)
    assert len(levels) >= 4 and counter.frame_count == len(levels) * len(shapes)


def test_fused_kernels_are_refused_where_they_cannot_run() -> None:
    objective = Objective(small(), None, None)
    with pytest.raises(ValueError, match="needs a GPU and Triton"):
        compile_model(objective, "fused", torch.device("cpu"))
    compile_model(objective, "auto", torch.device("cpu"))
    assert all(getattr(module, "fused", None) is None for module in objective.modules())
