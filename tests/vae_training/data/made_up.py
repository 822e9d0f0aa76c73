"""Shards that are not there, and samples that are no pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

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


def photos(count: int) -> list[dict[str, Any]]:
    """Samples for `write.shard`, in two buckets; their bytes are no pictures."""
    return [_sample(f"photo-{n:04d}", ("256x256", "288x224")[n % 2], n) for n in range(count)]


def tiles(count: int, *, of_a_page: int) -> list[dict[str, Any]]:
    """Samples for `write.shard` in two bands of sizes, so many of a page."""
    return [
        {
            **_sample(f"tile-{n:04d}", "256x256", n),
            "language": "en",
            "size_band": "5-7" if n % 3 else "8-10",
            "parent": f"page-{n // of_a_page}",
        }
        for n in range(count)
    ]


def _sample(key: str, bucket: str, number: int) -> dict[str, Any]:
    data = bytes([number % 256]) * (100 + number)
    return {"key": key, "ext": "png", "data": data, "width": 1, "height": 1, "bucket": bucket}
