from __future__ import annotations

import numpy as np
import pytest

from pipelines.stages.synthesize import _choose
from vae_corpus.seeds import mixed


@pytest.mark.parametrize("count", [1, 7, 64, 999, 1000, 2000])
@pytest.mark.parametrize("number", [0, 5])
def test_backgrounds_are_the_first_of_the_whole_order(number: int, count: int) -> None:
    rng = np.random.default_rng(0)
    # Some twice: equal ones keep the order of the list.
    ids = np.repeat(rng.integers(1 << 63, size=500).astype(np.uint64), 2)
    salt = np.uint64((256 << 32 | number) * 0x9E3779B97F4A7C15 & (1 << 64) - 1)
    order = np.argsort(mixed(ids ^ salt), kind="stable")
    assert _choose(ids, 256, number, count).tolist() == order[:count].tolist()


def test_a_choice_that_lies_above_the_cut_is_found() -> None:
    ids = np.full(1000, 7, np.uint64)
    assert _choose(ids, 256, 1, 3).tolist() == [0, 1, 2]
