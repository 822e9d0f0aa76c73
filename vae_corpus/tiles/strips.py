"""Lay strips of one size along a side of an image, and tiles in them: the compiled loops."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from vae_corpus.tiles.arrays import Lists, Sizes, Tiles
from vae_corpus.tiles.compiled import EXACT, INNER

# What an edge through a line costs, in characters.
_CUT_CHARS = 1.5
# What an edge costs that comes near to a line, as a share of one that goes through it, and how much
# of a character is lost where characters stand aside by all of the size.
_NEAR_PX, _NEAR_SHARE, _ASIDE_COST = 3, 0.3, 0.05
# What a character in two strips costs: it counts once, and others would have been better.
_TWICE_COST = 1.3
# Of two places as good as each other, within this many characters, the first is taken.
_SAME = 1e-9
# Densities are told as characters in a square of this side.
CELL_PX = 256
# Ink is told for squares of this side.
INK_PX = 32


def place_strips(
    total: int,
    size: int,
    start: NDArray[np.float64],
    stop: NDArray[np.float64],
    chars: NDArray[np.float64],
    cut: NDArray[np.float64],
) -> NDArray[np.int64]:
    """Where strips of `size` px begin in a side of `total` px, in order; none where no text is.

    Each line lies from `start` to `stop` px, has `chars` characters, spread evenly, and costs `cut`
    where an edge of a strip goes through it (a part of it, where an edge comes within 3 px). The
    strips are those whose characters less costs are the most in all: found by dynamic programming
    over every px. Strips may overlap by up to half, but characters count in one of them only. What
    stands alone comes to the middle.
    """
    spans = np.stack([start, stop, chars, cut]).astype(np.float64)
    room, ways = np.empty((7, total + 1)), np.empty((3, total + 1), np.int64)
    found = np.empty(total + 1, np.int64)
    count = _place(total, size, spans, len(start), room, ways, found)
    return found[:count]


def place_tiles(
    sizes: Sizes,
    lines: Lists[np.float32],
    ink: Lists[np.bool_],
    *,
    min_chars_per_256: float,
    max_tiles: int,
) -> Tiles:
    """The tiles of many pages as `judge_tiles` has them of one.

    `lines` holds float32[5, K]: lefts, tops, rights, bottoms and characters. `ink` holds for each
    page bool[ceil(H/32) * ceil(W/32)].
    """
    # Strips overlap by half at most. What is not written takes no memory.
    across, down = sizes.tile_width, sizes.tile_height
    fits = across > 0
    wide = (sizes.width[fits] - across[fits]) // (across[fits] // 2) + 1
    high = (sizes.height[fits] - down[fits]) // (down[fits] // 2) + 1
    most = int((wide * high).sum())
    x, y, chars = np.empty(most, np.int64), np.empty(most, np.int64), np.empty(most)
    why, stops = np.empty(most, np.uint8), np.empty(len(across), np.int64)
    side = int(max(sizes.width.max(initial=0), sizes.height.max(initial=0)))
    longest = int(lines.counts.max(initial=0))
    end = _tiles(
        *(sizes.width, sizes.height, across, down, lines.starts, lines.stops, lines.values),
        *(ink.starts, ink.values, float(min_chars_per_256), max_tiles, stops, x, y, chars, why),
        *(np.empty((7, side + 1)), np.empty((13, longest)), np.empty((5, side + 1), np.int64)),
    )
    return Tiles(
        stops=stops,
        x=x[:end].copy(),
        y=y[:end].copy(),
        chars=chars[:end].copy(),
        why=why[:end].copy(),
    )


@njit(**EXACT)
def _tiles(  # type: ignore[no-untyped-def]
    width, height, across, down, starts, stops, lines, ink_starts, ink, least, most, ends, x, y,
    chars, why, room, spans, places,
):  # fmt: skip
    """Write tiles, and where those of each page end; how many. The last three are scratch."""
    end = 0
    for n in range(len(width)):
        first = end
        if across[n] > 0:
            count = stops[n] - starts[n]
            if starts[n] >= 0:
                for k in range(5):
                    for i in range(count):
                        spans[8 + k, i] = lines[k, starts[n] + i]
                end = _among_lines(
                    *(width[n], height[n], across[n], down[n], spans[8:], count, room),
                    *(spans[:4], spans[4:8], places[:3], places[3], places[4], x, y, chars, end),
                )
            else:
                end = _side_by_side(
                    *(width[n], height[n], across[n], down[n], places[3], places[4], x, y),
                    *(chars, end),
                )
            floor = least * across[n] * down[n] / CELL_PX**2
            kept = 0
            for at in range(first, end):
                why[at] = 0
                if chars[at] < floor:
                    why[at] = 1
                elif ink_starts[n] >= 0 and not _has_ink(
                    ink, ink_starts[n], x[at], y[at], across[n], down[n], width[n], height[n]
                ):
                    why[at] = 2
                else:
                    kept += 1
            if kept > most:
                _leave_out(chars, why, first, end, most)
        ends[n] = end
    return end


@njit(**INNER)
def _among_lines(  # type: ignore[no-untyped-def]
    width, height, across, down, lines, count, room, spans, seen, ways, rows, columns, x, y, chars,
    end,
):  # fmt: skip
    """Write the tiles of a page from `end` on; the new end."""
    for i in range(count):
        x0, y0, x1, y1, each = lines[0, i], lines[1, i], lines[2, i], lines[3, i], lines[4, i]
        # An edge along a line cuts all of its letters, one through it a letter or a word.
        along = each if x1 - x0 >= y1 - y0 and y1 - y0 < down else 0.0
        spans[0, i], spans[1, i], spans[2, i] = y0, y1, each
        spans[3, i] = max(along, min(each, _CUT_CHARS))
    for row in range(_place(height, down, spans, count, room, ways, rows)):
        top, inside = rows[row], 0
        for i in range(count):
            share = _covered(lines[1, i], lines[3, i], top, down)
            if share > 0:
                wide, high = lines[2, i] - lines[0, i], lines[3, i] - lines[1, i]
                part = lines[4, i] * share
                along = lines[4, i] if high > wide and wide < across else 0.0
                seen[0, inside], seen[1, inside], seen[2, inside] = lines[0, i], lines[2, i], part
                seen[3, inside] = max(along, min(part, _CUT_CHARS))
                inside += 1
        for column in range(_place(width, across, seen, inside, room, ways, columns)):
            left = columns[column]
            for i in range(inside):
                spans[0, i] = seen[2, i] * _covered(seen[0, i], seen[1, i], left, across)
            x[end], y[end], chars[end] = left, top, _sum(spans[0], inside)
            end += 1
    return end


@njit(**INNER)
def _covered(start, stop, at, size):  # type: ignore[no-untyped-def]
    """How much of a span lies in [at, at + size), as a share of it."""
    inside = min(stop, at + size) - max(start, at)
    return min(max(inside / max(stop - start, 1e-6), 0.0), 1.0)


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


@njit(**INNER)
def _side_by_side(  # type: ignore[no-untyped-def]
    width, height, across, down, rows, columns, x, y, chars, end
):
    for row in range(_starts(height, down, rows)):
        for column in range(_starts(width, across, columns)):
            x[end], y[end], chars[end] = columns[column], rows[row], np.inf
            end += 1
    return end


@njit(**INNER)
def _starts(total, size, found):  # type: ignore[no-untyped-def]
    """Starts from 0 on; the last is moved back to the edge when at least half of it is new."""
    count = total // size
    for n in range(count):
        found[n] = n * size
    if total - count * size >= size // 2:
        found[count] = total - size
        count += 1
    return count


@njit(**INNER)
def _has_ink(ink, first, x, y, across, down, width, height):  # type: ignore[no-untyped-def]
    """Whether a cell wholly inside a tile has ink; the last cell ends with the image."""
    columns, rows = -(-width // INK_PX), -(-height // INK_PX)
    right = columns if x + across == width else (x + across) // INK_PX
    bottom = rows if y + down == height else (y + down) // INK_PX
    for row in range(-(-y // INK_PX), bottom):
        for column in range(-(-x // INK_PX), right):
            if ink[first + row * columns + column]:
                return True
    return False


@njit(**INNER)
def _leave_out(chars, why, first, end, most):  # type: ignore[no-untyped-def]
    """When there are too many, those with most characters stay, of equal ones the first."""
    for at in range(first, end):
        before = 0
        for other in range(first, end):
            more = chars[other] > chars[at] or (chars[other] == chars[at] and other < at)
            # 3 was kept until now.
            before += more and (why[other] == 0 or why[other] == 3)
        if why[at] == 0 and before >= most:
            why[at] = 3


@njit(**EXACT)
def _place(total, size, spans, count, room, ways, found):  # type: ignore[no-untyped-def]
    """Write the starts of strips to `found`; how many. `spans` is start, stop, chars and cut."""
    before, cost, moment, gain = room[0], room[1], room[2], room[3]
    best, worth, rise = room[4], room[5], room[6]
    came, queue, close = ways[0], ways[1], ways[2]
    for px in range(total + 1):
        before[px] = cost[px] = 0.0
    # Characters before each px, and what an edge before it costs.
    for n in range(count):
        start = int(min(max(np.floor(spans[0, n]), 0.0), total))
        stop = int(min(max(np.ceil(spans[1, n]), 0.0), total))
        if stop <= start:
            continue
        each, cut = spans[2, n] / (stop - start), spans[3, n]
        # Slices, because of them the compiler knows that no place is counted from the end.
        held, through = before[start + 1 : stop + 1], cost[start + 1 : stop]
        for px in range(len(held)):
            held[px] += each
        for px in range(len(through)):
            through[px] += cut
        for away in range(_NEAR_PX):
            near = cut * _NEAR_SHARE * (1 - away / _NEAR_PX)
            cost[max(0, start - away)] += near
            cost[min(total, stop + away)] += near
    # The first moment tells where the characters of a strip have their middle.
    moment[0] = 0.0
    for px in range(1, total + 1):
        moment[px] = moment[px - 1] + before[px] * (px - 0.5)
        before[px] += before[px - 1]
    # An edge of the image cuts nothing that a strip could keep whole.
    cost[0], cost[total] = 0.0, 0.0
    places = total - size + 1
    high = 0.0
    for at in range(places):
        own = before[at + size] - before[at]
        aside = abs(moment[at + size] - moment[at] - own * (at + size / 2)) / size
        gain[at] = own - (cost[at] + cost[at + size] + _ASIDE_COST * aside)
        high = max(high, abs(gain[at]))
    # By so much at most the two ways to add up differ.
    slack = 1e-14 * (high + before[total])
    # The best of all strips that end where the next may begin.
    apart, apart_at = 0.0, -1
    # Those that may overlap with the next, as far as none after them is worth more.
    head = tail = 0
    for at in range(places):
        if at >= size and best[at - size] > apart:
            apart, apart_at = best[at - size], at - size
        value, from_at = apart + gain[at], apart_at
        first, last = max(0, at - size + 1), at - size // 2
        if last >= 0:
            close[last], rise[last] = -1, 0.0
            while tail > head and worth[queue[tail - 1]] < worth[last] - slack:
                tail -= 1
                if worth[queue[tail]] >= worth[last] - _SAME - slack:
                    close[last] = max(close[last], queue[tail], close[queue[tail]])
            if tail > head:
                other = queue[tail - 1]
                rise[last] = rise[other] + max(0.0, worth[last] - worth[other])
            queue[tail] = last
            tail += 1
            while queue[head] < first:
                head += 1
            other = queue[head]
            more = rise[last] - rise[other] + slack
            if worth[other] + gain[at] + _TWICE_COST * before[at] + more > value + _SAME:
                twice = before[other + size] - before[at]
                joined = best[other] + gain[at] - _TWICE_COST * twice
                if joined > value + _SAME and close[other] < first and more + slack < _SAME:
                    value, from_at = joined, other
                else:
                    # As good as others before it, or as none: in order, as that decides.
                    for other in range(first, last + 1):
                        twice = before[other + size] - before[at]
                        joined = best[other] + gain[at] - _TWICE_COST * twice
                        if joined > value + _SAME:
                            value, from_at = joined, other
        best[at], came[at] = value, from_at
        worth[at] = value - _TWICE_COST * before[at + size]
    last, most = -1, 0.0
    for at in range(places):
        if best[at] > most + _SAME:
            last, most = at, best[at]
    count, at = 0, last
    while at >= 0:
        count += 1
        at = came[at]
    at = last
    for n in range(count - 1, -1, -1):
        found[n] = at
        at = came[at]
    return count
