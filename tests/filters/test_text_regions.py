from __future__ import annotations

import numpy as np
import pytest

from filters.text_density import regions


def squares(*places: tuple[int, int]) -> np.ndarray:
    found = np.zeros((64, 64), bool)
    for row, column in places:
        found[row, column] = True
    return found


def test_each_group_of_squares_has_a_box_with_a_margin() -> None:
    found = regions.around(squares((10, 10), (10, 11), (40, 50)), 512, 0, (2000, 2000))
    assert found == [(576, 64, 624, 104), (896, 304, 936, 344)]


def test_boxes_end_with_the_picture() -> None:
    assert regions.around(squares((0, 0)), 0, 0, (20, 18)) == [(0, 0, 20, 18)]


def test_boxes_that_overlap_become_one_and_so_do_those_that_this_one_meets() -> None:
    near = squares((10, 10), (10, 14))
    assert regions.around(near, 0, 0, (512, 512)) == [(64, 64, 136, 104)]
    chain = squares((10, 10), (14, 12), (10, 15), (30, 40))
    found = regions.around(chain, 0, 0, (512, 512))
    assert len(found) == 2
    rng = np.random.default_rng(0)
    for share in (0.002, 0.01, 0.05):
        drawn = rng.random((64, 64)) < share
        boxes = regions.around(drawn, 0, 0, (512, 512))
        for n, one in enumerate(boxes):
            assert not any(regions._overlap(one, other) for other in boxes[n + 1 :])
        for row, column in np.argwhere(drawn):
            x, y = column * 8, row * 8
            assert any(b[0] <= x and x + 8 <= b[2] and b[1] <= y <= b[3] for b in boxes)


def line(x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return np.array([[[x0, y0], [x1, y0], [x1, y1], [x0, y1]]], np.float32)


@pytest.mark.parametrize("start", ((0, 0), (100, 60), (64, 32)))
def test_only_squares_that_no_line_covers_are_left(start: tuple[int, int]) -> None:
    wanted = squares(*((20, column) for column in range(20, 40)))
    size = (400, 400)
    none = np.zeros((0, 4, 2), np.float32)
    box = regions.uncovered(wanted, none, start, size)
    assert box is not None
    assert box[0] <= 160 and box[2] >= 320 and box[1] <= 160 and box[3] >= 168
    assert regions.uncovered(wanted, line(158, 158, 322, 170), start, size) is None
    half = regions.uncovered(wanted, line(158, 158, 240, 170), start, size)
    assert half is not None and half[0] > 190
