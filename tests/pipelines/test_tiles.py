from __future__ import annotations

import numpy as np
import pytest

from pipelines.sample import Bucket
from pipelines.tiles import choose_tiles, draw_bucket

SQUARE = Bucket(256, 256)


def tiles(
    width: int, height: int, cells: list[float], bucket: Bucket = SQUARE, most: int = 99
) -> list[tuple[int, int]]:
    found = choose_tiles(
        width,
        height,
        bucket,
        np.array(cells, np.float32),
        min_chars_per_256=10,
        max_tiles=most,
    )
    return [(tile.x, tile.y) for tile in found]


def test_only_tiles_with_text_are_cut() -> None:
    assert tiles(768, 512, [50, 0, 9, 0, 11, 0]) == [(0, 0), (256, 256)]


def test_the_last_tile_moves_back_to_the_edge_when_half_of_it_is_new() -> None:
    assert tiles(256 + 128, 256, [50, 50]) == [(0, 0), (128, 0)]
    assert tiles(256 + 127, 256, [50, 50]) == [(0, 0)]


def test_the_densest_stay_when_there_are_too_many() -> None:
    assert tiles(1024, 256, [20, 50, 30, 40], most=2) == [(256, 0), (768, 0)]


def test_a_large_tile_counts_all_its_cells() -> None:
    # Four cells of 11 make 44, above the 4 x 10 that a tile of four cells must have.
    assert tiles(512, 512, [11] * 4, Bucket(512, 512)) == [(0, 0)]
    assert tiles(512, 512, [9] * 4, Bucket(512, 512)) == []


def test_a_tile_between_cells_counts_their_shares() -> None:
    (tile,) = choose_tiles(
        288,
        256,
        Bucket(288, 224),
        np.array([100, 40], np.float32),
        min_chars_per_256=1,
        max_tiles=9,
    )
    # 224 of 256 rows of both cells; the right cell is cut off at 32 px and holds all its 40.
    assert tile.chars == pytest.approx((100 + 40) * 224 / 256)


def test_the_bucket_depends_on_the_image_and_fits() -> None:
    drawn = {draw_bucket(0, f"{n:064x}", 300, 260, 256) for n in range(200)}
    assert drawn == {Bucket(256, 256), Bucket(288, 224)}
    assert draw_bucket(0, "ab", 300, 260, 256) == draw_bucket(0, "ab", 300, 260, 256)
    assert draw_bucket(0, "ab", 200, 200, 256) is None
