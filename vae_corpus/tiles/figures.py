"""Tiles around figures, tables and formulas, so that a set share of a page's tiles shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vae_corpus.seeds import generator
from vae_corpus.tiles.placing import Judged, Tile
from vae_corpus.words import Bucket

# A tile shows a region that covers this share of it.
_SHOWS = 0.25
# So far a tile is moved to cut fewer words, and so much of it may be in another tile.
_SHIFT_PX, _STEP_PX, _MOST_OVERLAP = 32, 4, 0.5


def with_figures(
    judged: Sequence[Judged],
    row: dict[str, Any],
    bucket: Bucket,
    lines: NDArray[np.float32],
    share: float,
    seed: int,
) -> list[Judged]:
    """`judged` and tiles around regions of the page, as many as make up `share` of what is kept.

    `row` has sha256, width, height and page_regions; `lines` is float32[N, 5] as for `judge_tiles`.
    Where chance has to decide it is drawn from the hash of the page, and so are the regions.
    """
    kept = [one.tile for one in judged if one.slug is None]
    regions = row["page_regions"] or []
    shown = sum(any(_covers(region, tile) >= _SHOWS for region in regions) for tile in kept)
    rng = generator(seed, "figures", row["sha256"])
    missing = int((share * len(kept) - shown) / (1 - share) + rng.random())
    if not kept:
        missing = int(rng.random() < share)
    found = list(judged)
    for place in rng.permutation(len(regions)).tolist():
        if missing <= 0:
            break
        tile = _around(regions[place], row["width"], row["height"], bucket, lines)
        covers = _covers(regions[place], tile)
        if covers >= _SHOWS and all(_overlap(tile, one) <= _MOST_OVERLAP for one in kept):
            kept.append(tile)
            # It was one of the tiles without text enough, perhaps at the same place.
            found = [one for one in found if one.tile[:4] != tile[:4]]
            found.append(Judged(tile, None))
            missing -= 1
    return sorted(found, key=lambda one: (one.tile.y, one.tile.x))


def _around(
    region: dict[str, Any], width: int, height: int, bucket: Bucket, lines: NDArray[np.float32]
) -> Tile:
    """The tile with the region in its middle, moved a little where it cuts fewer characters."""
    x0, y0, x1, y1, chars = np.asarray(lines, np.float64).reshape(-1, 5).T
    x = _place((region["x0"] + region["x1"]) / 2, bucket.width, width, x0, x1, chars)
    near = (x1 > x) & (x0 < x + bucket.width)
    middle = (region["y0"] + region["y1"]) / 2
    y = _place(middle, bucket.height, height, y0[near], y1[near], chars[near])
    inside = (x0 >= x) & (x1 <= x + bucket.width) & (y0 >= y) & (y1 <= y + bucket.height)
    return Tile(x, y, bucket.width, bucket.height, float(chars[inside].sum()))


def _place(
    middle: float,
    size: int,
    total: int,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    chars: NDArray[np.float64],
) -> int:
    wanted = min(max(round(middle - size / 2), 0), total - size)
    low, high = max(0, wanted - _SHIFT_PX), min(total - size, wanted + _SHIFT_PX)
    places = np.unique([*range(low, high + 1, _STEP_PX), wanted])

    def cut(edge: int) -> float:
        through = (start < edge) & (stop > edge)
        return float(chars[through].sum()) if 0 < edge < total else 0.0

    costs = [cut(at) + cut(at + size) + 1e-3 * abs(at - wanted) for at in places.tolist()]
    return int(places[int(np.argmin(costs))])


def _covers(region: dict[str, Any], tile: Tile) -> float:
    """The part of a tile that a region covers."""
    across = min(region["x1"], tile.x + tile.width) - max(region["x0"], tile.x)
    down = min(region["y1"], tile.y + tile.height) - max(region["y0"], tile.y)
    return float(max(0, across) * max(0, down) / (tile.width * tile.height))


def _overlap(one: Tile, other: Tile) -> float:
    across = min(one.x, other.x) + one.width - max(one.x, other.x)
    down = min(one.y, other.y) + one.height - max(one.y, other.y)
    return max(0, across) * max(0, down) / (one.width * one.height)
