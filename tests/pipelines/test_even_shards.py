"""Shards come out even, whatever a lane has in each neighbourhood, and each image is in one."""

from __future__ import annotations

import numpy as np
import pytest

from pipelines.planning.shards import draw_shards
from tests.pipelines.lanes import A_SHARD, SETTINGS, rows, shards

LANES = [
    [round(A_SHARD * share) for share in shares]
    for shares in (
        (1.3, 1.0),
        (1.3, 1.3),
        (2.5, 2.4, 1.7),
        (0.5, 2.6, 2.6),
        (0.3, 0.3, 0.3),
        (1.2, 1.3, 0.2),
        (4.3, 1.0, 1.0, 0.9),
        (0.1, 0.2, 1.0, 1.0),
    )
]


@pytest.mark.parametrize("counts", LANES, ids=str)
def test_a_lane_makes_even_shards(counts: list[int]) -> None:
    found = shards(counts)
    assert sum(found.values()) == sum(counts)
    assert min(name[1] for name in found) == 0
    for size in found.values():
        assert 0.8 <= size / A_SHARD <= 1.2, found


def test_lanes_of_all_sizes_make_shards_as_even_as_they_can_be() -> None:
    dice = np.random.default_rng(7)
    uneven = many = 0
    for _ in range(60):
        counts = dice.integers(1, int(2.5 * A_SHARD), int(dice.integers(2, 6))).tolist()
        found = shards(counts)
        assert sum(found.values()) == sum(counts)
        if sum(counts) > 3 * A_SHARD:
            many += len(found)
            uneven += sum(not 0.8 <= size / A_SHARD <= 1.2 for size in found.values())
    assert many > 150 and uneven <= 0.05 * many


@pytest.mark.parametrize("count", [10, 170, 260, 330, 470, 1000])
def test_a_lane_that_no_other_neighbourhood_has_is_shared_evenly(count: int) -> None:
    draw = draw_shards(rows(count, 3), SETTINGS, 0, alone=True)
    sizes = np.bincount(draw.number)
    assert sizes.sum() == count and sizes.max() - sizes.min() <= 1
    assert (draw.piece == -1).all()
    # No other number of shards would be nearer to what is asked.
    off = abs(count / A_SHARD / len(sizes) - 1)
    for other in (len(sizes) - 1, len(sizes) + 1):
        assert other == 0 or off <= abs(count / A_SHARD / other - 1)


def test_only_as_many_last_shards_are_given_up_as_it_takes() -> None:
    # Rests of 1.0 shards fill one: nobody gives up anything.
    found = shards([round(1.5 * A_SHARD), round(1.5 * A_SHARD)])
    assert sorted(found) == [(-1, 0), (0, 0), (1, 0)]
    # With one more shard, .85 of them make two; with none, none.
    found = shards([round(0.85 * A_SHARD), round(1.3 * A_SHARD), A_SHARD, A_SHARD])
    assert (3, 0) in found and sum(name[0] == -1 for name in found) == 2
