"""How the ranks share the work of a step: whole copies of the model (DDP), or shards (FSDP2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.nn.parallel import DistributedDataParallel

from vae_training.losses import Objective
from vae_training.ranks import Ranks

# Every bucket of every rung is compiled for itself: 4 rungs of 7 buckets. torch gives up after 8
# shapes otherwise.
_SHAPES = 64


def compile_halves(objective: Objective, backend: str | Callable[..., Any] = "inductor") -> None:
    """Compile encoder and decoder in place, once per bucket; names of weights stay as they are."""
    torch._dynamo.config.recompile_limit = max(_SHAPES, torch._dynamo.config.recompile_limit)
    if objective.adaptive is not None:
        # Gradients for the weight come first, and the real backward pass needs the same memory.
        torch._functorch.config.donated_buffer = False
    for half in (objective.autoencoder.encoder, objective.autoencoder.decoder):
        half.compile(dynamic=False, backend=backend)


def shard(objective: Objective, ranks: Ranks, *, half_precision: bool) -> None:
    """Split weights, gradients and optimizer state over the ranks, in place (FSDP2).

    A level is gathered when it runs. All ranks must hold the same weights. With `half_precision`
    levels are gathered in bfloat16 and gradients summed in float32.
    """
    mesh = init_device_mesh(ranks.device.type, (ranks.world,))
    policy = MixedPrecisionPolicy()
    if half_precision:
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=torch.float32)
    for part in (objective.autoencoder.encoder, objective.autoencoder.decoder):
        for level in part.levels:
            fully_shard(level, mesh=mesh, mp_policy=policy)
    # The root takes the image in float32, because the loss compares with it.
    fully_shard(objective, mesh=mesh)


def replicate(objective: Objective, ranks: Ranks) -> nn.Module:
    """The module to call: its gradients are averaged over the ranks (DDP)."""
    if ranks.world == 1:
        return objective
    devices = [ranks.device] if ranks.device.type == "cuda" else None
    return DistributedDataParallel(objective, device_ids=devices, gradient_as_bucket_view=True)
