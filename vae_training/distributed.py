"""The processes of a run, and how they share a step: whole copies (DDP) or shards (FSDP2).

One process alone is a group of one, so that checkpoints and sharding need no second way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import distributed_c10d
from torch.distributed.algorithms.ddp_comm_hooks.default_hooks import bf16_compress_hook
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.rendezvous import rendezvous
from torch.nn.parallel import DistributedDataParallel

from vae_training.losses.objective import Objective
from vae_training.rendezvous import meet


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among all. `device` computes its share of a batch.

    `nodes` are the machines, with equally many ranks on each; 1 where that is not known.
    `local_rank` of `local_world` are those of this node, which share what is kept on its disk.
    `background` is a CPU group of all ranks that only checkpoints use.
    """

    device: torch.device
    rank: int
    world: int
    nodes: int
    background: dist.ProcessGroup
    local_rank: int = 0
    local_world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the ranks, in float64; all ranks give equally many."""
        if self.world == 1:
            return list(values)
        shared = torch.tensor(list(values), device=self.device, dtype=torch.float64)
        return [float(value) for value in self.total(shared).tolist()]

    def total(self, values: Tensor) -> Tensor:
        """Each value summed over the ranks, in place; on `device`, of one shape on all ranks."""
        if self.world > 1:
            dist.all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """The values of all ranks in their order, pickled; for small, rare things."""
        gathered: list[Any] = [None] * self.world
        dist.all_gather_object(gathered, value)
        return gathered

    def limit(self, timeout_s: float) -> None:
        """Let ranks wait for each other so long from here on, for checkpoints too; see `lost`."""
        for group in (dist.group.WORLD, self.background):
            # torch has no public way to change the limit of a group that exists.
            distributed_c10d._set_pg_timeout(timedelta(seconds=timeout_s), group)

    def close(self) -> None:
        dist.destroy_process_group()


def lost(error: BaseException) -> bool:
    """Whether an error of a collective says that another rank is dead, or silent for too long.

    On GPUs NCCL's own watchdog ends the process instead.
    """
    return isinstance(error, dist.DistError) or "third_party/gloo" in str(error)


def join(device: str, environment: Mapping[str, str], *, timeout_s: float = 1800.0) -> Ranks:
    """Join the processes that torchrun announces in `environment`; without one, a group of one.

    `device` is auto, cpu or cuda. ValueError when CUDA is asked for and not there. Ranks wait
    `timeout_s` for each other, at the start and until `Ranks.limit`; see `lost`.
    """
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise ValueError("device cuda: torch sees no GPU here; use --device cpu")
    own = torch.device("cpu")
    if cuda and device != "cpu":
        own = torch.device("cuda", int(environment.get("LOCAL_RANK", "0")))
        torch.cuda.set_device(own)
    # Gloo beside NCCL: objects and checkpoints travel between CPUs.
    backend = "cpu:gloo,cuda:nccl" if own.type == "cuda" else "gloo"
    limit = timedelta(seconds=timeout_s)
    if "WORLD_SIZE" in environment:
        announced, rank, world = next(rendezvous("env://", timeout=limit))
        store = meet(announced, rank, world, limit)
    else:
        store, rank, world = dist.HashStore(), 0, 1
    dist.init_process_group(backend, store=store, rank=rank, world_size=world, timeout=limit)
    background = dist.new_group(backend="gloo", timeout=limit)
    # All ranks must come to the same answer, or some image would come twice.
    local: list[int] = [0] * dist.get_world_size()
    own_local = int(environment.get("LOCAL_WORLD_SIZE", "0"))
    dist.all_gather_object(local, own_local, group=background)
    return Ranks(
        device=own,
        rank=dist.get_rank(),
        world=dist.get_world_size(),
        nodes=nodes_of(local),
        background=background,
        # A launcher that does not tell both leaves each rank to itself.
        local_rank=int(environment["LOCAL_RANK"]) if "LOCAL_WORLD_SIZE" in environment else 0,
        local_world=int(environment.get("LOCAL_WORLD_SIZE", "1")),
    )


def nodes_of(local: Sequence[int]) -> int:
    """How many machines there are, when each rank tells how many ranks its own has.

    1 where they have not equally many, or where some rank does not know (0): all then share alike.
    """
    each, world = local[0], len(local)
    return world // each if each > 0 and set(local) == {each} and world % each == 0 else 1


def shard(objective: Objective, ranks: Ranks, *, half_precision: bool, gradients: str) -> None:
    """Split weights, gradients and optimizer state over the ranks, in place (FSDP2).

    A level is gathered when it runs. All ranks must hold the same weights. With `half_precision`
    levels are gathered in bfloat16; `gradients` are summed as `_check_gradients` has it.
    """
    _check_gradients(gradients, ranks)
    mesh = init_device_mesh(ranks.device.type, (ranks.world,))
    policy = MixedPrecisionPolicy()
    if half_precision:
        summed_in = torch.bfloat16 if gradients == "bf16" else torch.float32
        policy = MixedPrecisionPolicy(param_dtype=torch.bfloat16, reduce_dtype=summed_in)
    for level in objective.adapter.all_levels(objective.autoencoder):
        fully_shard(level, mesh=mesh, mp_policy=policy)
    # The root takes the image in float32, because the loss compares with it.
    fully_shard(objective, mesh=mesh)


def replicate(objective: Objective, ranks: Ranks, *, parts: int, gradients: str) -> nn.Module:
    """The module to call: its gradients are averaged over the ranks (DDP).

    A step calls it with up to `parts` parts of a batch; `gradients` are summed as
    `_check_gradients` has it.
    """
    if ranks.world == 1:
        return objective
    _check_gradients(gradients, ranks)
    devices = [ranks.device] if ranks.device.type == "cuda" else None
    wrapped = DistributedDataParallel(
        objective,
        device_ids=devices,
        gradient_as_bucket_view=True,
        # Every weight has one gradient in each step, whichever losses are on. With several
        # parts torch 2.13 fails in the first step.
        static_graph=parts == 1,
    )
    if gradients == "bf16":
        wrapped.register_comm_hook(None, bf16_compress_hook)
    return wrapped


def _check_gradients(gradients: str, ranks: Ranks) -> None:
    """`gradients` is fp32 or, over NCCL alone, bf16: what they are exchanged in. ValueError."""
    if gradients == "bf16" and ranks.world > 1 and ranks.device.type != "cuda":
        raise ValueError(
            "gradients bf16: only GPUs exchange gradients so, and this run is on"
            f" {ranks.device.type}: leave --gradients out"
        )
