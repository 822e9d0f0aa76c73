"""The tiles of text one page at a time, in plain steps: what the compiled loops are held against.

It is how the plan once did it, with numpy's generators and sums.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from pipelines.planning.settings import PlanSettings
from vae_corpus.seeds import generator
from vae_corpus.words import buckets

Place = tuple[int, int, int, int]
Judged = list[tuple[Place, float, str | None]]


def tile_row(row: dict[str, Any], s: PlanSettings, seed: int) -> dict[str, Any]:
    smaller = sorted((rung for rung in s.rung_weights if rung < row["rung"]), reverse=True)
    cuts = (_judge_at(rung, row, s, seed) for rung in (row["rung"], *smaller))
    first = next(cuts)
    has_tiles = (cut for cut in (first, *cuts) if any(slug is None for *_, slug in cut[2]))
    rung, bucket, judged = next(has_tiles, first)
    if bucket is None:
        none: dict[str, Any] = {"tiles": [], "said": [], "blank_tiles": 0}
        return {"text_rung": None, "bucket": None} | none
    top = s.top_chars_per_256 * bucket.width * bucket.height / 256**2
    measured = row["text_lines"] is not None
    kept = [(tile, chars) for tile, chars, slug in judged if slug is None]
    return {
        "text_rung": rung,
        "bucket": str(bucket),
        "tiles": [
            {
                **dict(zip(("x", "y", "width", "height"), tile, strict=True)),
                "chars": float(np.float32(chars)) if measured else None,
                "density": ("top" if chars >= top else "rest") if measured else None,
            }
            for tile, chars in kept
        ],
        "blank_tiles": sum(slug == "blank" for *_, slug in judged),
        "said": [_said(row["text_marks"], tile) for tile, _ in kept],
    }


def _said(marks: list[dict[str, int]] | None, tile: Place) -> list[int]:
    x, y, width, height = tile
    inside = (x, x + width, y, y + height)
    return sorted(
        {
            mark["hash"]
            for mark in marks or []
            if inside[0] <= mark["x"] < inside[1] and inside[2] <= mark["y"] < inside[3]
        }
    )


def _judge_at(rung: int, row: dict[str, Any], s: PlanSettings, seed: int) -> Any:
    width, height, ink = row["width"], row["height"], row["ink_cells"]
    fitting = [b for b in buckets(rung) if b.width <= width and b.height <= height]
    if not fitting:
        return rung, None, []
    bucket = fitting[int(generator(seed, "bucket", row["sha256"]).integers(len(fitting)))]
    lines = row["text_lines"]
    if lines is not None:
        table = [[line[name] for name in ("x0", "y0", "x1", "y1", "chars")] for line in lines]
        lines = np.array(table, np.float32).reshape(-1, 5)
    inked = None if ink is None else np.array(ink) >= s.min_ink_levels
    judged = judge_tiles(
        width, height, bucket, lines, s.min_tile_chars_per_256, s.max_tiles_per_image, inked
    )
    if row["page_regions"] and lines is not None:
        judged = _with_figures(judged, row, bucket, lines, s.figure_share, seed)
    return rung, bucket, judged


def judge_tiles(
    width: int, height: int, bucket: Any, lines: Any, least: float, most: int, inked: Any
) -> Judged:
    size = (bucket.width, bucket.height)
    if lines is None:
        tiles: Any = [
            ((x, y, *size), float("inf"))
            for y in _side_by_side(height, bucket.height)
            for x in _side_by_side(width, bucket.width)
        ]
    else:
        tiles = _among_lines(width, height, bucket, np.asarray(lines, np.float64))
    floor = least * bucket.width * bucket.height / 256**2
    slugs: dict[Any, str] = {tile: "few_chars" for tile in tiles if tile[1] < floor}
    if inked is not None:
        ink = inked.reshape(-(-height // 32), -(-width // 32))
        for tile in tiles:
            (x, y, wide, high), _ = tile
            part = ink[_inside(y, high, height), _inside(x, wide, width)]
            if tile not in slugs and not part.any():
                slugs[tile] = "blank"
    printed = [tile for tile in tiles if tile not in slugs]
    densest = sorted(printed, key=lambda tile: -tile[1])
    slugs |= dict.fromkeys(densest[most:], "too_many")
    return [(*tile, slugs.get(tile)) for tile in tiles]


def _inside(start: int, size: int, total: int) -> slice:
    stop = start + size
    return slice(-(-start // 32), -(-stop // 32) if stop == total else stop // 32)


def _side_by_side(total: int, size: int) -> list[int]:
    starts = list(range(0, total - size + 1, size))
    if total - (starts[-1] + size) >= size // 2:
        starts.append(total - size)
    return starts


def _among_lines(width: int, height: int, bucket: Any, lines: Any) -> Any:
    x0, y0, x1, y1, chars = lines.T
    across, down = x1 - x0, y1 - y0
    tiles = []
    along = np.where((across >= down) & (down < bucket.height), chars, 0)
    cut = np.maximum(along, np.minimum(chars, 1.5))
    for y in _strips(height, bucket.height, y0, y1, chars, cut):
        share = _covered(y0, y1, y, bucket.height)
        seen = share > 0
        part = chars[seen] * share[seen]
        along = np.where((down > across) & (across < bucket.width), chars, 0)[seen]
        cut = np.maximum(along, np.minimum(part, 1.5))
        for x in _strips(width, bucket.width, x0[seen], x1[seen], part, cut):
            inside = _covered(x0[seen], x1[seen], x, bucket.width)
            count = float((part * inside).sum())
            tiles.append(((int(x), int(y), bucket.width, bucket.height), count))
    return tiles


def _covered(start: Any, stop: Any, at: int, size: int) -> Any:
    inside = np.minimum(stop, at + size) - np.maximum(start, at)
    return np.clip(inside / np.maximum(stop - start, 1e-6), 0, 1)


def _strips(total: int, size: int, start: Any, stop: Any, chars: Any, cut: Any) -> Any:
    start = np.clip(np.floor(start), 0, total).astype(np.int64)
    stop = np.clip(np.ceil(stop), 0, total).astype(np.int64)
    held = stop > start
    return _every_place(total, size, start[held], stop[held], chars[held], cut[held])


@njit(error_model="numpy")
def _every_place(total, size, start, stop, chars, cut):  # type: ignore[no-untyped-def]
    """Each place against all that may stand before it, one by one."""
    before, cost = np.zeros(total + 1), np.zeros(total + 1)
    for n in range(len(start)):
        each = chars[n] / (stop[n] - start[n])
        for px in range(start[n] + 1, stop[n] + 1):
            before[px] += each
        for px in range(start[n] + 1, stop[n]):
            cost[px] += cut[n]
        for away in range(3):
            near = cut[n] * 0.3 * (1 - away / 3)
            cost[max(0, start[n] - away)] += near
            cost[min(total, stop[n] + away)] += near
    moment = np.zeros(total + 1)
    for px in range(1, total + 1):
        moment[px] = moment[px - 1] + before[px] * (px - 0.5)
        before[px] += before[px - 1]
    cost[0], cost[total] = 0.0, 0.0
    places = total - size + 1
    best, came = np.zeros(places), np.full(places, -1, np.int64)
    apart, apart_at = 0.0, -1
    for at in range(places):
        if at >= size and best[at - size] > apart:
            apart, apart_at = best[at - size], at - size
        own = before[at + size] - before[at]
        aside = abs(moment[at + size] - moment[at] - own * (at + size / 2)) / size
        own -= cost[at] + cost[at + size] + 0.05 * aside
        best[at], came[at] = apart + own, apart_at
        for other in range(max(0, at - size + 1), at - size // 2 + 1):
            twice = before[other + size] - before[at]
            value = best[other] + own - 1.3 * twice
            if value > best[at] + 1e-9:
                best[at], came[at] = value, other
    last, most = -1, 0.0
    for at in range(places):
        if best[at] > most + 1e-9:
            last, most = at, best[at]
    found = [np.int64(0) for _ in range(0)]
    while last >= 0:
        found.append(last)
        last = came[last]
    return found[::-1]


def _with_figures(
    judged: Judged, row: dict[str, Any], bucket: Any, lines: Any, share: float, seed: int
) -> Judged:
    kept = [tile for tile, _, slug in judged if slug is None]
    regions = [tuple(box[s] for s in ("x0", "y0", "x1", "y1")) for box in row["page_regions"]]
    shown = sum(any(_covers(region, tile) >= 0.25 for region in regions) for tile in kept)
    rng = generator(seed, "figures", row["sha256"])
    missing = int((share * len(kept) - shown) / (1 - share) + rng.random())
    if not kept:
        missing = int(rng.random() < share)
    found = list(judged)
    for place in rng.permutation(len(regions)).tolist():
        if missing <= 0:
            break
        tile, chars = _around(regions[place], row["width"], row["height"], bucket, lines)
        overlaps = (_covers((x, y, x + w, y + h), tile) for x, y, w, h in kept)
        if _covers(regions[place], tile) >= 0.25 and all(share <= 0.5 for share in overlaps):
            kept.append(tile)
            found = [one for one in found if one[0] != tile]
            found.append((tile, chars, None))
            missing -= 1
    return sorted(found, key=lambda one: (one[0][1], one[0][0]))


def _around(region: Any, width: int, height: int, bucket: Any, lines: Any) -> tuple[Place, float]:
    x0, y0, x1, y1, chars = np.asarray(lines, np.float64).T
    x = _moved((region[0] + region[2]) / 2, bucket.width, width, x0, x1, chars)
    near = (x1 > x) & (x0 < x + bucket.width)
    y = _moved((region[1] + region[3]) / 2, bucket.height, height, y0[near], y1[near], chars[near])
    inside = (x0 >= x) & (x1 <= x + bucket.width) & (y0 >= y) & (y1 <= y + bucket.height)
    return (x, y, bucket.width, bucket.height), float(chars[inside].sum())


def _moved(middle: float, size: int, total: int, start: Any, stop: Any, chars: Any) -> int:
    wanted = min(max(round(middle - size / 2), 0), total - size)
    low, high = max(0, wanted - 32), min(total - size, wanted + 32)
    places = np.unique([*range(low, high + 1, 4), wanted])

    def cut(edge: int) -> float:
        through = (start < edge) & (stop > edge)
        return float(chars[through].sum()) if 0 < edge < total else 0.0

    costs = [cut(at) + cut(at + size) + 1e-3 * abs(at - wanted) for at in places.tolist()]
    return int(places[int(np.argmin(costs))])


def _covers(region: Sequence[float], tile: Place) -> float:
    x, y, width, height = tile
    across = min(region[2], x + width) - max(region[0], x)
    down = min(region[3], y + height) - max(region[1], y)
    return max(0, across) * max(0, down) / (width * height)
