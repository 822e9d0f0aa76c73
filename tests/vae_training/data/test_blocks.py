from __future__ import annotations

import numpy as np
import pytest

from tests.vae_training.data.made_up import runs_of
from vae_corpus.curriculum import Phase, Ramp
from vae_corpus.words import GENERAL, TEXT_SYNTH, Group
from vae_training.data.blocks import Blocks
from vae_training.data.mixture import Mixtures
from vae_training.data.order import BatchSize, Order, State
from vae_training.data.schedule import schedule
from vae_training.data.sharing import home

GROUPS = (
    Group(kind=GENERAL, rung=256, bucket="256x256"),
    Group(kind=GENERAL, rung=256, bucket="288x224"),
    Group(kind=TEXT_SYNTH, rung=256, bucket="256x256"),
)
# Twelve shards of photographs, of which one lacks the second bucket, and five of text.
COUNTS = [[20 + shard, 5] for shard in range(11)] + [[9]] + [[7]] * 5
NUMBERS = [(0, 1)] * 11 + [(0,)] + [(2,)] * 5
RUNS = runs_of(COUNTS, NUMBERS)
SAMPLES = RUNS.samples(len(GROUPS))
NONE = np.empty(0, dtype=np.int64)
FLAT = Ramp(1.0, 1.0)


def blocks(left_out: np.ndarray = NONE, *, shuffle_shards: int = 4, seed: int = 1) -> Blocks:
    return Blocks(GROUPS, RUNS, left_out, shuffle_shards=shuffle_shards, seed=seed)


def shard_of(rows: np.ndarray) -> np.ndarray:
    return RUNS.shard[np.searchsorted(RUNS.first, rows, "right") - 1]


def group_of(rows: np.ndarray) -> np.ndarray:
    return RUNS.group[np.searchsorted(RUNS.first, rows, "right") - 1]


@pytest.mark.parametrize("shuffle_shards", [1, 4, 32])
@pytest.mark.parametrize("group", range(len(GROUPS)))
def test_an_epoch_has_each_sample_once_and_those_left_out_never(
    shuffle_shards: int, group: int
) -> None:
    # The first rows, a whole run, and some in between.
    whole = np.arange(RUNS.first[4], RUNS.first[4] + RUNS.count[4])
    left_out = np.unique(np.concatenate([[0, 1, 2, 40, 41, 300], whole]))
    walked = blocks(left_out, shuffle_shards=shuffle_shards)
    rows = np.arange(RUNS.count.sum())
    expected = np.setdiff1d(rows[group_of(rows) == group], left_out)
    assert walked.sizes()[group] == len(expected) > 0
    for epoch in range(3):
        drawn = walked.next(group, epoch * len(expected), len(expected))
        assert sorted(drawn.rows.tolist()) == expected.tolist()


def test_epochs_and_seeds_differ() -> None:
    n = SAMPLES[0]
    first, second = (blocks().next(0, epoch * n, n).rows for epoch in (0, 1))
    other = blocks(seed=2).next(0, 0, n).rows
    assert not np.array_equal(first, second) and not np.array_equal(first, other)


def test_what_comes_does_not_depend_on_what_was_asked_before() -> None:
    whole = blocks().next(0, 0, 3 * SAMPLES[0])
    for start, count in ((700, 50), (0, 10), (SAMPLES[0] - 3, 200)):
        part = blocks().next(0, start, count)
        assert np.array_equal(part.rows, whole.rows[start : start + count])
        assert np.array_equal(part.places, whole.places[start : start + count])


def test_a_block_has_its_shards_alone() -> None:
    walked = blocks(shuffle_shards=4)
    count, seen = 0, []
    for _ in range(3):
        shards, left = walked.reading(0, count)
        rows = walked.next(0, count, left).rows
        assert len(shards) == 4 and set(shard_of(rows).tolist()) == set(shards)
        seen += shards
        count += left
    assert sorted(seen) == list(range(12)) and count == SAMPLES[0]


def test_groups_of_a_lane_walk_through_the_same_shards_and_lanes_do_not() -> None:
    walked = blocks(shuffle_shards=1)
    orders = []
    for group in (0, 1):
        rows = walked.next(group, 0, SAMPLES[group]).rows
        orders.append(list(dict.fromkeys(shard_of(rows).tolist())))
    assert [shard for shard in orders[0] if shard != 11] == orders[1]
    assert orders[0] != sorted(orders[0])


