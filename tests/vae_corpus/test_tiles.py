from __future__ import annotations

import numpy as np
import pytest

from vae_corpus.tiles import Judged, Tile, draw_bucket, judge_tiles
from vae_corpus.tiles.strips import place_strips
from vae_corpus.words import Bucket

SQUARE = Bucket(256, 256)
Line = tuple[float, float, float, float, float]


def judged(
    width: int, height: int, lines: list[Line] | None, bucket: Bucket = SQUARE, most: int = 99
) -> list[Judged]:
    table = None if lines is None else np.array(lines, np.float32)
    return judge_tiles(width, height, bucket, table, min_chars_per_256=10, max_tiles=most)


def tiles(
    width: int, height: int, lines: list[Line], bucket: Bucket = SQUARE, most: int = 99
) -> list[Tile]:
    return [tile for tile, slug in judged(width, height, lines, bucket, most) if slug is None]


def page(width: int, height: int, pitch: int = 17, ink: int = 11, chars: float = 90) -> list[Line]:
    """Lines of text all over a page, `pitch` px apart and `ink` px high."""
    return [(8, y, width - 8, y + ink, chars) for y in range(9, height - ink, pitch)]


def test_a_lone_block_gets_one_tile_and_stands_in_its_middle() -> None:
    (tile,) = tiles(2000, 1500, [(900, 700, 1010, 716, 20), (900, 720, 990, 736, 16)])
    assert tile.chars == pytest.approx(36)
    assert abs(tile.x + 128 - 955) < 20 and abs(tile.y + 128 - 718) < 20


def test_only_tiles_with_text_are_cut() -> None:
    few = [(100.0, 100.0, 180.0, 112.0, 9.0)]
    found = judged(768, 512, few)
    assert [slug for _, slug in found] == ["few_chars"]
    assert judged(768, 512, []) == []


def test_level_edges_stay_between_the_lines_of_a_page() -> None:
    lines = page(800, 1600)
    found = tiles(800, 1600, lines)
    assert len(found) >= 3 * 5
    for tile in found:
        for edge in (tile.y, tile.y + 256):
            cut = [line for line in lines if line[1] < edge < line[3]]
            assert not cut or edge in (0, 1600)


def test_no_line_of_a_page_is_in_no_tile() -> None:
    lines = page(600, 1500)
    found = tiles(600, 1500, lines)
    for _, y0, _, y1, _ in lines:
        assert any(tile.y <= y0 and y1 <= tile.y + 256 for tile in found)


def test_upright_edges_stay_between_columns() -> None:
    lefts = (20, 270, 520)
    columns = [(x, y, x + 224, y + 11, 30.0) for x in lefts for y in range(9, 480, 17)]
    found = tiles(764, 500, columns)
    assert {round(tile.x / 250) for tile in found} == {0, 1, 2}
    for tile in found:
        for edge in (tile.x, tile.x + 256):
            assert not any(x + 1 < edge < x + 223 for x in lefts)


def test_a_column_of_text_is_cut_across_and_not_along() -> None:
    columns = [(x, 10.0, x + 20.0, 700.0, 34.0) for x in range(20, 500, 30)]
    found = tiles(520, 720, columns)
    assert len({tile.y for tile in found}) >= 2
    for tile in found:
        for edge in (tile.x, tile.x + 256):
            assert not any(x < edge < x + 20 for x, *_ in columns)


def test_the_densest_stay_when_there_are_too_many() -> None:
    chars = (20, 50, 30, 40)
    lines = [(256.0 * n + 60, 100, 256.0 * n + 190, 120, c) for n, c in enumerate(chars)]
    found = tiles(1024, 256, lines, most=2)
    assert [round(tile.chars) for tile in found] == [50, 40]


def test_a_large_tile_must_have_as_many_characters_per_area() -> None:
    block = [(100.0, 100.0, 300.0, 120.0, 44.0)]
    assert len(tiles(512, 512, block, Bucket(512, 512))) == 1
    assert tiles(512, 512, [(100.0, 100.0, 300.0, 120.0, 36.0)], Bucket(512, 512)) == []


def test_a_tile_counts_the_share_of_a_line_that_lies_in_it() -> None:
    (tile, _) = tiles(512, 256, [(0, 100, 512, 116, 100)])
    assert tile.chars == pytest.approx(50)


def test_without_lines_tiles_stand_side_by_side() -> None:
    found = [(tile.x, tile.y) for tile, _ in judged(256 + 128, 256, None)]
    assert found == [(0, 0), (128, 0)]
    assert [tile.x for tile, _ in judged(256 + 127, 256, None)] == [0]


def test_the_bucket_depends_on_the_image_and_fits() -> None:
    drawn = {draw_bucket(0, f"{n:064x}", 300, 260, 256) for n in range(200)}
    assert drawn == {Bucket(256, 256), Bucket(288, 224)}
    assert draw_bucket(0, "ab", 300, 260, 256) == draw_bucket(0, "ab", 300, 260, 256)
    assert draw_bucket(0, "ab", 200, 200, 256) is None


def inked(width: int, height: int, cell: tuple[int, int]) -> tuple[list[tuple[int, int]], int]:
    """Left edges of chosen tiles, and how many are blank, where ink is in one 32 px cell only."""
    ink = np.zeros((-(-height // 32), -(-width // 32)), bool)
    ink[cell] = True
    found = judge_tiles(
        width, height, SQUARE, None, min_chars_per_256=10, max_tiles=1, inked=ink.ravel()
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


def worth(
    places: list[int], size: int, total: int, start: np.ndarray, stop: np.ndarray, chars: np.ndarray
) -> float:
    """Characters in strips, each once, less those of the lines that an edge goes through."""
    held = np.zeros(total)
    for place in places:
        held[place : place + size] = 1
    sums = sum(c * held[a:b].mean() for a, b, c in zip(start, stop, chars, strict=True))
    edges = [e for p in places for e in (p, p + size) if 0 < e < total]
    return float(sums - sum(chars[(start < e) & (e < stop)].sum() for e in edges))


@pytest.mark.parametrize("seed", range(5))
def test_strips_are_worth_more_than_any_random_ones(seed: int) -> None:
    rng = np.random.default_rng(seed)
    total, size = 300, 64
    start = np.sort(rng.integers(0, 280, 14))
    stop = start + rng.integers(6, 20, 14)
    chars = rng.uniform(5, 60, 14)
    found = place_strips(
        total, size, start.astype(float), stop.astype(float), chars, chars
    ).tolist()
    ours = worth(found, size, total, start, stop, chars)
    for _ in range(300):
        count = int(rng.integers(1, 5))
        other = np.sort(rng.integers(0, total - size + 1, count)).tolist()
        if all(b - a >= size for a, b in zip(other, other[1:], strict=False)):
            # Nearness, middles and overlaps weigh a little as well.
            assert worth(other, size, total, start, stop, chars) <= ours + 0.1 * chars.sum()
