from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.vae_training.data.made_up import runs_of
from vae_corpus.curriculum import CorpusError, Phase, Ramp
from vae_corpus.seeds import permuted
from vae_corpus.words import GENERAL, TEXT_REAL, TEXT_SYNTH, Bucket, Group
from vae_training.data.mixture import Mixtures
from vae_training.data.order import BatchSize, Order, State
from vae_training.data.schedule import schedule

GROUPS = (
    Group(kind=GENERAL, rung=256, bucket="256x256"),
    Group(kind=GENERAL, rung=256, bucket="288x224"),
    Group(kind=GENERAL, rung=512, bucket="512x512"),
    Group(kind=TEXT_SYNTH, rung=256, bucket="256x256", language="en", size_band="5-7"),
    Group(kind=TEXT_SYNTH, rung=256, bucket="256x256", language="zh", size_band="5-7"),
    Group(kind=TEXT_SYNTH, rung=256, bucket="256x256", language="en", size_band="8-10"),
)
COUNTS = [40, 20, 10, 30, 10, 7]
FLAT = Ramp(1.0, 1.0)


def make_phase(**changes: Any) -> Phase:
    base = Phase(name="p", samples=64, rungs={256: FLAT}, kinds={GENERAL: FLAT, TEXT_SYNTH: FLAT})
    return replace(base, **changes)


def make_order(*phases: Phase, multiple: int = 1, steps: int = 400, seed: int = 3) -> Order:
    phases = phases or (make_phase(),)
    return Order(
        groups=GROUPS,
        runs=runs_of([COUNTS[:2], COUNTS[2:3], COUNTS[3:]], [(0, 1), (2,), (3, 4, 5)]),
        left_out=np.empty(0, dtype=np.int64),
        corpus="made up",
        schedule=schedule([64 * steps] * len(phases), [8] * len(phases), steps),
        mixtures=Mixtures(phases, GROUPS, COUNTS),
        size=BatchSize(pixels=8 * 256 * 256, multiple=multiple),
        shuffle_shards=32,
        seed=seed,
    )


@pytest.mark.parametrize("n", [1, 2, 3, 17, 64, 1000])
def test_a_permutation_takes_every_number_once(n: int) -> None:
    walked = permuted(np.arange(n), n, 5, "a")
    assert sorted(walked.tolist()) == list(range(n))


def test_permutations_differ_by_seed_and_read_by_position() -> None:
    whole = permuted(np.arange(500), 500, 5, "a")
    assert not np.array_equal(whole, permuted(np.arange(500), 500, 6, "a"))
    assert not np.array_equal(whole, np.arange(500))
    assert permuted(np.array([77]), 500, 5, "a")[0] == whole[77]


def test_no_sample_comes_twice_before_all_have_come_once() -> None:
    order = make_order()
    state, seen = order.start(), Counter[tuple[int, int]]()
    walked: dict[int, list[int]] = {g: [] for g in range(len(GROUPS))}
    for _ in range(60):
        draw = order.select(state)
        state = draw.after
        seen.update(zip(draw.groups, draw.rows, strict=True))
        for group, row in zip(draw.groups, draw.rows, strict=True):
            walked[group].append(row)
    for group, rows in walked.items():
        n = COUNTS[group]
        for start in range(0, len(rows) - n + 1, n):
            assert len(set(rows[start : start + n])) == n
    assert walked[2] == []
    assert [state.counters[g] for g in walked] == [len(rows) for rows in walked.values()]


def test_a_batch_has_one_bucket_and_fits_the_budget() -> None:
    order = make_order(make_phase(rungs={256: FLAT, 512: FLAT}))
    state = order.start()
    for _ in range(40):
        draw = order.select(state)
        state = draw.after
        assert {(GROUPS[g].rung, GROUPS[g].bucket) for g in draw.groups} == {
            (draw.rung, str(draw.bucket))
        }
        assert len(draw.rows) == (2 if draw.rung == 512 else 8)


def test_crops_of_all_buckets_share_a_batch_and_keep_the_weights() -> None:
    phase = make_phase(rungs={256: Ramp(3.0, 3.0), 512: FLAT}, crop_px=64)
    order = make_order(phase)
    state, kinds, rungs = order.start(), Counter(), Counter()
    buckets = set()
    for _ in range(400):
        chosen = order.select(state)
        assert chosen.bucket == Bucket(64, 64) and len(chosen.rows) == 128
        rungs[chosen.rung] += 1
        kinds.update((chosen.rung, order.groups[n].kind) for n in chosen.groups)
        buckets |= {frozenset(order.groups[n].bucket for n in chosen.groups)}
        state = chosen.after
    assert frozenset({"256x256", "288x224"}) in buckets
    assert rungs[256] / 400 == pytest.approx(0.75, abs=0.06)
    at_256 = kinds[256, GENERAL] + kinds[256, TEXT_SYNTH]
    assert kinds[256, GENERAL] / at_256 == pytest.approx(0.5, abs=0.02)
    # A crop that is larger than a bucket is all of it.
    whole = make_order(make_phase(crop_px=4096)), make_order(make_phase())
    states = [o.start() for o in whole]
    assert whole[0].select(states[0]).bucket == whole[1].select(states[1]).bucket


