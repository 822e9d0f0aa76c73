"""The processes of a run: one alone, or as many as torchrun started.

One process alone is a group of one, so that checkpoints and sharding need no second way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import distributed


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among all. `device` is where its share of the batch is computed.

    `background` is a CPU group of all ranks that checkpoints have for themselves.
    """

    device: torch.device
    rank: int
    world: int
    background: distributed.ProcessGroup

    @property
    def first(self) -> bool:
        return self.rank == 0

    def sums(self, values: Sequence[float]) -> list[float]:
        """Each value summed over the ranks, in float64; all ranks give equally many."""
        if self.world == 1:
            return list(values)
        shared = torch.tensor(list(values), device=self.device, dtype=torch.float64)
        distributed.all_reduce(shared)
        return [float(value) for value in shared.tolist()]

    def gather(self, value: Any) -> list[Any]:
        """What every rank gave, in the order of ranks, on all ranks. For small, rare things."""
        gathered: list[Any] = [None] * self.world
        distributed.all_gather_object(gathered, value)
        return gathered

    def close(self) -> None:
        distributed.destroy_process_group()


def join(device: str, environment: Mapping[str, str]) -> Ranks:
    """Join the processes that torchrun announces in `environment`; alone when it does not.

    `device` is auto, cpu or cuda. ValueError when CUDA is asked for and not there.
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
    if "WORLD_SIZE" in environment:
        distributed.init_process_group(backend)
    else:
        alone = distributed.HashStore()
        distributed.init_process_group(backend, store=alone, rank=0, world_size=1)
    return Ranks(
        device=own,
        rank=distributed.get_rank(),
        world=distributed.get_world_size(),
        background=distributed.new_group(backend="gloo"),
    )
