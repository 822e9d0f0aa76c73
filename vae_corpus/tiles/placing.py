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

from vae_corpus.tiles import draws
from vae_corpus.tiles.arrays import WHY, Lists, Sizes, Tiles
from vae_corpus.tiles.strips import INK_PX, place_tiles
from vae_corpus.words import Bucket, buckets


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
    seeds = bucket_seeds(seed, [sha256])
    (place,) = draw_buckets(seeds, np.array([width]), np.array([height]), rung)
    return buckets(rung)[place] if place >= 0 else None


def bucket_seeds(seed: int, sha256: list[str]) -> NDArray[np.uint32]:
    """What the buckets of images are drawn from, at any rung."""
    return draws.digests(seed, "bucket", sha256)


def draw_buckets(
    seeds: NDArray[np.uint32], width: NDArray[np.int64], height: NDArray[np.int64], rung: int
) -> NDArray[np.int64]:
    """Of many images the place of the drawn bucket in `buckets(rung)`; -1 if none fits."""
    wide, high = np.array(buckets(rung)).T
    fits = (wide <= width[:, None]) & (high <= height[:, None])
    numbers = fits.cumsum(axis=1)
    drawn = draws.integers(seeds, numbers[:, -1].copy())
    found = ((numbers == drawn[:, None] + 1) & fits).argmax(axis=1)
    return np.where(drawn >= 0, found, -1)


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
    cells = -(-height // INK_PX) * -(-width // INK_PX)
    if inked is not None and inked.size != cells:
        raise ValueError(f"{width} x {height} px have {cells} cells of ink; got {inked.size}")
    tiles = place_tiles(
        Sizes.of_one(width, height, *bucket),
        one_page(lines),
        Lists[np.bool_].of_one(None if inked is None else inked.ravel(), np.bool_),
        min_chars_per_256=min_chars_per_256,
        max_tiles=max_tiles,
    )
    return as_judged(tiles, bucket)


def one_page(lines: NDArray[np.float32] | None) -> Lists[np.float32]:
    """float32[N, 5] of one page, as loops take it."""
    table = None if lines is None else np.asarray(lines, np.float32).reshape(-1, 5).T
    return Lists[np.float32].of_one(table, np.float32, fields=5)


def as_judged(tiles: Tiles, bucket: Bucket) -> list[Judged]:
    """The tiles of one page as objects."""
    columns = (tiles.x, tiles.y, tiles.chars, tiles.why)
    return [
        Judged(Tile(x, y, bucket.width, bucket.height, chars), WHY[why])
        for x, y, chars, why in zip(*(column.tolist() for column in columns), strict=True)
    ]
