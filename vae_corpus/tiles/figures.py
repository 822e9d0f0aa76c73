"""Tiles around figures, tables and formulas, so that a set share of a page's tiles shows them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vae_corpus.tiles import draws
from vae_corpus.tiles.arrays import WHY, Lists, Sizes, Tiles
from vae_corpus.tiles.compiled import EXACT, INNER
from vae_corpus.tiles.placing import Judged, as_judged, one_page
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
    boxes = [[box[side] for side in ("x0", "y0", "x1", "y1")] for box in row["page_regions"] or []]
    corners = np.array(boxes, np.float64).reshape(-1, 4).T
    before = Tiles(
        stops=np.array([len(judged)]),
        x=np.array([one.tile.x for one in judged], np.int64),
        y=np.array([one.tile.y for one in judged], np.int64),
        chars=np.array([one.tile.chars for one in judged], np.float64),
        why=np.array([WHY.index(one.slug) for one in judged], np.uint8),
    )
    tiles = add_figures(
        before,
        Sizes.of_one(row["width"], row["height"], *bucket),
        one_page(lines),
        Lists[np.float64].of_one(corners, np.float64, fields=4),
        figure_seeds(seed, [row["sha256"]]),
        share,
    )
    return as_judged(tiles, bucket)


def figure_seeds(seed: int, sha256: list[str]) -> NDArray[np.uint32]:
    """What the figures of pages are drawn from."""
    return draws.digests(seed, "figures", sha256)


def add_figures(
    tiles: Tiles,
    sizes: Sizes,
    lines: Lists[np.float32],
    regions: Lists[np.float64],
    seeds: NDArray[np.uint32],
    share: float,
) -> Tiles:
    """The tiles of many pages as `with_figures` has them of one.

    `lines` holds float32[5, K], `regions` float64[4, K]: left, top, right and bottom. Pages of
    which either is not known, or that have no region, stay as they are.
    """
    chances = draws.chances(seeds)
    kept = np.bincount(tiles.pages[tiles.why == 0], minlength=len(tiles.stops))
    # Where no tile is kept a second number is drawn.
    order = draws.orders(seeds, np.where(kept > 0, 1, 2), regions.counts)
    most = len(tiles.x) + int(regions.counts.sum())
    x, y, chars = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most)
    why, stops = np.empty(most, np.uint8), np.empty(len(tiles.stops), np.int64)
    end = _add(
        *(sizes.width, sizes.height, sizes.tile_width, sizes.tile_height),
        *(lines.starts, lines.stops, lines.values, regions.starts, regions.stops, regions.values),
        *(chances, order, float(share), tiles.stops, tiles.x, tiles.y, tiles.chars, tiles.why),
        *(stops, x, y, chars, why, np.empty((6, int(lines.counts.max(initial=0))))),
    )
    return Tiles(stops=stops, x=x[:end], y=y[:end], chars=chars[:end], why=why[:end])


@njit(**EXACT)
def _add(  # type: ignore[no-untyped-def]
    width, height, across, down, line_starts, line_stops, lines, starts, stops, regions, chances,
    order, share, old_ends, old_x, old_y, old_chars, old_why, ends, x, y, chars, why, room,
):  # fmt: skip
    """Write tiles, and where those of each page end; how many. `room` is scratch."""
    end = old_first = order_first = 0
    for n in range(len(ends)):
        first, kept, shown = end, 0, 0
        for old in range(old_first, old_ends[n]):
            x[end], y[end], chars[end], why[end] = (
                old_x[old],
                old_y[old],
                old_chars[old],
                old_why[old],
            )
            end += 1
            if old_why[old] == 0:
                kept += 1
                for region in range(starts[n], stops[n]):
                    if (
                        _covers(regions, region, old_x[old], old_y[old], across[n], down[n])
                        >= _SHOWS
                    ):
                        shown += 1
                        break
        old_first = old_ends[n]
        count = stops[n] - starts[n]
        if line_starts[n] >= 0 and across[n] > 0:
            missing = int((share * kept - shown) / (1 - share) + chances[n, 0])
            if kept == 0:
                missing = int(chances[n, 1] < share)
            for place in range(count):
                if missing <= 0:
                    break
                region = starts[n] + order[order_first + place]
                left, top, held = _around(
                    *(regions, region, width[n], height[n], across[n], down[n]),
                    *(lines, line_starts[n], line_stops[n], room),
                )
                if _covers(regions, region, left, top, across[n], down[n]) < _SHOWS:
                    continue
                if _overlaps(x, y, why, first, end, left, top, across[n], down[n]):
                    continue
                end = _insert(x, y, chars, why, first, end, left, top, held)
                missing -= 1
        order_first += count
        ends[n] = end
    return end


@njit(**INNER)
def _insert(x, y, chars, why, first, end, left, top, held):  # type: ignore[no-untyped-def]
    """Put a tile where it stands in order of reading, for one at the same place; the new end."""
    at = first
    while at < end and (y[at] < top or (y[at] == top and x[at] < left)):
        at += 1
    # It was one of the tiles without text enough, perhaps at the same place.
    if at == end or y[at] != top or x[at] != left:
        for other in range(end, at, -1):
            x[other], y[other] = x[other - 1], y[other - 1]
            chars[other], why[other] = chars[other - 1], why[other - 1]
        end += 1
    x[at], y[at], chars[at], why[at] = left, top, held, 0
    return end


@njit(**INNER)
def _covers(regions, region, x, y, across, down):  # type: ignore[no-untyped-def]
    """The part of a tile that a region covers."""
    wide = min(regions[2, region], x + across) - max(regions[0, region], x)
    high = min(regions[3, region], y + down) - max(regions[1, region], y)
    return max(0.0, wide) * max(0.0, high) / (across * down)


@njit(**INNER)
def _overlaps(x, y, why, first, end, left, top, across, down):  # type: ignore[no-untyped-def]
    """Whether too much of a tile is in one that is kept."""
    for at in range(first, end):
        if why[at] == 0:
            wide = max(0, across - abs(x[at] - left))
            if wide * max(0, down - abs(y[at] - top)) / (across * down) > _MOST_OVERLAP:
                return True
    return False


@njit(**INNER)
def _around(  # type: ignore[no-untyped-def]
    regions, region, width, height, across, down, lines, start, stop, room
):
    """The tile with the region in its middle, moved a little where it cuts fewer characters."""
    count = stop - start
    for k in range(5):
        for i in range(count):
            room[k, i] = lines[k, start + i]
    left = top = 0
    for axis in range(2):
        size, total = (down, height) if axis else (across, width)
        middle = (regions[axis, region] + regions[axis + 2, region]) / 2
        at = _place(middle, size, total, room[axis], room[axis + 2], room[4], count, room[5])
        near = 0
        for i in range(count):
            if room[axis + 2, i] > at and room[axis, i] < at + size:
                for k in range(5):
                    room[k, near] = room[k, i]
                near += 1
        count = near
        left, top = (left, at) if axis else (at, top)
    inside = 0
    for i in range(count):
        across_it = room[0, i] >= left and room[2, i] <= left + across
        if across_it and room[1, i] >= top and room[3, i] <= top + down:
            room[5, inside] = room[4, i]
            inside += 1
    return left, top, _sum(room[5], inside)


@njit(**INNER)
def _place(middle, size, total, start, stop, chars, count, room):  # type: ignore[no-untyped-def]
    """Of the wanted place and those near it the one that costs least, of equal ones the first."""
    wanted = min(max(int(np.rint(middle - size / 2)), 0), total - size)
    low, high = max(0, wanted - _SHIFT_PX), min(total - size, wanted + _SHIFT_PX)
    best, best_at = np.inf, wanted
    for step in range((high - low) // _STEP_PX + 2):
        at = wanted if step == 0 else low + (step - 1) * _STEP_PX
        cost = 0.0
        for edge in range(at, at + size + 1, size):
            cost += _cut(edge, total, start, stop, chars, count, room)
        cost += 1e-3 * abs(at - wanted)
        if cost < best or (cost == best and at < best_at):
            best, best_at = cost, at
    return best_at


@njit(**INNER)
def _cut(edge, total, start, stop, chars, count, room):  # type: ignore[no-untyped-def]
    """The characters of lines that an edge goes through; an edge of the image cuts nothing."""
    through = 0
    if 0 < edge < total:
        for i in range(count):
            if start[i] < edge and stop[i] > edge:
                room[through] = chars[i]
                through += 1
    return _sum(room, through)


@njit(**INNER)
def _sum(values, count):  # type: ignore[no-untyped-def]
    """In the order in which numpy adds: of more than 128 numbers first halves, then rests.

    Without recursion: numba 0.68 crashes when it loads a function that calls itself from a cache.
    """
    if count <= 128:
        return _short_sum(values, 0, count)
    rests, lefts = np.empty((2, 64), np.int64), np.empty(64)
    first = depth = 0
    while True:
        while count > 128:
            half = count // 2
            half -= half % 8
            # A count of 0 will say that the sum of the first half is known.
            rests[0, depth], rests[1, depth] = first + half, count - half
            depth, count = depth + 1, half
        total = _short_sum(values, first, count)
        while depth > 0 and rests[1, depth - 1] == 0:
            depth -= 1
            total = lefts[depth] + total
        if depth == 0:
            return total
        first, count = rests[0, depth - 1], rests[1, depth - 1]
        lefts[depth - 1], rests[1, depth - 1] = total, 0


@njit(**INNER)
def _short_sum(values, first, count):  # type: ignore[no-untyped-def]
    """Eight sums side by side, and what is left."""
    whole, total = count - count % 8, 0.0
    if whole:
        a, b, c, d = values[first], values[first + 1], values[first + 2], values[first + 3]
        e, f, g, h = values[first + 4], values[first + 5], values[first + 6], values[first + 7]
        for i in range(first + 8, first + whole, 8):
            a, b, c, d = a + values[i], b + values[i + 1], c + values[i + 2], d + values[i + 3]
            e, f = e + values[i + 4], f + values[i + 5]
            g, h = g + values[i + 6], h + values[i + 7]
        total = ((a + b) + (c + d)) + ((e + f) + (g + h))
    for i in range(first + whole, first + count):
        total += values[i]
    return total
