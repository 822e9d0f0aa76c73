"""Processes of one start find each other in a store that holds what those before them left."""

from __future__ import annotations

import time
from datetime import timedelta
from threading import Thread

import pytest
from torch import distributed as dist

from vae_training.distributed import lost
from vae_training.rendezvous import meet

_SOON = timedelta(seconds=20)


def start(store: dist.Store, delays_s: list[float]) -> list[dist.Store]:
    """Meet as threads, each after its delay; the first rank first."""
    found: dict[int, dist.Store] = {}

    def rank(number: int) -> None:
        time.sleep(delays_s[number])
        found[number] = meet(store, number, len(delays_s), _SOON)

    threads = [Thread(target=rank, args=(number,)) for number in range(len(delays_s))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return [found[number] for number in range(len(delays_s))]


@pytest.mark.parametrize("delays_s", [[0.0, 0.1, 0.2], [0.2, 0.0, 0.1], [0.0]])
def test_a_second_start_sees_nothing_of_the_first(delays_s: list[float]) -> None:
    store = dist.HashStore()
    first = start(store, delays_s)
    first[0].set("address", "old")
    assert all(one.get("address") == b"old" for one in first)
    second = start(store, delays_s)
    assert not any(one.check(["address"]) for one in second)
    second[-1].set("address", "new")
    assert all(one.get("address") == b"new" for one in second)


def test_a_rank_that_does_not_come_is_told() -> None:
    soon = timedelta(seconds=0.2)
    with pytest.raises(RuntimeError) as caught:
        meet(dist.HashStore(), 0, 2, soon)
    assert lost(caught.value)
    store = dist.HashStore()
    store.set("start", "of a process that is dead")
    with pytest.raises(RuntimeError, match="the first rank did not come within 0.2 s") as caught:
        meet(store, 1, 2, soon)
    assert lost(caught.value)
