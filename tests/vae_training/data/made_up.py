"""Runs of rows of shards that are not there."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from vae_training.data.index import Runs


def runs_of(counts: Sequence[Sequence[int]], groups: Sequence[Sequence[int]]) -> Runs:
    """Per shard the samples of some groups, and the numbers of these."""
    found = [
        (shard, group, count)
        for shard, (some, numbers) in enumerate(zip(counts, groups, strict=True))
        for group, count in zip(numbers, some, strict=True)
    ]
    shard, group, count = np.array(found, dtype=np.int64).T
    return Runs(
        shard=shard.astype(np.int32),
        group=group.astype(np.int32),
        first=np.cumsum(count) - count,
        count=count,
    )
