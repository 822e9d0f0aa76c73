"""The samples of the next batch: a pure function of seed, step and counters per group.

    schedule  step -> phase, progress
    mixture   phase, progress -> weights over rung, bucket, group
    order     seed, step, counters -> rows of the batch, new counters

The state is one counter per group, so a run resumes exactly with other workers or ranks. Each
group is read in a seeded permutation per epoch: no sample comes twice before all came once.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_corpus.curriculum import CorpusError
from vae_corpus.seeds import generator, permuted
from vae_corpus.words import Bucket, Group
from vae_training.data.mixture import Mixtures
from vae_training.data.schedule import Schedule

# Positions of a permutation that are computed together: one by one they cost a twentieth of the
# time that a batch of four takes to decode.
_BLOCK = 1024


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
    """The rows of one global batch, all of one rung and bucket; `after` is the next state."""

    step: int
    phase: int
    progress: float
    rung: int
    bucket: Bucket
    rows: tuple[int, ...]
    groups: tuple[int, ...]
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
    """The order of a run over rows of a corpus; `group` has the group number of each row.

    `training` is False for rows that are held out.
    """

    def __init__(
        self,
        *,
        groups: tuple[Group, ...],
        group: NDArray[np.int32],
        training: NDArray[np.bool_],
        schedule: Schedule,
        mixtures: Mixtures,
        size: BatchSize,
        seed: int,
    ) -> None:
        self.groups = groups
        self.schedule = schedule
        self.mixtures = mixtures
        self.size = size
        self.seed = seed
        rows = np.flatnonzero(training)
        numbers = group[rows]
        borders = np.cumsum(np.bincount(numbers, minlength=len(groups)))[:-1]
        self._members = np.split(rows[np.argsort(numbers, kind="stable")], borders)
        # Per group the current block of its permutation, and the next one.
        self._block = functools.lru_cache(2 * len(groups))(self._permute)

    def sizes(self) -> list[int]:
        """Training images per group."""
        return [len(members) for members in self._members]

    def start(self) -> State:
        return State(step=0, counters=(0,) * len(self.groups))

    def digest(self) -> str:
        """A digest of groups and their sizes: counters are valid for this corpus alone."""
        facts = [
            [*vars(g).values(), len(m)] for g, m in zip(self.groups, self._members, strict=True)
        ]
        return hashlib.sha256(json.dumps(facts).encode()).hexdigest()[:16]

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
        rows = np.empty(len(numbers), dtype=np.int64)
        for number in np.flatnonzero(np.bincount(numbers)).tolist():
            slots = np.flatnonzero(numbers == number)
            rows[slots] = self._next(number, counters[number], len(slots))
            counters[number] += len(slots)
        return Selection(
            step=state.step,
            phase=phase,
            progress=progress,
            rung=cell.rung,
            bucket=cell.bucket,
            rows=tuple(rows.tolist()),
            groups=tuple(numbers.tolist()),
            after=State(step=state.step + 1, counters=tuple(counters)),
        )

    def substitute(self, step: int, slot: int, group: int, attempt: int) -> int:
        """A random row of `group`, in place of a damaged one."""
        return self.draw(group, generator(self.seed, "substitute", step, slot, attempt))

    def draw(self, group: int, rng: np.random.Generator) -> int:
        """A random training row of `group`."""
        members = self._members[group]
        return int(members[rng.integers(len(members))])

    def _next(self, group: int, count: int, k: int) -> NDArray[np.int64]:
        """The next `k` rows of a group after its first `count`, over as many epochs as needed."""
        parts: list[NDArray[np.int64]] = []
        while k:
            epoch, position = divmod(count, len(self._members[group]))
            block, start = divmod(position, _BLOCK)
            parts.append(self._block(group, epoch, block)[start : start + k])
            count, k = count + len(parts[-1]), k - len(parts[-1])
        return np.concatenate(parts)

    def _permute(self, group: int, epoch: int, block: int) -> NDArray[np.int64]:
        """The 1024 rows of a block of an epoch's permutation; fewer at its end."""
        members = self._members[group]
        positions = np.arange(block * _BLOCK, min((block + 1) * _BLOCK, len(members)))
        return members[permuted(positions, len(members), self.seed, group, epoch)]
