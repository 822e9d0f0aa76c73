from __future__ import annotations

import numpy as np
import pytest

from filters.clarity import model
from filters.training import degrade
from tests.pictures import scene


@pytest.mark.parametrize("kind", sorted(degrade.KINDS))
def test_damage_is_visible_and_the_generator_decides_it(kind: str) -> None:
    rgb = scene(160, 120)
    apply = degrade.KINDS[kind].apply
    one, same, other = (apply(rgb, np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one.dtype == np.uint8 and one.shape[2] == 3
    np.testing.assert_array_equal(one, same)
    assert one.shape != other.shape or (one != other).any()
    if one.shape == rgb.shape:
        assert np.abs(one.astype(int) - rgb).mean() > 0.5


def test_every_detector_has_its_damage() -> None:
    assert {d for kind in degrade.KINDS.values() for d in kind.found_by} == set(model.DETECTORS)


def test_harmless_changes_are_small() -> None:
    # Grey, because most good pictures are saved with half the resolution of colour.
    rgb = np.repeat(scene(160, 120)[:, :, :1], 3, axis=2)
    for seed in range(12):
        changed = degrade.harmless(rgb, np.random.default_rng(seed))
        assert np.abs(changed.astype(int) - rgb).mean() < 3
