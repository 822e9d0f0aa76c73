"""What makes the same computation faster on a GPU: settings of torch, and compiled parts."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from vae_training.config import Compiled
from vae_training.losses.objective import Objective
from vae_training.model.blocks import EPSILON, RmsNorm

Backend = str | Callable[..., Any]

# Every bucket of every rung is compiled for itself: 4 rungs of 7 buckets. torch gives up after 8
# shapes otherwise.
_SHAPES = 64


def prepare(device: torch.device) -> None:
    """On a GPU: search the fastest convolution for each shape, and TF32 where float32 is left."""
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = True
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cuda.matmul.allow_tf32 = True


def memory_layout(module: nn.Module) -> torch.memory_format:
    """Channels last, where no kernel has an axis of time."""
    flat = all(weight.ndim < 5 for weight in module.parameters())
    return torch.channels_last if flat else torch.contiguous_format


def compile_model(
    objective: Objective, how: Compiled, device: torch.device, backend: Backend = "inductor"
) -> None:
    """Compile parts in place; weights keep their names. `auto`: norms on a GPU, else nothing.

    Norms gain most on an H100 (benchmarks/gpu_train.py), whole halves less and after minutes.
    """
    if how == "norms" or (how == "auto" and device.type == "cuda"):
        compile_norms(objective, backend)
    elif how == "halves":
        compile_halves(objective, backend)


def compile_norms(objective: Objective, backend: Backend = "inductor") -> None:
    """Let all norms with SiLU of the model be those of `compiled_norm`."""
    _allow_all_shapes()
    fused = compiled_norm(backend)
    for module in objective.autoencoder.modules():
        if isinstance(module, RmsNorm):
            module.fused = fused


def compiled_norm(backend: Backend = "inductor") -> Callable[[Tensor, Tensor], Tensor]:
    """Norm and SiLU in one pass forward and one backward, compiled once per width for all sizes.

    float32 inside, so in bf16 it rounds once where torch rounds three times.
    """
    compiled = torch.compile(_norm_silu, backend=backend)

    def fused(x: Tensor, weight: Tensor) -> Tensor:
        batch, channels, height, width = x.shape
        rows = x.permute(0, 2, 3, 1).reshape(-1, channels)  # no copy in channels_last memory
        torch._dynamo.maybe_mark_dynamic(rows, 0)
        torch._dynamo.mark_static(rows, 1)
        out: Tensor = compiled(rows, weight)
        return out.view(batch, height, width, channels).permute(0, 3, 1, 2)

    return fused


def compile_halves(objective: Objective, backend: Backend = "inductor") -> None:
    """Compile encoder and decoder, once per bucket."""
    _allow_all_shapes()
    for half in (objective.autoencoder.encoder, objective.autoencoder.decoder):
        half.compile(dynamic=False, backend=backend)


def _allow_all_shapes() -> None:
    torch._dynamo.config.recompile_limit = max(_SHAPES, torch._dynamo.config.recompile_limit)


def _norm_silu(rows: Tensor, weight: Tensor) -> Tensor:
    """silu(rms_norm(x) * weight) of float[N, C]."""
    wide = rows.float() if rows.dtype != torch.float64 else rows
    unit = wide * torch.rsqrt(wide.square().mean(dim=1, keepdim=True) + EPSILON)
    return F.silu(unit * weight.to(wide.dtype)).to(rows.dtype)