def test_kinds_and_bands_come_as_weighted() -> None:
    phase = make_phase(
        kinds={GENERAL: Ramp(3.0, 3.0), TEXT_SYNTH: FLAT},
        size_bands={"5-7": FLAT, "8-10": Ramp(3.0, 3.0)},
    )
    mixture = Mixtures((phase,), GROUPS, COUNTS).at(0, 0.5)
    share = np.zeros(len(GROUPS))
    for cell, chance in zip(mixture.cells, mixture.weights, strict=True):
        share[cell.groups] += chance * cell.weights
    expected = [0.5, 0.25, 0, 0.25 * 0.25 * 0.75, 0.25 * 0.25 * 0.25, 0.25 * 0.75]
    assert share == pytest.approx(expected)


def test_a_band_of_one_language_has_its_own_weight() -> None:
    groups = [
        Group(kind=TEXT_SYNTH, rung=256, bucket="256x256", language=name, size_band=band)
        for name in ("en", "zh")
        for band in ("5-7", "8-10")
    ]
    phase = make_phase(
        kinds={TEXT_SYNTH: FLAT},
        size_bands={"5-7": FLAT, "8-10": FLAT, "zh 5-7": Ramp(0.0, 2.0)},
    )
    mixtures = Mixtures((phase,), groups, [10, 10, 10, 30])
    for progress, expected in ((0.0, [0.5, 0.125, 0, 0.375]), (1.0, [0.25, 0.0625, 0.5, 0.1875])):
        share = np.zeros(len(groups))
        for cell, chance in zip(
            mixtures.at(0, progress).cells, mixtures.at(0, progress).weights, strict=True
        ):
            share[cell.groups] += chance * cell.weights
        assert share == pytest.approx(expected)


def test_draws_follow_the_chances() -> None:
    cell = Mixtures((make_phase(),), GROUPS, COUNTS).at(0, 0.5).cells[0]
    drawn = cell.sample(np.random.default_rng(0), 40_000)
    for group, weight in zip(cell.groups, cell.weights, strict=True):
        assert (drawn == group).mean() == pytest.approx(weight, abs=0.01)


def test_a_ramp_moves_the_mixture() -> None:
    mixtures = Mixtures(
        (make_phase(kinds={GENERAL: Ramp(1, 0), TEXT_SYNTH: Ramp(0, 1)}),), GROUPS, COUNTS
    )
    kinds = [
        {GROUPS[g].kind for cell in mixtures.at(0, t).cells for g in cell.groups} for t in (0, 1)
    ]
    assert kinds == [{GENERAL}, {TEXT_SYNTH}]


def test_drawing_depends_on_the_state_alone() -> None:
    order = make_order()
    state = order.start()
    for _ in range(5):
        state = order.select(state).after
    text = json.dumps(state.to_json())
    again = make_order().select(State.from_json(json.loads(text)))
    assert again == order.select(state)
    assert len(text) < 400


def test_a_kind_that_is_nowhere_is_named_with_what_there_is() -> None:
    with pytest.raises(CorpusError, match="needs document at rung 256.*60 general at 256"):
        Mixtures((make_phase(kinds={"document": FLAT}),), GROUPS, COUNTS)


def test_a_kind_may_lack_one_of_the_rungs() -> None:
    mixtures = Mixtures((make_phase(rungs={256: FLAT, 512: FLAT}),), GROUPS, COUNTS)
    assert {cell.rung for cell in mixtures.at(0, 0.0).cells} == {256, 512}


def test_a_state_of_another_corpus_is_refused() -> None:
    with pytest.raises(CorpusError, match="counts 2 groups, the corpus has 6"):
        make_order().select(State(step=0, counters=(0, 0)))


@pytest.mark.parametrize(("pixels", "multiple", "expected"), [(8, 1, 8), (8, 3, 6), (1, 4, 4)])
def test_batches_are_multiples_within_the_budget(pixels: int, multiple: int, expected: int) -> None:
    size = BatchSize(pixels=pixels * 256 * 256, multiple=multiple)
    assert size.of(Bucket(256, 256)) == expected


def test_a_cap_is_shared_in_proportion_and_each_phase_gets_a_step() -> None:
    assert schedule([100, 200], [10, 10], None).steps == (10, 20)
    assert schedule([100, 200], [10, 10], 1000).steps == (10, 20)
    capped = schedule([1, 1000, 2000], [1, 1, 1], 48)
    assert capped.total == 48 and capped.steps[0] == 1
    assert capped.steps[2] == pytest.approx(2 * capped.steps[1], abs=2)
    with pytest.raises(CorpusError, match="too few for 3 phases"):
        schedule([9, 9, 9], [1, 1, 1], 2)


def test_progress_goes_from_zero_to_one_in_each_phase() -> None:
    plan = schedule([5, 3], [1, 1], None)
    assert [plan.at(step) for step in (0, 4, 5, 7)] == [(0, 0.0), (0, 1.0), (1, 0.0), (1, 1.0)]


def test_densities_split_real_text_as_the_phase_says() -> None:
    groups = tuple(
        Group(kind=TEXT_REAL, rung=256, bucket="256x256", density=density)
        for density in ("rest", "top")
    )
    phase = make_phase(kinds={TEXT_REAL: FLAT})

    def shares(phase: Phase) -> list[float]:
        (cell,) = Mixtures((phase,), groups, [90, 10]).at(0, 0.0).cells
        return [round(float(w), 6) for w in cell.weights]

    assert shares(phase) == [0.9, 0.1]
    assert shares(replace(phase, densities={"top": Ramp(3, 3), "rest": FLAT})) == [0.25, 0.75]
    with pytest.raises(CorpusError, match="needs text_real"):
        Mixtures((replace(phase, densities={"top": FLAT}),), groups, [90, 0])
