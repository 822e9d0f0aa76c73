"""The processes of a run: one alone, or as many as torchrun started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import distributed, nn
from torch.nn.parallel import DistributedDataParallel

Module = TypeVar("Module", bound=nn.Module)


@dataclass(frozen=True, kw_only=True)
class Ranks:
    """This process among all. `device` is where its share of the batch is computed."""

    device: torch.device
    rank: int = 0
    world: int = 1

    @property
    def first(self) -> bool:
        return self.rank == 0

    def wrap(self, module: nn.Module) -> nn.Module:
        """The module whose gradients are averaged over the ranks."""
        if self.world == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(module, device_ids=devices, gradient_as_bucket_view=True)

    def any(self, flag: bool) -> bool:
        """True on all ranks when it is true on one."""
        if self.world == 1:
            return flag
        shared = torch.tensor([float(flag)], device=self.device)
        distributed.all_reduce(shared, op=distributed.ReduceOp.MAX)
        return bool(shared.item())

    def means(self, values: dict[str, float]) -> dict[str, float]:
        """Each value averaged over the ranks; all ranks give the same names."""
        if self.world == 1:
            return values
        shared = torch.tensor(list(values.values()), device=self.device, dtype=torch.float64)
        distributed.all_reduce(shared)
        return dict(zip(values, (shared / self.world).tolist(), strict=True))

    def close(self) -> None:
        if self.world > 1:
            distributed.destroy_process_group()


def join(device: str, environment: Mapping[str, str]) -> Ranks:
    """Join the processes that torchrun announces in `environment`; alone when it does not.

    `device` is auto, cpu or cuda. ValueError when CUDA is asked for and not there.
    """
    cuda = torch.cuda.is_available()
    if device == "cuda" and not cuda:
        raise ValueError("device cuda: torch sees no GPU here; use --device cpu")
    chosen = "cuda" if device == "cuda" or (device == "auto" and cuda) else "cpu"
    world = int(environment.get("WORLD_SIZE", "1"))
    place = torch.device(chosen, int(environment.get("LOCAL_RANK", "0"))) if cuda else None
    own = place if chosen == "cuda" and place is not None else torch.device("cpu")
    if own.type == "cuda":
        torch.cuda.set_device(own)
    if world == 1:
        return Ranks(device=own)
    distributed.init_process_group("nccl" if own.type == "cuda" else "gloo")
    return Ranks(device=own, rank=distributed.get_rank(), world=world)
