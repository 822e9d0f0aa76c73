"""What makes the same computation faster on a GPU: settings of torch, fused and compiled parts."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from vae_training.losses.objective import Objective
from vae_training.model import Autoencoder

if TYPE_CHECKING:  # settings need pydantic, which is not where the GPU benchmark runs
    from vae_training.config import Compiled

Backend = str | Callable[..., Any]

# Every bucket of every rung is compiled for itself: 4 rungs of 7 buckets. torch gives up after 8
# shapes otherwise.
_SHAPES = 64


def prepare(device: torch.device, *, cudnn_benchmark: bool) -> None:
    """On a GPU: TF32 where float32 is left; with `cudnn_benchmark` convolutions by trial.

    On an H100 trials gain nothing over cuDNN's own choice at 256 px and 3 to 5 % from 1024 px on,
    for up to 23 s per size of batch before the first step (benchmarks/gpu_train.py).
    """
    if device.type == "cuda":
        torch.backends.cudnn.benchmark = cudnn_benchmark
        torch.backends.cudnn.allow_tf32 = True
        torch.backends.cuda.matmul.allow_tf32 = True


def memory_layout(module: nn.Module) -> torch.memory_format:
    """Channels last, where no kernel has an axis of time."""
    flat = all(weight.ndim < 5 for weight in module.parameters())
    return torch.channels_last if flat else torch.contiguous_format


def compile_model(
    objective: Objective, how: Compiled, device: torch.device, backend: Backend = "inductor"
) -> None:
    """Make the model's parts faster in place; weights keep their names.

    `auto` is `fused` on a GPU for a model of ours, else nothing. On an H100 fused kernels gain more
    than compiled levels, and they need no minutes at the start (benchmarks/gpu_train.py).
    ValueError where there is no GPU, or no Triton, to fuse for.
    """
    able = device.type == "cuda" and importlib.util.find_spec("triton") is not None
    if how == "fused" and not able:
        raise ValueError("--compile fused needs a GPU and Triton: give --compile none or levels")
    ours = isinstance(objective.autoencoder, Autoencoder)
    if how == "fused" or (how == "auto" and able and ours):
        # Loaded here, because Triton comes with torch for GPUs alone.
        from vae_training.fused import fuse

        fuse(objective.autoencoder)
    elif how == "levels":
        compile_levels(objective, backend)


def compile_levels(objective: Objective, backend: Backend = "inductor") -> None:
    """Compile each level of encoder and decoder, once per bucket.

    Whole halves are no faster, take longer to compile, and give their gradients all at once, so
    that ranks have less to do while they are shared.
    """
    levels = objective.adapter.all_levels(objective.autoencoder)
    # All levels run the same lines, for which torch counts.
    limit, config = _SHAPES * len(levels), torch._dynamo.config
    config.recompile_limit = max(limit, config.recompile_limit)
    config.accumulated_recompile_limit = max(limit, config.accumulated_recompile_limit)
    for level in levels:
        level.compile(dynamic=False, fullgraph=True, backend=backend)
