"""The samples of the next batch: a pure function of seed, step and counters per group.

    schedule  step -> phase, progress
    mixture   phase, progress -> weights over rung, bucket, group
    order     seed, step, counters -> rows of the batch, new counters

The state is one counter per group, so a run resumes exactly with other workers or ranks. Each
group is walked through in a seeded order per epoch (`blocks`): no sample comes twice before all
came once.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_corpus.curriculum import CorpusError
from vae_corpus.seeds import generator
from vae_corpus.words import Bucket, Group
from vae_training.data.blocks import Blocks
from vae_training.data.index import Runs
from vae_training.data.listing import digest
from vae_training.data.mixture import Mixtures
from vae_training.data.schedule import Schedule
from vae_training.data.sharing import home


@dataclass(frozen=True, kw_only=True)
class State:
    """Position in the data: the next step, and the samples used so far per group."""

    step: int
    counters: tuple[int, ...]

    def to_json(self) -> dict[str, Any]:
        return {"step": self.step, "counters": list(self.counters)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> State:
        return cls(step=int(data["step"]), counters=tuple(int(c) for c in data["counters"]))


@dataclass(frozen=True, kw_only=True)
class Selection:
    """The rows of one global batch, all of one rung and bucket; `after` is the next state.

    `places` has for each row where its shard stands in the order of its lane.
    """

    step: int
    phase: int
    progress: float
    rung: int
    bucket: Bucket
    rows: tuple[int, ...]
    groups: tuple[int, ...]
    places: tuple[int, ...]
    after: State

    @property
    def px(self) -> int:
        """Pixels of the batch."""
        return len(self.rows) * self.bucket.width * self.bucket.height


@dataclass(frozen=True, kw_only=True)
class BatchSize:
    """Images of a global batch: a budget of pixels, in multiples of `multiple` images."""

    pixels: int
    multiple: int = 1

    def of(self, bucket: Bucket) -> int:
        """The largest multiple within the budget, at least one."""
        fitting = self.pixels // (bucket.width * bucket.height)
        return max(self.multiple, fitting // self.multiple * self.multiple)


class Order:
    """The order of a run over the rows of a corpus, which lie in `runs`.

    `left_out` are sorted rows that are never trained on; `corpus` is a digest of the shards that
    the rows lie in, `shuffle_shards` the shards that a group is shuffled over at a time.
    """

    def __init__(
        self,
        *,
        groups: tuple[Group, ...],
        runs: Runs,
        left_out: NDArray[np.int64],
        corpus: str,
        schedule: Schedule,
        mixtures: Mixtures,
        size: BatchSize,
        shuffle_shards: int,
        seed: int,
    ) -> None:
        self.groups = groups
        self.schedule = schedule
        self.mixtures = mixtures
        self.size = size
        self.seed = seed
        self._blocks = Blocks(groups, runs, left_out, shuffle_shards=shuffle_shards, seed=seed)
        self._facts = [corpus, shuffle_shards]
        self._sizes = self._blocks.sizes()

    def sizes(self) -> list[int]:
        """Training images per group."""
        return list(self._sizes)

    def start(self) -> State:
        return State(step=0, counters=(0,) * len(self.groups))

    def digest(self) -> str:
        """A digest of shards, groups and their sizes: counters are valid for this corpus alone."""
        groups = zip(self.groups, self._sizes, strict=True)
        return digest([self._facts, [[*vars(group).values(), size] for group, size in groups]])

    def select(self, state: State) -> Selection:
        """The batch of `state.step`; CorpusError when the state is of another corpus."""
        if len(state.counters) != len(self.groups):
            raise CorpusError(
                f"the saved state counts {len(state.counters)} groups, the corpus has"
                f" {len(self.groups)}: it has changed since; start anew in another --out"
            )
        phase, progress = self.schedule.at(state.step)
        rng = generator(self.seed, "batch", state.step)
        mixture = self.mixtures.at(phase, progress)
        cell = mixture.sample(rng)
        numbers = cell.sample(rng, self.size.of(cell.bucket))
        counters = list(state.counters)
        rows, places = np.empty((2, len(numbers)), dtype=np.int64)
        for number in np.flatnonzero(np.bincount(numbers)).tolist():
            slots = np.flatnonzero(numbers == number)
            drawn = self._blocks.next(number, counters[number], len(slots))
            rows[slots], places[slots] = drawn.rows, drawn.places
            counters[number] += len(slots)
        return Selection(
            step=state.step,
            phase=phase,
            progress=progress,
            rung=cell.rung,
            bucket=cell.bucket,
            rows=tuple(rows.tolist()),
            groups=tuple(numbers.tolist()),
            places=tuple(places.tolist()),
            after=State(step=state.step + 1, counters=tuple(counters)),
        )

    def substitute(self, step: int, slot: int, group: int, attempt: int) -> int:
        """A random row of `group`, in place of a damaged one."""
        return self.draw(group, generator(self.seed, "substitute", step, slot, attempt))

    def draw(self, group: int, rng: np.random.Generator) -> int:
        """A random training row of `group`."""
        return self._blocks.any(group, rng)

    def coming(self, state: State, node: int = 0, nodes: int = 1) -> tuple[list[int], list[int]]:
        """The shards that are read now and those next, each in the order of their first need.

        Of each group that the phase weights now: those of its block, and of the one after. What is
        both is told once, among those of now. Of several nodes: those that are at home on `node`.
        """
        phase, progress = self.schedule.at(state.step)
        mixture = self.mixtures.at(phase, progress)
        speeds = np.zeros(len(self.groups))  # samples of a group per image, about
        for cell, chance in zip(mixture.cells, mixture.weights, strict=True):
            speeds[cell.groups] += chance * cell.weights
        now: dict[int, int] = {}
        later: list[tuple[float, dict[int, int]]] = []
        for number in np.argsort(-speeds, kind="stable")[: np.count_nonzero(speeds)].tolist():
            count = state.counters[number]
            shards, left = self._blocks.reading(number, count)
            now |= shards
            later.append((left / speeds[number], self._blocks.reading(number, count + left)[0]))
        coming: dict[int, int] = {}
        for _, shards in sorted(later, key=lambda pair: pair[0]):
            coming |= {s: shards[s] for s in shards if s not in now and s not in coming}
        return _at_home(now, node, nodes), _at_home(coming, node, nodes)


def _at_home(shards: dict[int, int], node: int, nodes: int) -> list[int]:
    return [shard for shard, place in shards.items() if home(place, nodes) == node]
