from __future__ import annotations

import numpy as np
import pytest

from renderers.page.colour import contrast_ratio, local_luminance, luminance, text_colours, tints


def test_black_on_white_is_21_to_1() -> None:
    black, white = luminance(np.array([[0, 0, 0], [255, 255, 255]], dtype=np.uint8))
    assert contrast_ratio(black, white) == pytest.approx(21.0, abs=1e-4)


@pytest.mark.parametrize("dark_first", [True, False])
@pytest.mark.parametrize("saturation", [0.0, 1.0])
def test_the_wanted_contrast_is_reached_where_it_can_be(
    dark_first: bool, saturation: float
) -> None:
    rng = np.random.default_rng(3)
    ground, wanted = rng.uniform(0, 1, 500), rng.uniform(1.5, 4.5, 500)
    colours = text_colours(
        ground, np.zeros(500), wanted, tints(rng, 500, saturation=saturation), dark_first=dark_first
    )
    got = contrast_ratio(luminance(colours), ground)
    # Eight bits a channel: near black a step of one is up to 4 % of the ratio.
    assert (np.abs(got - wanted) / wanted).max() < 0.05


def test_what_cannot_be_reached_comes_as_black_or_white() -> None:
    ground = np.array([0.18, 0.5])
    colours = text_colours(ground, np.zeros(2), np.full(2, 20.0), np.ones((2, 3)), dark_first=True)
    assert set(colours.ravel().tolist()) <= {0, 255}


def test_busy_ground_gets_more_contrast() -> None:
    ground, wanted, tint = np.full(1, 0.5), np.full(1, 2.0), np.ones((1, 3))
    even = text_colours(ground, np.zeros(1), wanted, tint, dark_first=True)
    busy = text_colours(ground, np.full(1, 0.2), wanted, tint, dark_first=True)
    assert busy.max() < even.min()


def test_local_luminance_is_the_mean_and_spread_of_the_box() -> None:
    rgb = np.zeros((40, 60, 3), dtype=np.uint8)
    rgb[:, 30:] = 255
    boxes = np.array([[0, 0, 30, 40], [30, 4, 60, 9], [0, 0, 60, 40], [59, 39, 60, 40]])
    mean, spread = local_luminance(rgb, boxes.astype(np.int32))
    assert mean == pytest.approx([0, 1, 0.5, 1], abs=1e-5)
    assert spread == pytest.approx([0, 0, 0.5, 0], abs=1e-3)
