"""Which rank takes which image of a batch, so that each node reads few shards.

A shard is at home on one node: by its place in its lane's order, nodes take turns. So the shards
that are read at the same time are spread over all nodes, and a change of the number of nodes
changes homes but no batch.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def home(place: int, nodes: int) -> int:
    """The node of a shard, from its place in the order of its lane."""
    return place % nodes


def assign(places: Sequence[int], nodes: int, world: int) -> NDArray[np.int64]:
    """The rank of each slot of a batch whose shards have these places: int64[slots].

    All ranks get equally many; node n has the ranks from n * world / nodes on. Slots go to the home
    of their shard while it has room, the rest to the nodes that have some. With one node, slot j
    goes to rank j modulo `world`.
    """
    assert world % nodes == 0 and len(places) % world == 0
    room, ranks = len(places) // nodes, world // nodes
    where = np.array(places, dtype=np.int64)
    homes = where % nodes
    # The number of each slot among those of its home.
    by_home = np.argsort(homes, kind="stable")
    counts = np.bincount(homes, minlength=nodes)
    nth = np.empty(len(homes), dtype=np.int64)
    nth[by_home] = np.arange(len(homes)) - np.repeat(np.cumsum(counts) - counts, counts)
    over = np.flatnonzero(nth >= room)
    # By shard: where a block has fewer shards than there are nodes, those without one so take from
    # one or two, the same in each batch, and not a little from all.
    over = over[np.argsort(where[over], kind="stable")]
    taken = np.minimum(counts, room)
    node = homes.copy()
    node[over] = np.repeat(np.arange(nodes), room - taken)
    nth[over] = np.concatenate([np.arange(t, room) for t in taken])
    return node * ranks + nth % ranks
