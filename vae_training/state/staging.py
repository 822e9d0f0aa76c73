"""Copies of tensors in CPU memory, taken while training goes on, for a checkpoint to be written.

On a GPU the copies go into pinned memory on a stream of their own: the step after them computes
its gradients meanwhile, and only what changes the tensors waits. The memory is kept from save to
save, because pinning costs seconds per GB.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor


class Staging:
    """CPU copies of nested tensors of `device`; the copies of one save are valid until the next."""

    def __init__(self, device: torch.device) -> None:
        self._side = torch.cuda.Stream(device) if device.type == "cuda" else None
        self._done: torch.cuda.Event | None = None
        self._rooms: dict[tuple[str, ...], Tensor] = {}

    @torch.no_grad()
    def make_room(self, values: Mapping[str, Any]) -> None:
        """Take the memory that copies of `values` need; any thread may call it, before `copy`."""
        self._made(values, ())

    @torch.no_grad()
    def copy(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """`values` with each tensor as a copy, which is complete after `wait`.

        Shards stay shards. What is no tensor is kept as it is.
        """
        with self._beside():
            return self._copied(values, ())

    def before_change(self) -> None:
        """Let the GPU change tensors from here on, when they are copied; the host does not wait."""
        if self._side and self._done:
            torch.cuda.current_stream(self._side.device).wait_event(self._done)

    def wait(self) -> None:
        """Wait until the copies are complete; any thread may call it."""
        if self._done:
            self._done.synchronize()

    @contextmanager
    def _beside(self) -> Iterator[None]:
        if self._side is None:
            yield
            return
        self._side.wait_stream(torch.cuda.current_stream(self._side.device))
        with torch.cuda.stream(self._side):
            yield
        self._done = self._side.record_event()

    def _made(self, values: Mapping[str, Any], path: tuple[str, ...]) -> None:
        for name, value in values.items():
            if isinstance(value, Mapping):
                self._made(value, (*path, name))
            elif isinstance(value, Tensor):
                self._room((*path, name), value)

    def _copied(self, values: Mapping[str, Any], path: tuple[str, ...]) -> dict[str, Any]:
        copies: dict[str, Any] = {}
        for name, value in values.items():
            where = (*path, name)
            if isinstance(value, Mapping):
                copies[name] = self._copied(value, where)
            elif isinstance(value, Tensor):
                room = self._room(where, value)
                local = _local(value)
                _local(room).copy_(local, non_blocking=True)
                if self._side and local.is_cuda:
                    # Its memory may be given back before it is copied.
                    local.record_stream(self._side)
                copies[name] = room
            else:
                copies[name] = value
        return copies

    def _room(self, where: tuple[str, ...], value: Tensor) -> Tensor:
        """CPU memory for a copy of `value`: that of the save before, where it fits."""
        room = self._rooms.get(where)
        if room is None or room.shape != value.shape or room.dtype != value.dtype:
            # There are empty shards, and no empty memory can be pinned.
            pinned = self._side is not None and _local(value).numel() > 0
            room = torch.empty_like(value, device="cpu", pin_memory=pinned, requires_grad=False)
            self._rooms[where] = room
        return room


def _local(tensor: Tensor) -> Tensor:
    return tensor.to_local() if isinstance(tensor, DTensor) else tensor
