"""Which tiles to cut out of an image of text: those where the characters are, between the lines.

Text is never shrunk until it cannot be read, so pages and text-rich pictures are cut at native
resolution into tiles of one bucket's size. The score row carries the lines of text that were found.
Tiles stand in rows: first the rows are laid where their edges cut the fewest characters, then the
tiles of each row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vae_corpus.seeds import generator
from vae_corpus.tiles.strips import place_strips
from vae_corpus.words import Bucket, buckets

# Densities are told as characters in a square of this side.
CELL_PX = 256
# Ink is told for squares of this side.
INK_PX = 32
# What an edge through a line costs, in characters.
_CUT_CHARS = 1.5


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
    lines: NDArray[np.float32] | None,
    *,
    min_chars_per_256: float,
    max_tiles: int,
    inked: NDArray[np.bool_] | None = None,
) -> list[Judged]:
    """Tiles of `bucket`'s size in reading order, with the reason of each left-out one.

    `lines` is float32[N, 5]: left, top, right and bottom of each line in px, and its characters.
    Tiles lie where they hold most characters and their edges cut fewest; where two overlap, at
    least half of the second is new, and what both hold speaks for one of them alone. None: nothing
    is known of lines, and tiles stand side by side. When there are too many, those with most
    characters stay. `inked` is bool[ceil(H/32) * ceil(W/32)]: a tile without any such cell wholly
    inside is blank. None: nothing is known of ink.
    """
    if lines is None:
        tiles = [
            Tile(x, y, bucket.width, bucket.height, float("inf"))
            for y in _side_by_side(height, bucket.height)
            for x in _side_by_side(width, bucket.width)
        ]
    else:
        tiles = _among_lines(width, height, bucket, np.asarray(lines, np.float64).reshape(-1, 5))
    floor = min_chars_per_256 * bucket.width * bucket.height / CELL_PX**2
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


def _among_lines(width: int, height: int, bucket: Bucket, lines: NDArray[np.float64]) -> list[Tile]:
    x0, y0, x1, y1, chars = lines.T
    across, down = x1 - x0, y1 - y0
    tiles = []
    # An edge along a line cuts all of its letters, one through it a letter or a word.
    along = np.where((across >= down) & (down < bucket.height), chars, 0)
    for y in place_strips(height, bucket.height, y0, y1, chars, np.maximum(along, _one(chars))):
        share = _covered(y0, y1, y, bucket.height)
        seen = share > 0
        part = chars[seen] * share[seen]
        along = np.where((down > across) & (across < bucket.width), chars, 0)[seen]
        cut = np.maximum(along, _one(part))
        for x in place_strips(width, bucket.width, x0[seen], x1[seen], part, cut):
            inside = _covered(x0[seen], x1[seen], x, bucket.width)
            count = float((part * inside).sum())
            tiles.append(Tile(int(x), int(y), bucket.width, bucket.height, count))
    return tiles


def _one(chars: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.minimum(chars, _CUT_CHARS)


def _covered(
    start: NDArray[np.float64], stop: NDArray[np.float64], at: int, size: int
) -> NDArray[np.float64]:
    """How much of each span lies in [at, at + size), as a share of it."""
    inside = np.minimum(stop, at + size) - np.maximum(start, at)
    share: NDArray[np.float64] = np.clip(inside / np.maximum(stop - start, 1e-6), 0, 1)
    return share


def _has_ink(ink: NDArray[np.bool_], tile: Tile, width: int, height: int) -> bool:
    down = _inside(tile.y, tile.height, height)
    across = _inside(tile.x, tile.width, width)
    return bool(ink[down, across].any())


def _inside(start: int, size: int, total: int) -> slice:
    """The cells of ink that lie wholly in a tile; the last one ends with the image."""
    stop = start + size
    return slice(-(-start // INK_PX), -(-stop // INK_PX) if stop == total else stop // INK_PX)


def _side_by_side(total: int, size: int) -> list[int]:
    """Starts from 0 on; the last is moved back to the edge when at least half of it is new."""
    starts = list(range(0, total - size + 1, size))
    rest = total - (starts[-1] + size)
    if rest >= size // 2:
        starts.append(total - size)
    return starts
