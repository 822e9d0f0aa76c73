"""What writing is made of: small blobs of ink, of one height, side by side.

The second look of the screen, at cells whose texture alone does not tell. Ink is what is darker, or
brighter, than its surroundings; its connected parts are letters, words of tiny print, or whatever
else a picture shows. Those of writing have neighbours of their own height to the right.
"""

from __future__ import annotations

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from filters.compiled import EXACT

# Ink differs from the mean of so many px around it by so much, in levels and in deviations.
_AROUND_PX, _LEVELS, _DEVIATIONS = 15, 8.0, 0.75
_PARTS = (
    "blobs",
    "letters",
    "letter_ink",
    "linked",
    "linked_ink",
    "longest",
    "mean_length",
    "lines",
    "height",
    "height_spread",
    "gap",
    "fill",
)
# First for the ink with more linked blobs, then for the other.
NAMES = (*(f"strong_{n}" for n in _PARTS), *(f"weak_{n}" for n in _PARTS), "deviation")
# Blobs of writing: their height in px, and how many times as wide as high they may be.
_MIN_PX, _MAX_PX, _MAX_RATIO = 3, 48, 12
# Neighbours: gap over height, overlap over the lower height, the higher over the lower.
_MAX_GAP, _MIN_OVERLAP, _MAX_HEIGHTS = 1.2, 0.6, 2.0
# So many in a row are a line.
_LINE = 4


def look(cell: NDArray[np.uint8]) -> NDArray[np.float32]:
    """float32[NAMES] of uint8[H, W] luma."""
    around = cv2.boxFilter(cell, cv2.CV_32F, (_AROUND_PX, _AROUND_PX))
    difference = cell.astype(np.float32) - around
    deviation = float(difference.std())
    least = max(_LEVELS, _DEVIATIONS * deviation)
    both = [_measure(difference < -least), _measure(difference > least)]
    both.sort(key=lambda found: -found[3])
    return np.concatenate([*both, [deviation]], dtype=np.float32)


def _measure(ink: NDArray[np.bool_]) -> NDArray[np.float64]:
    _, _, blobs, _ = cv2.connectedComponentsWithStats(ink.view(np.uint8), connectivity=8)
    # The first is what is no ink. From left to right, as neighbours are looked for.
    blobs = blobs[1:]
    blobs = blobs[np.lexsort((blobs[:, 1], blobs[:, 0]))]
    found: NDArray[np.float64] = _lines(np.ascontiguousarray(blobs), float(ink.size))
    return found


@njit(**EXACT)
def _lines(blobs, area):  # type: ignore[no-untyped-def]
    """The numbers of _PARTS for int32[N, 5] blobs: x, y, width, height and px of ink."""
    out = np.zeros(12)
    kept = np.empty(len(blobs), np.int64)
    count, ink, all_ink = 0, 0, 0
    for n in range(len(blobs)):
        width, height = blobs[n, 2], blobs[n, 3]
        all_ink += blobs[n, 4]
        if _MIN_PX <= height <= _MAX_PX and width <= _MAX_RATIO * height:
            kept[count] = n
            count += 1
            ink += blobs[n, 4]
    out[0] = len(blobs) * 1e4 / area
    out[1] = count * 1e4 / area
    out[2] = ink / max(1, all_ink)
    before = np.full(count, -1, np.int64)
    length = np.ones(count, np.int64)
    followed = np.zeros(count, np.bool_)
    gaps, links = 0.0, 0
    for i in range(count):
        a = kept[i]
        x, y, height = blobs[a, 0] + blobs[a, 2], blobs[a, 1], blobs[a, 3]
        best, nearest = -1, 1e9
        for j in range(i + 1, count):
            b = kept[j]
            # Sorted by where they begin: none after this one can be near enough.
            if blobs[b, 0] - x > _MAX_GAP * _MAX_PX:
                break
            low, high = min(height, blobs[b, 3]), max(height, blobs[b, 3])
            gap = blobs[b, 0] - x
            if gap < -low or gap > _MAX_GAP * high or high > _MAX_HEIGHTS * low:
                continue
            overlap = min(y + height, blobs[b, 1] + blobs[b, 3]) - max(y, blobs[b, 1])
            if overlap >= _MIN_OVERLAP * low and gap < nearest and before[j] < 0:
                best, nearest = j, gap
        if best >= 0:
            before[best] = i
            length[best] = length[i] + 1
            followed[i] = True
            gaps += nearest / height
            links += 1
    linked, linked_ink, lines, longest, total = 0, 0, 0, 0, 0
    heights, squares, spread, boxes = 0.0, 0.0, 0.0, 0.0
    for i in range(count):
        if followed[i] or length[i] < _LINE:
            continue
        lines += 1
        total += length[i]
        longest = max(longest, length[i])
        at, sum_1, sum_2, members = i, 0.0, 0.0, 0
        while at >= 0:
            b = kept[at]
            linked += 1
            linked_ink += blobs[b, 4]
            boxes += blobs[b, 2] * blobs[b, 3]
            sum_1 += blobs[b, 3]
            sum_2 += blobs[b, 3] ** 2
            members += 1
            at = before[at]
        mean = sum_1 / members
        heights += sum_1
        squares += sum_2
        spread += members * np.sqrt(max(0.0, sum_2 / members - mean * mean)) / mean
    out[3] = linked * 1e4 / area
    out[4] = linked_ink / max(1, all_ink)
    out[5] = longest
    out[6] = total / max(1, lines)
    out[7] = lines * 1e4 / area
    out[8] = heights / max(1, linked)
    out[9] = spread / max(1, linked)
    out[10] = gaps / max(1, links)
    out[11] = linked_ink / max(1.0, boxes)
    return out
