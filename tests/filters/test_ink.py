from __future__ import annotations

import numpy as np

from filters.ink import ink_cells


def test_a_cell_tells_how_far_its_pixels_differ() -> None:
    page = np.full((70, 100, 3), 250, np.uint8)
    page[40, 70] = (250, 240, 50)
    page[69, 99] = 249
    assert ink_cells(page)["ink_cells"] == [0] * 6 + [200, 0] + [0] * 3 + [1]


def test_colours_of_one_grey_are_ink() -> None:
    page = np.full((32, 32, 3), (0, 100, 0), np.uint8)
    page[:, 16:] = (196, 0, 0)
    assert ink_cells(page)["ink_cells"] == [196]
