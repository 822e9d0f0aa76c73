"""How a group is walked through: blocks of shards, and within a block its samples shuffled.

    lane    (kind, rung): its shards in a permutation of the seed and the epoch
    block   some consecutive ones of these that hold the group; a permutation of its samples there

All groups of a lane go through its shards in the same order, so bytes arrive in runs: a few whole
tars are read at a time. Each sample comes once an epoch. Nothing here depends on what was asked
before; all that is kept is a cache.
"""

from __future__ import annotations

import functools
from collections import defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vae_corpus.seeds import generator, permuted
from vae_corpus.words import Group
from vae_training.data.index import Runs


@dataclass(frozen=True, kw_only=True)
class Drawn:
    """Samples in the order they come: their rows, and where the shard of each stands in its lane.

    Both int64[K].
    """

    rows: NDArray[np.int64]
    places: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Walk:
    """An epoch of a group: its runs in order, the place of each, samples before each block's end.

    `runs` int32[R] has numbers in the group's own runs, `ends` int64[blocks].
    """

    runs: NDArray[np.int32]
    places: NDArray[np.int32]
    ends: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Member:
    """The runs of a group that hold training samples: shard, and samples before each.

    Training samples of all groups are numbered in the order of their rows: `first` of each run.
    """

    shard: NDArray[np.int32]
    first: NDArray[np.int64]
    count: NDArray[np.int64]

    @functools.cached_property
    def ends(self) -> NDArray[np.int64]:
        return np.cumsum(self.count)


class Blocks:
    """The samples of each group by epoch and position.

    `left_out` are sorted rows that never come; a block has `shuffle_shards` shards.
    """

    def __init__(
        self,
        groups: tuple[Group, ...],
        runs: Runs,
        left_out: NDArray[np.int64],
        *,
        shuffle_shards: int,
        seed: int,
    ) -> None:
        self._shuffle_shards, self._seed = shuffle_shards, seed
        self._lane_of = [(group.kind, group.rung) for group in groups]
        # The number of a row among training samples is what is left out before it less than it.
        before = np.searchsorted(left_out, runs.first)
        count = runs.count - (np.searchsorted(left_out, runs.first + runs.count) - before)
        used = np.flatnonzero(count)
        by_group = used[np.argsort(runs.group[used], kind="stable")]
        borders = np.cumsum(np.bincount(runs.group[used], minlength=len(groups)))[:-1]
        first = runs.first - before
        self._members = [
            _Member(shard=runs.shard[some], first=first[some], count=count[some])
            for some in np.split(by_group, borders)
        ]
        # The k-th that is left out moves all training samples from this number on by one row.
        self._moves = left_out - np.arange(len(left_out))
        lanes: dict[tuple[str, int], list[NDArray[np.int32]]] = defaultdict(list)
        for lane, member in zip(self._lane_of, self._members, strict=True):
            lanes[lane].append(member.shard)
        self._lanes = {lane: np.unique(np.concatenate(some)) for lane, some in lanes.items()}
        # Of each lane and group the current epoch and the next one; likewise for blocks.
        self._lane = functools.lru_cache(2 * len(lanes))(self._permute_lane)
        self._walk = functools.lru_cache(2 * len(groups))(self._make_walk)
        self._block = functools.lru_cache(2 * len(groups))(self._shuffle)

    def sizes(self) -> list[int]:
        """Training samples per group."""
        return [int(member.count.sum()) for member in self._members]

    def next(self, group: int, count: int, k: int) -> Drawn:
        """The next `k` samples of a group after its first `count`, in as many epochs as needed."""
        parts: list[Drawn] = []
        while k:
            epoch, block, start = self._find(group, count)
            whole = self._block(group, epoch, block)
            some = slice(start, start + k)
            parts.append(Drawn(rows=whole.rows[some], places=whole.places[some]))
            count, k = count + len(parts[-1].rows), k - len(parts[-1].rows)
        if len(parts) == 1:
            return parts[0]
        return Drawn(
            rows=np.concatenate([part.rows for part in parts]),
            places=np.concatenate([part.places for part in parts]),
        )

    def any(self, group: int, rng: np.random.Generator) -> int:
        """A random training row of a group."""
        member = self._members[group]
        number = int(rng.integers(member.ends[-1]))
        run = int(np.searchsorted(member.ends, number, "right"))
        return int(self._rows(member.first[run] + number - (member.ends[run] - member.count[run])))

    def reading(self, group: int, count: int) -> tuple[dict[int, int], int]:
        """The block after the first `count` samples: its shards, and the samples left in it.

        Each shard comes with its place in its lane, in that order.
        """
        epoch, block, start = self._find(group, count)
        walk = self._walk(group, epoch)
        some = slice(block * self._shuffle_shards, (block + 1) * self._shuffle_shards)
        shards = self._members[group].shard[walk.runs[some]].tolist()
        before = int(walk.ends[block - 1]) if block else 0
        left = int(walk.ends[block]) - before - start
        return dict(zip(shards, walk.places[some].tolist(), strict=True)), left

    def _find(self, group: int, count: int) -> tuple[int, int, int]:
        """Epoch, block, and place in the block of the sample after the first `count`."""
        epoch, position = divmod(count, int(self._members[group].ends[-1]))
        ends = self._walk(group, epoch).ends
        block = int(np.searchsorted(ends, position, "right"))
        return epoch, block, position - (int(ends[block - 1]) if block else 0)

    def _permute_lane(self, lane: tuple[str, int], epoch: int) -> NDArray[np.int32]:
        """Where each shard of a lane stands in an epoch."""
        count = len(self._lanes[lane])
        return permuted(np.arange(count), count, self._seed, "lane", *lane, epoch).astype(np.int32)

    def _make_walk(self, group: int, epoch: int) -> _Walk:
        lane, member = self._lane_of[group], self._members[group]
        places = self._lane(lane, epoch)[np.searchsorted(self._lanes[lane], member.shard)]
        runs = np.argsort(places)
        ends = np.cumsum(member.count[runs])
        last = np.arange(self._shuffle_shards, len(runs), self._shuffle_shards) - 1
        return _Walk(
            runs=runs.astype(np.int32),
            places=places[runs],
            ends=np.append(ends[last], ends[-1]),
        )

    def _shuffle(self, group: int, epoch: int, block: int) -> Drawn:
        """The samples of a block, shuffled within each shard and dealt evenly from all of them.

        The samples of a shard, in random order, are given times that part the block evenly, each
        moved by chance within its part. So any stretch of the block takes from its shards, and
        nodes that shards belong to, as from the whole, but for one sample or two.
        """
        walk, member = self._walk(group, epoch), self._members[group]
        some = slice(block * self._shuffle_shards, (block + 1) * self._shuffle_shards)
        runs = walk.runs[some]
        count = member.count[runs]
        run = np.repeat(np.arange(len(runs)), count)
        within = np.arange(len(run)) - np.repeat(np.cumsum(count) - count, count)
        chances = generator(self._seed, "block", group, epoch, block).random((2, len(run)))
        # A random order within each shard: those of one shard stand together before and after.
        shuffled = np.lexsort((chances[0], run))
        times = (within + chances[1]) / count[run]
        order = np.argsort(times, kind="stable")
        numbers = (member.first[runs][run] + within)[shuffled][order]
        return Drawn(
            rows=self._rows(numbers), places=walk.places[some][run[order]].astype(np.int64)
        )

    def _rows(self, numbers: NDArray[np.int64]) -> NDArray[np.int64]:
        """The rows of training samples by their numbers."""
        return numbers + np.searchsorted(self._moves, numbers, "right")
