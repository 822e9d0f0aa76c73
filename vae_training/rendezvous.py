"""How the processes of one start find each other, in a store that may outlive them.

torchrun keeps its store over a restart (PyTorch 2.13), and there the new processes would find the
addresses of the dead ones. The number of restarts does not tell them apart: each node counts its
own. So the first rank chooses a name for the start, and the others use it once it has answered
them, which those before it never do.
"""

from __future__ import annotations

import time
import uuid
from datetime import timedelta

from torch import distributed as dist

_START = "start"
_POLL_S = 0.05


def meet(store: dist.Store, rank: int, world: int, timeout: timedelta) -> dist.Store:
    """A part of `store` for these `world` processes alone; all call it together.

    `lost` errors when one of them does not come within `timeout`.
    """
    # No result depends on it, so it need not follow from the seed.
    own = uuid.uuid4().hex
    if rank == 0:
        store.set(_START, own)
        for other in range(1, world):
            store.wait([_hello(own, other)], timeout)
            store.set(_answer(own, store.get(_hello(own, other)).decode()), "")
        return dist.PrefixStore(own, store)
    until = time.monotonic() + timeout.total_seconds()
    while time.monotonic() < until:
        store.wait([_START], timeout)
        start = store.get(_START).decode()
        store.set(_hello(start, rank), own)
        if store.check([_answer(start, own)]):
            return dist.PrefixStore(start, store)
        time.sleep(_POLL_S)
    raise dist.DistStoreError(f"the first rank did not come within {timeout.total_seconds():g} s")


def _hello(start: str, rank: int) -> str:
    return f"{start}/hello/{rank}"


def _answer(start: str, process: str) -> str:
    return f"{start}/answer/{process}"
