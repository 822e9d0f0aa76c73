"""Neighbourhoods: fixed groups of units, dealt once, whose images are planned and packed together.

A shard is a fair draw of its neighbourhood, so whatever changes elsewhere leaves it as it is. Units
that are listed for the first time fill the places of units that are gone, whose shards change in
any case; the others make neighbourhoods of a new generation, and shards of their own.

Units are dealt in the order of their ids, which are hashes, so that each neighbourhood is a fair
draw of all sources that came with it.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.planning.job import Neighbourhood
from vae_corpus import storage

# As many bytes of sources in a neighbourhood as would fill so many shards.
_MOST_SHARDS = 32
# Names the tables that count: those of a deal that was stopped do not.
LIST = "neighbourhoods.json"
_AT_ONCE = 1 << 16
_NAME = re.compile(r"(\d{3})-(\d{6})-([0-9a-f]{16})\.parquet")


@dataclass(frozen=True, kw_only=True, eq=False)
class Dealt:
    """A neighbourhood and the ids of its units, uint64[N], in the order in which they came."""

    number: int
    generation: int
    ids: NDArray[np.uint64]

    @property
    def file_name(self) -> str:
        """Says all about the neighbourhood: it is another file when the units are others."""
        digest = hashlib.sha256(self.ids.astype("<u8").tobytes()).hexdigest()[:16]
        return f"{self.generation:03d}-{self.number:06d}-{digest}.parquet"


def write_list(folder: str, names: Sequence[str]) -> bool:
    """Say which tables of units of a folder count, all at once; True when they are others."""
    text = json.dumps(sorted(names), indent=0) + "\n"
    return storage.commit_bytes(storage.join(folder, LIST), text.encode())


def listed(folder: str) -> list[Neighbourhood]:
    """The neighbourhoods whose tables of units count in a folder, by number."""
    try:
        names = json.loads(storage.read_bytes(storage.join(folder, LIST)))
    except FileNotFoundError:
        return []
    found = ((_NAME.fullmatch(name), name) for name in names)
    return sorted(
        (
            Neighbourhood(
                number=int(match[2]), generation=int(match[1]), units=storage.join(folder, name)
            )
            for match, name in found
            if match
        ),
        key=lambda neighbourhood: neighbourhood.number,
    )


def are_tables(folder: str) -> bool:
    """Whether a folder holds tables of units, or a list of them, as a build writes them first."""
    names = storage.names(folder)
    return LIST in names or any(_NAME.fullmatch(name) for name in names)


def are_among(values: NDArray[np.uint64], those: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Which values are among those, which are sorted, in less memory than numpy's own way."""
    same = np.zeros(len(values), np.bool_)
    for start in range(0, len(values) if len(those) else 0, _AT_ONCE):
        part = values[start : start + _AT_ONCE]
        place = np.minimum(np.searchsorted(those, part), len(those) - 1)
        same[start : start + _AT_ONCE] = those[place] == part
    return same


def deal(
    before: Sequence[Dealt], found: NDArray[np.uint64], size: int, bytes_each: float = 0.0
) -> list[Dealt]:
    """Deal the units that were found, `size` of them to a neighbourhood at most.

    `before` is what was dealt already. `bytes_each`: the share of a shard that a unit has on
    average, as far as that is known.
    """
    found = np.sort(found)
    known = np.concatenate([np.zeros(0, np.uint64), *(dealt.ids for dealt in before)])
    known.sort()
    fresh = found[~are_among(found, known)] if len(known) else found
    dealt: list[Dealt] = []
    for old in before:
        ids = old.ids[are_among(old.ids, found)]
        gap = len(old.ids) - len(ids)
        ids, fresh = np.concatenate([ids, fresh[:gap]]), fresh[gap:]
        if len(ids):
            dealt.append(Dealt(number=old.number, generation=old.generation, ids=ids))
    if not len(fresh):
        return dealt
    count = max(math.ceil(len(fresh) / size), round(len(fresh) * bytes_each / _MOST_SHARDS))
    count = min(count, len(fresh))
    generation = 1 + max((old.generation for old in before), default=-1)
    number = 1 + max((old.number for old in before), default=-1)
    for n, ids in enumerate(np.array_split(fresh, count)):
        dealt.append(Dealt(number=number + n, generation=generation, ids=ids))
    return dealt
