"""Which tiles to cut out of an image of text: those where the characters are.

Text is never shrunk until it cannot be read, so pages and text-rich pictures are cut at native
resolution into tiles of one bucket's size. The score row carries the estimated characters in
each cell of a 256 px grid; a tile's count is the share of the cells that it covers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from filters.ink import CELL_PX as INK_PX
from vae_corpus.seeds import generator
from vae_corpus.words import Bucket, buckets

CELL_PX = 256


class Tile(NamedTuple):
    """A rectangle in px of the upright image and the characters estimated in it."""

    x: int
    y: int
    width: int
    height: int
    chars: float


class Judged(NamedTuple):
    """A tile that could be cut, and why it is not: few_chars, blank, too_many; None: it is."""

    tile: Tile
    slug: str | None


def draw_bucket(seed: int, sha256: str, width: int, height: int, rung: int) -> Bucket | None:
    """One of the rung's buckets that fit into the image, drawn from its hash; None if none fits.

    Tiles are free to take any shape, so they supply the mixed aspect ratios of all groups.
    """
    fitting = [b for b in buckets(rung) if b.width <= width and b.height <= height]
    if not fitting:
        return None
    return fitting[int(generator(seed, "bucket", sha256).integers(len(fitting)))]


def judge_tiles(
    width: int,
    height: int,
    bucket: Bucket,
    cells: NDArray[np.float32],
    *,
    min_chars_per_256: float,
    max_tiles: int,
    inked: NDArray[np.bool_] | None = None,
) -> list[Judged]:
    """Every tile of `bucket`'s size in reading order, with the reason of each left-out one.

    Tiles stand side by side from the top left; the last of a row or column is moved back to the
    edge when at least half of it is new. `cells` is float32[ceil(H/256) * ceil(W/256)], row-major.
    When there are too many, those with most characters stay. `inked` is bool[ceil(H/32) *
    ceil(W/32)]: a tile without any such cell wholly inside is blank, whatever the coarser cells
    of characters say. None: nothing is known of ink.
    """
    rows, columns = -(-height // CELL_PX), -(-width // CELL_PX)
    grid = np.asarray(cells, np.float32).reshape(rows, columns)
    floor = min_chars_per_256 * bucket.width * bucket.height / CELL_PX**2
    tiles = [
        Tile(x, y, bucket.width, bucket.height, _chars(grid, x, y, bucket, width, height))
        for y in _starts(height, bucket.height)
        for x in _starts(width, bucket.width)
    ]
    slugs: dict[Tile, str] = {tile: "few_chars" for tile in tiles if tile.chars < floor}
    if inked is not None:
        ink = inked.reshape(-(-height // INK_PX), -(-width // INK_PX))
        for tile in tiles:
            if tile not in slugs and not _has_ink(ink, tile, width, height):
                slugs[tile] = "blank"
    printed = [tile for tile in tiles if tile not in slugs]
    densest = sorted(printed, key=lambda tile: -tile.chars)
    slugs |= dict.fromkeys(densest[max_tiles:], "too_many")
    return [Judged(tile, slugs.get(tile)) for tile in tiles]


def _has_ink(ink: NDArray[np.bool_], tile: Tile, width: int, height: int) -> bool:
    down = _inside(tile.y, tile.height, height)
    across = _inside(tile.x, tile.width, width)
    return bool(ink[down, across].any())


def _inside(start: int, size: int, total: int) -> slice:
    """The cells of ink that lie wholly in a tile; the last one ends with the image."""
    stop = start + size
    return slice(-(-start // INK_PX), -(-stop // INK_PX) if stop == total else stop // INK_PX)


def _starts(total: int, size: int) -> list[int]:
    starts = list(range(0, total - size + 1, size))
    rest = total - (starts[-1] + size)
    if rest >= size // 2:
        starts.append(total - size)
    return starts


def _chars(grid: NDArray[Any], x: int, y: int, bucket: Bucket, width: int, height: int) -> float:
    # Cells at the right and bottom edge are cut off by the image: their characters lie in what
    # is left of them.
    across = _overlap(x, bucket.width, width, grid.shape[1])
    down = _overlap(y, bucket.height, height, grid.shape[0])
    return float(down @ grid @ across)


def _overlap(start: int, size: int, total: int, count: int) -> NDArray[np.float64]:
    low = np.arange(count) * CELL_PX
    high = np.minimum(low + CELL_PX, total)
    covered = np.minimum(high, start + size) - np.maximum(low, start)
    share: NDArray[np.float64] = np.clip(covered, 0, None) / (high - low)
    return share
