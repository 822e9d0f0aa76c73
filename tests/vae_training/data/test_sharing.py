from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.vae_training.runs import opened
from vae_training.data.loader import Loader
from vae_training.data.sharing import assign, home
from vae_training.distributed import nodes_of


def places(slots: int, shards: int = 64) -> list[int]:
    return np.random.default_rng(0).integers(shards, size=slots).tolist()


@pytest.mark.parametrize("world", [1, 2, 6])
def test_on_one_node_slots_go_round(world: int) -> None:
    assert assign(places(24), 1, world).tolist() == [slot % world for slot in range(24)]


@pytest.mark.parametrize(("nodes", "world"), [(2, 2), (2, 8), (4, 8), (8, 8), (3, 12)])
def test_all_ranks_get_equally_many(nodes: int, world: int) -> None:
    for given in (places(96), [5] * 96, list(range(96))):
        ranks = assign(given, nodes, world)
        assert np.bincount(ranks, minlength=world).tolist() == [96 // world] * world


@pytest.mark.parametrize(("nodes", "world"), [(2, 8), (4, 8), (8, 8)])
def test_a_slot_leaves_its_home_only_when_that_is_full(nodes: int, world: int) -> None:
    given = places(96)
    node = assign(given, nodes, world) // (world // nodes)
    homes = np.array([home(place, nodes) for place in given])
    room = 96 // nodes
    at_home = np.bincount(homes[node == homes], minlength=nodes)
    assert at_home.tolist() == np.minimum(np.bincount(homes, minlength=nodes), room).tolist()
    assert 0 < (node != homes).sum() < 48


def test_slots_of_a_node_take_turns_over_its_ranks() -> None:
    ranks = assign([0, 1] * 8, 2, 4)
    assert ranks[::2].tolist() == [0, 1] * 4 and ranks[1::2].tolist() == [2, 3] * 4


@pytest.mark.parametrize(
    ("local", "nodes"),
    [([1], 1), ([0], 1), ([4] * 4, 1), ([2] * 4, 2), ([1] * 3, 3), ([2, 2, 1], 1), ([2, 2, 0], 1)],
)
def test_nodes_are_told_apart_where_they_are_alike(local: list[int], nodes: int) -> None:
    assert nodes_of(local) == nodes


def test_nodes_without_a_shard_share_those_of_few_others() -> None:
    given = np.random.default_rng(0).permutation(np.repeat(np.arange(4), 32)).tolist()
    node = assign(given, 8, 16) // 2
    # Four shards, eight nodes: the other half of each shard goes to one more node.
    assert all(len({given[i] for i in np.flatnonzero(node == n)}) == 1 for n in range(8))


def test_the_ranks_of_two_nodes_see_a_batch_together(corpus: Path) -> None:
    data = opened(corpus, batch_pixels=16 * 256 * 256, batch_multiple=4)
    chosen = data.order.select(data.order.start())
    pixels: dict[int, bytes] = {}
    for nodes in (1, 2):
        seen: dict[int, int] = {}
        for rank in range(4):
            shared = {"rank": rank, "world": 4, "nodes": nodes}
            loader = Loader(shards=data.shards, order=data.order, workers=1, **shared)
            (batch,) = loader.batches(data.order.start(), 1)
            assert len(batch.slots) == len(batch.pixels) == len(chosen.rows) // 4
            seen |= zip(batch.slots, batch.rows, strict=True)
            for slot, image in zip(batch.slots, batch.pixels.numpy(), strict=True):
                assert pixels.setdefault(slot, image.tobytes()) == image.tobytes()
        assert [seen[slot] for slot in range(len(chosen.rows))] == list(chosen.rows)
