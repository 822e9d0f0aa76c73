from __future__ import annotations

import numpy as np
import pytest

from pipelines.planning.tiles import draw_bucket, judge_tiles
from vae_corpus.words import Bucket

SQUARE = Bucket(256, 256)


def tiles(
    width: int, height: int, cells: list[float], bucket: Bucket = SQUARE, most: int = 99
) -> list[tuple[int, int]]:
    found = judge_tiles(
        width,
        height,
        bucket,
        np.array(cells, np.float32),
        min_chars_per_256=10,
        max_tiles=most,
    )
    return [(tile.x, tile.y) for tile, slug in found if slug is None]


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
    ((tile, _),) = judge_tiles(
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


def inked(width: int, height: int, cell: tuple[int, int]) -> tuple[list[tuple[int, int]], int]:
    """Left edges of chosen tiles, and how many are blank, where ink is in one 32 px cell only."""
    ink = np.zeros((-(-height // 32), -(-width // 32)), bool)
    ink[cell] = True
    cells = np.full(-(-height // 256) * -(-width // 256), 100, np.float32)
    found = judge_tiles(
        width, height, SQUARE, cells, min_chars_per_256=10, max_tiles=1, inked=ink.ravel()
    )
    kept = [(tile.x, tile.y) for tile, slug in found if slug is None]
    return kept, sum(slug == "blank" for _, slug in found)


def test_blank_tiles_are_counted_and_take_no_place() -> None:
    assert inked(768, 256, (7, 16)) == ([(512, 0)], 2)
    assert inked(768, 256, (0, 7)) == ([(0, 0)], 2)


def test_a_tile_at_the_edge_sees_the_cut_off_cells_and_none_that_it_only_touches() -> None:
    # Tiles from 0 and from 144 = 4.5 cells; the last cell is cut off at 400 = 12.5 cells.
    assert inked(400, 256, (3, 12)) == ([(144, 0)], 1)
    assert inked(400, 256, (3, 4)) == ([(0, 0)], 1)
