"""Tiles around figures: a set share of a page's tiles, where they show most and cut least."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from vae_corpus.tiles import Judged, Tile, judge_tiles, with_figures
from vae_corpus.words import Bucket

SQUARE = Bucket(256, 256)
WIDTH, HEIGHT = 900, 2400
Box = tuple[int, int, int, int]


def row(name: str, *regions: Box, width: int = WIDTH, height: int = HEIGHT) -> dict[str, Any]:
    sides = ("x0", "y0", "x1", "y1")
    told = [dict(zip(sides, region, strict=True)) for region in regions]
    return {"sha256": name, "width": width, "height": height, "page_regions": told}


def text(*boxes: Box) -> np.ndarray:
    """Lines of words all over the page but in the boxes, float32[N, 5]."""
    words = [
        (x, y, x + 60, y + 11, 9)
        for y in range(20, HEIGHT - 20, 18)
        for x in range(20, WIDTH - 70, 70)
        if not any(x < b[2] and x + 60 > b[0] and y < b[3] and y + 11 > b[1] for b in boxes)
    ]
    return np.array(words, np.float32).reshape(-1, 5)


def judged(lines: np.ndarray, width: int = WIDTH, height: int = HEIGHT) -> list[Judged]:
    return judge_tiles(width, height, SQUARE, lines, min_chars_per_256=20, max_tiles=64)


def kept(found: list[Judged]) -> list[Tile]:
    return [one.tile for one in found if one.slug is None]


def covered(box: Box, tile: Tile) -> float:
    across = min(box[2], tile.x + tile.width) - max(box[0], tile.x)
    down = min(box[3], tile.y + tile.height) - max(box[1], tile.y)
    return max(0, across) * max(0, down) / (tile.width * tile.height)


def overlap(one: Tile, other: Tile) -> float:
    return covered((one.x, one.y, one.x + one.width, one.y + one.height), other)


# As wide as the page, so that tiles of text pass them by.
FIGURES: tuple[Box, ...] = (
    *((20, 700, 440, 1050), (460, 700, 880, 1050)),
    *((20, 2000, 440, 2390), (460, 2000, 880, 2390)),
)


@pytest.mark.parametrize("share", [0.0, 0.17, 0.2])
def test_a_share_of_the_tiles_of_many_pages_shows_figures(share: float) -> None:
    lines = text(*FIGURES)
    before = judged(lines)
    shows = total = 0
    for n in range(300):
        tiles = kept(with_figures(before, row(f"{n}", *FIGURES), SQUARE, lines, share, 0))
        shows += sum(any(covered(box, tile) >= 0.25 for box in FIGURES) for tile in tiles)
        total += len(tiles)
    already = sum(
        any(covered(box, tile) >= 0.25 for box in FIGURES) for tile in kept(before)
    ) / len(kept(before))
    assert shows / total == pytest.approx(max(share, already), abs=0.02)


def test_tiles_of_figures_are_in_the_page_and_show_them() -> None:
    for n in range(200):
        rng = np.random.default_rng(n)
        boxes = []
        for _ in range(int(rng.integers(1, 5))):
            x0, y0 = int(rng.integers(0, WIDTH - 20)), int(rng.integers(0, HEIGHT - 20))
            x1 = min(WIDTH, x0 + int(rng.integers(10, 500)))
            boxes.append((x0, y0, x1, min(HEIGHT, y0 + int(rng.integers(10, 500)))))
        lines = text(*boxes)
        before = judged(lines)
        after = with_figures(before, row(f"{n}", *boxes), SQUARE, lines, 0.6, 0)
        more = [tile for tile in kept(after) if tile not in kept(before)]
        for tile in more:
            assert 0 <= tile.x <= WIDTH - 256 and 0 <= tile.y <= HEIGHT - 256
            assert max(covered(box, tile) for box in boxes) >= 0.25
            assert all(overlap(tile, one) <= 0.5 for one in kept(after) if one is not tile)
        # Nothing that was kept goes, and no place is told twice.
        assert set(kept(before)) <= set(kept(after))
        assert len({one.tile[:4] for one in after}) == len(after)
        places = [(one.tile.y, one.tile.x) for one in after]
        assert places == sorted(places)


def test_the_same_page_has_the_same_tiles_and_another_others() -> None:
    lines = text(*FIGURES)
    before = judged(lines)

    def tiles(name: str, seed: int = 0) -> list[Judged]:
        return with_figures(before, row(name, *FIGURES), SQUARE, lines, 0.2, seed)

    assert all(tiles(f"{n}") == tiles(f"{n}") for n in range(20))
    assert len({tuple(tiles(f"{n}")) for n in range(20)}) > 1
    assert any(tiles(f"{n}") != tiles(f"{n}", seed=1) for n in range(20))


@pytest.mark.parametrize("share", [0.1, 0.5])
def test_of_pages_that_are_one_figure_the_share_is_kept(share: float) -> None:
    none = np.zeros((0, 5), np.float32)
    count = sum(
        len(kept(with_figures([], row(f"{n}", (0, 0, 600, 600)), SQUARE, none, share, 0)))
        for n in range(600)
    )
    assert count / 600 == pytest.approx(share, abs=0.06)


@pytest.mark.parametrize("regions", [(), ((100, 100, 200, 140),)], ids=["none", "small"])
def test_pages_without_figures_to_show_stay_as_they_are(regions: tuple[Box, ...]) -> None:
    lines = text(*regions)
    before = judged(lines)
    for n in range(30):
        assert with_figures(before, row(f"{n}", *regions), SQUARE, lines, 0.9, 0) == before


def test_no_share_adds_nothing() -> None:
    lines = text(*FIGURES)
    before = judged(lines)
    for n in range(30):
        assert with_figures(before, row(f"{n}", *FIGURES), SQUARE, lines, 0, 0) == before


def test_a_tile_moves_to_cut_fewer_words() -> None:
    figure = (300, 400, 560, 660)
    # The tile would lie from 302 to 558 and 402 to 658. A tall title stands at its edge.
    title = np.array([(250, 390, 600, 412, 40)], np.float32)
    (plain,) = kept(
        with_figures([], row("a", figure), SQUARE, np.zeros((0, 5), np.float32), 0.9, 3)
    )
    (moved,) = kept(with_figures([], row("a", figure), SQUARE, title, 0.9, 3))
    assert (plain.x, plain.y) == (302, 402)
    assert moved.y >= 412 or moved.y <= 390
    assert abs(moved.x - plain.x) <= 32 and abs(moved.y - plain.y) <= 32


def test_a_page_as_large_as_the_tile_has_one_place() -> None:
    lines = np.array([(10, 10, 100, 20, 5)], np.float32)
    told = row("a", (0, 0, 256, 256), width=256, height=256)
    (tile,) = kept(with_figures([], told, SQUARE, lines, 0.9, 3))
    assert tile == Tile(0, 0, 256, 256, 5.0)


def test_a_place_without_text_enough_becomes_the_tile_of_its_figure() -> None:
    few = [Judged(Tile(302, 402, 256, 256, 3.0), "few_chars")]
    none = np.zeros((0, 5), np.float32)
    (one,) = with_figures(few, row("a", (300, 400, 560, 660)), SQUARE, none, 0.9, 3)
    assert one == Judged(Tile(302, 402, 256, 256, 0.0), None)
