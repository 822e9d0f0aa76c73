from __future__ import annotations

import dataclasses
from collections.abc import Callable

import pytest
import torch
from torch._dynamo.testing import CompileCounter

from vae_corpus.curriculum import LossWeights
from vae_corpus.words import RUNGS, buckets
from vae_training import compilation
from vae_training.compilation import compile_halves, compile_norms
from vae_training.losses.dino import load_features
from vae_training.losses.objective import Objective
from vae_training.model import CONFIGS, Autoencoder
from vae_training.model.blocks import RmsNorm


def small() -> Autoencoder:
    """Two levels: tracing takes most of the time."""
    shape = dataclasses.replace(
        CONFIGS["tiny"], f=2, widths=(1, 1), latent_channels=12, middle_blocks=0
    )
    return Autoencoder(**dataclasses.asdict(shape))


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("compile_parts", [compile_halves, compile_norms])
@pytest.mark.parametrize(("backend", "adaptive"), [("eager", None), ("aot_eager", 1e4)])
def test_compiling_keeps_names_and_results(
    dino: str, compile_parts: Callable[..., None], backend: str, adaptive: float | None
) -> None:
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
    compile_parts(objective, backend=backend)
    for a, b in zip(plain, losses_and_gradients(), strict=True):
        assert torch.allclose(a, b, rtol=1e-4, atol=1e-6)
    assert set(objective.state_dict()) == names


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_each_bucket_is_compiled_once_and_none_falls_back() -> None:
    # torch goes back to plain Python after 8 shapes, without a word.
    assert sum(len(buckets(rung)) for rung in RUNGS) <= compilation._SHAPES
    torch._dynamo.reset()
    counter = CompileCounter()
    objective = Objective(small(), None, None)
    compile_halves(objective, backend=counter)
    shapes = [(2 * (1 + n % 3), 2 * (1 + n // 3)) for n in range(9)]
    for height, width in [*shapes, *shapes]:
        objective(torch.zeros(1, 3, height, width), LossWeights())
    assert counter.frame_count == 2 * len(shapes)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
def test_norms_are_compiled_once_per_width_for_all_sizes() -> None:
    torch._dynamo.reset()
    counter = CompileCounter()
    objective = Objective(Autoencoder(**dataclasses.asdict(CONFIGS["tiny"])), None, None)
    compile_norms(objective, backend=counter)
    widths = {m.weight.numel() for m in objective.modules() if isinstance(m, RmsNorm)}
    for side in (32, 48, 64, 80):
        objective(torch.zeros(1, 3, side, 32), LossWeights())
    assert counter.frame_count == len(widths)


@pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::UserWarning")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
def test_a_compiled_norm_is_as_near_to_float64_as_that_of_torch(dtype: torch.dtype) -> None:
    objective = Objective(small().double(), None, None)
    compile_norms(objective, backend="eager")
    fused = objective.autoencoder.encoder.norm_out.fused
    assert fused is not None
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(2, 24, 5, 7, generator=generator).double()
    weight, g = torch.rand(24, generator=generator).double() + 0.5, torch.randn_like(x)

    def results(function: Callable[..., torch.Tensor], to: torch.dtype) -> list[torch.Tensor]:
        given = x.to(to, memory_format=torch.channels_last).requires_grad_()
        scale = weight.clone().to(torch.float32 if to != torch.float64 else to).requires_grad_()
        out = function(given, scale)
        assert out.dtype == to
        return [out, *torch.autograd.grad(out, (given, scale), g.to(to))]

    def plain(x: torch.Tensor, weight: torch.Tensor) -> torch.Tensor:
        norm = RmsNorm(24)
        del norm.weight
        norm.weight = weight
        return norm.silu(x)

    for true, a, b in zip(
        results(plain, torch.float64), results(fused, dtype), results(plain, dtype), strict=True
    ):
        ours, torchs = ((v.double() - true).norm() / true.norm() for v in (a, b))
        # Orders of summation, and with them the last bit, differ from processor to processor.
        assert ours <= 2.0 * torchs + 1e-12