def test_places_are_those_of_the_lane() -> None:
    drawn = [blocks(shuffle_shards=3).next(group, 0, SAMPLES[group]) for group in (0, 1)]
    pairs = [set(zip(shard_of(d.rows).tolist(), d.places.tolist(), strict=True)) for d in drawn]
    assert pairs[1] < pairs[0] and sorted(place for _, place in pairs[0]) == list(range(12))


def test_samples_of_a_block_come_evenly_from_its_shards() -> None:
    counts = [[400], [400], [200], [800]]
    runs = runs_of(counts, [(0,)] * 4)
    walked = Blocks(GROUPS[:1], runs, NONE, shuffle_shards=4, seed=0)
    drawn = walked.next(0, 0, 1800)
    shards = runs.shard[np.searchsorted(runs.first, drawn.rows, "right") - 1]
    for start in range(0, 1800, 90):
        found = np.bincount(shards[start : start + 90], minlength=4)
        assert np.abs(found - [20, 20, 10, 40]).max() <= 4
    # Within a shard by chance: neither in the order of the rows nor in that of another shard.
    ranks = [drawn.rows[shards == n] - runs.first[n] for n in (0, 1)]
    assert abs(np.corrcoef(ranks[0], np.arange(400))[0, 1]) < 0.2
    assert abs(np.corrcoef(ranks[0], ranks[1])[0, 1]) < 0.2


def test_any_sample_of_a_group_may_be_drawn_and_none_that_is_left_out() -> None:
    left_out = np.arange(0, 200, 2)
    walked, rng = blocks(left_out), np.random.default_rng(0)
    found = {walked.any(1, rng) for _ in range(1500)}
    rows = np.arange(RUNS.count.sum())
    assert found == set(np.setdiff1d(rows[group_of(rows) == 1], left_out).tolist())


def make_order(shuffle_shards: int = 2, **changes: object) -> Order:
    phase = Phase(name="p", samples=64, rungs={256: FLAT}, kinds={GENERAL: FLAT, TEXT_SYNTH: FLAT})
    given = {
        "groups": GROUPS,
        "runs": RUNS,
        "left_out": NONE,
        "corpus": "made up",
        "schedule": schedule([10**4], [8], None),
        "mixtures": Mixtures((phase,), GROUPS, SAMPLES),
        "size": BatchSize(pixels=8 * 256 * 256),
        "shuffle_shards": shuffle_shards,
        "seed": 3,
        **changes,
    }
    return Order(**given)


def test_all_that_is_read_was_told_before() -> None:
    # The last block of an epoch has two shards, with more samples of any group than a batch.
    order = make_order(shuffle_shards=3)
    state, announced = order.start(), set(range(17))
    for _ in range(200):
        now, later = order.coming(state)
        assert len({*now, *later}) == len(now) + len(later)
        assert len(now) <= 9 and set(now) <= announced
        announced = {*now, *later}
        chosen = order.select(state)
        assert set(shard_of(np.array(chosen.rows)).tolist()) <= announced
        state = chosen.after


def test_shards_of_groups_without_weight_are_not_told() -> None:
    phase = Phase(name="p", samples=64, rungs={256: FLAT}, kinds={TEXT_SYNTH: FLAT})
    order = make_order(mixtures=Mixtures((phase,), GROUPS, SAMPLES))
    now, later = order.coming(order.start())
    assert len(now) == 2 and len(later) == 2 and min(now + later) >= 12


def test_nodes_share_what_is_coming_by_the_homes_of_their_images() -> None:
    order = make_order(shuffle_shards=4)
    state = order.start()
    whole = order.coming(state)
    parts = [order.coming(state, node, 3) for node in range(3)]
    for told, some in zip(whole, zip(*parts, strict=True), strict=True):
        assert sorted(shard for part in some for shard in part) == sorted(told)
    chosen = order.select(state)
    for shard, place in zip(shard_of(np.array(chosen.rows)), chosen.places, strict=True):
        assert int(shard) in parts[home(place, 3)][0]


def test_what_is_needed_first_is_told_first() -> None:
    order = make_order()
    # Photographs of the first bucket are before the end of a block, the others at its beginning.
    _, left = order._blocks.reading(0, 0)
    _, later = order.coming(State(step=0, counters=(left - 1, 0, 0)))
    assert later[0] in order._blocks.reading(0, left)[0]


def test_the_digest_covers_shards_groups_and_blocks() -> None:
    fewer = runs_of([*COUNTS[:-1], [6]], NUMBERS)
    orders = [
        make_order(),
        make_order(shuffle_shards=3),
        make_order(corpus="another"),
        make_order(runs=fewer),
        make_order(left_out=np.array([3])),
    ]
    assert len({order.digest() for order in orders}) == len(orders)
    assert make_order().digest() == orders[0].digest()
