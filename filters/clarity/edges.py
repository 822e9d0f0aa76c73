"""The shape of edges: how steep they are for their height, and whether they overshoot.

A step edge rises by half its height from the pixel before to the pixel after (measured over two
pixels: slope over contrast 0.5); one blurred by sigma px by about 0.4 / sigma per pixel.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.compiled import EXACT, SUMS

# Fewer grey levels than this between both sides of an edge are noise rather than an edge.
_CONTRAST = 16
# Slope over contrast, both over two pixels: the shares of edges above these are looked at.
_SLOPES = (0.2, 0.28, 0.36, 0.44, 0.52, 0.6, 0.7, 0.8, 0.9, 0.97)
_EDGES = 1 + len(_SLOPES)
_FIRST, _LAST = 7, 56
# Profiles reach 7 px to both sides; so many edges of a tile and a direction are enough.
_ARM, _PROFILES = 7, 48
_BINS = 40

NAMES = (
    *(f"slope{n}" for n in range(len(_SLOPES))),
    *(f"slope_gap{n}" for n in (2, 4, 6)),
    "slope_least",
    "edge_share",
    "over_p25",
    "over_p50",
    "over_p75",
    "over_p90",
    "over_share",
    *(f"profile{n}" for n in range(-4, 6)),
    "ring",
)


@njit(**EXACT)
def measure(tiles):  # type: ignore[no-untyped-def]
    """float64[NAMES] of float32[N, 64, 64] tiles."""
    along, across = np.zeros(_EDGES), np.zeros(_EDGES)
    overs, profile = np.zeros(_BINS, np.int64), np.zeros(16)
    turned = np.empty((64, 64), np.float32)
    for t in range(len(tiles)):
        tile = tiles[t]
        for i in range(64):
            for j in range(64):
                turned[j, i] = tile[i, j]
        _slopes(tile, along)
        _slopes(turned, across)
        _profiles(tile, overs, profile)
        _profiles(turned, overs, profile)
    out = np.empty(len(NAMES))
    _shape(along, across, overs, profile, len(tiles) * 4096.0, out)
    return out


@njit(**SUMS)
def _slopes(tile, out):  # type: ignore[no-untyped-def]
    """Counts of edges along rows, all and steeper than each of _SLOPES, added to out[_EDGES]."""
    f = np.float32
    zero, one = f(0), f(1)
    for i in range(0, 64, 2):
        r = tile[i]
        n = n0 = n1 = n2 = n3 = n4 = n5 = n6 = n7 = n8 = n9 = zero
        for j in range(_FIRST, _LAST):
            a, b, c, d = r[j - 4], r[j - 3], r[j - 2], r[j - 1]
            e = r[j]
            g, h, k, m = r[j + 1], r[j + 2], r[j + 3], r[j + 4]
            high = max(max(max(a, b), max(c, d)), max(max(g, h), max(max(k, m), e)))
            low = min(min(min(a, b), min(c, d)), min(min(g, h), min(min(k, m), e)))
            height = high - low
            step = abs(g - d)
            rival = max(max(abs(d - b), abs(e - c)), max(abs(h - e), abs(k - g)))
            peak = one if step >= rival and height > f(_CONTRAST) else zero
            n += peak
            n0 += peak if step > f(_SLOPES[0]) * height else zero
            n1 += peak if step > f(_SLOPES[1]) * height else zero
            n2 += peak if step > f(_SLOPES[2]) * height else zero
            n3 += peak if step > f(_SLOPES[3]) * height else zero
            n4 += peak if step > f(_SLOPES[4]) * height else zero
            n5 += peak if step > f(_SLOPES[5]) * height else zero
            n6 += peak if step > f(_SLOPES[6]) * height else zero
            n7 += peak if step > f(_SLOPES[7]) * height else zero
            n8 += peak if step > f(_SLOPES[8]) * height else zero
            n9 += peak if step > f(_SLOPES[9]) * height else zero
        for at, value in enumerate((n, n0, n1, n2, n3, n4, n5, n6, n7, n8, n9)):
            out[at] += value


@njit(**EXACT)
def _profiles(tile, overs, profile):  # type: ignore[no-untyped-def]
    """Grey levels across edges along rows.

    Adds to `overs`, int64[_BINS], how far each edge shoots beyond both of the levels 5 to 7 px
    away, in parts of their difference; to `profile`, float64[16], levels between 0 and 1 from 6 px
    before to 7 px after, all edges turned to ascend; profile[14] counts the edges.
    """
    found = 0
    for i in range(1, 64, 2):
        r = tile[i]
        j = _ARM
        while j < 64 - _ARM - 1:
            step = r[j + 1] - r[j]
            size = abs(step)
            if (
                size <= 8
                or size < abs(r[j] - r[j - 1])
                or size < abs(r[j + 2] - r[j + 1])
                or size < abs(r[j - 1] - r[j - 2])
                or size < abs(r[j + 3] - r[j + 2])
            ):
                j += 1
                continue
            sign = 1.0 if step > 0 else -1.0
            low = sign * (r[j - 7] + r[j - 6] + r[j - 5]) / 3
            high = sign * (r[j + 6] + r[j + 7] + r[j + 8]) / 3
            span = max(high - low, 8.0)
            above, below = -1e9, -1e9
            for k in range(5):
                above = max(above, sign * r[j + 1 + k])
                below = max(below, -sign * r[j - k])
            # Sharpening overshoots on both sides; a thin line beside an edge does on one.
            both = min(above - high, below + low) / span
            overs[min(max(int((both + 0.2) * _BINS / 1.2), 0), _BINS - 1)] += 1
            for k in range(14):
                profile[k] += min(max((sign * r[j - 6 + k] - low) / span, -2.0), 3.0)
            profile[14] += 1
            found += 1
            if found >= _PROFILES:
                return
            j += 3


@njit(**EXACT)
def _shape(along, across, overs, profile, pixels, out):  # type: ignore[no-untyped-def]
    """What the counts of both directions say, into `out`: see NAMES."""
    count = len(_SLOPES)
    for n in range(count):
        out[n] = (along[1 + n] + across[1 + n]) / max(1.0, along[0] + across[0])
    for at, n in enumerate((2, 4, 6)):
        # Motion blurs one direction only. Few edges in a direction say little about it.
        gap = along[1 + n] / (along[0] + 20) - across[1 + n] / (across[0] + 20)
        out[count + at] = abs(gap)
    out[count + 3] = min(along[5] / (along[0] + 20), across[5] / (across[0] + 20))
    out[count + 4] = (along[0] + across[0]) / pixels
    at = count + 5
    total = overs.sum()
    for share in (0.25, 0.5, 0.75, 0.9):
        seen, value = 0, 0.0
        for n in range(_BINS):
            seen += overs[n]
            if total > 0 and seen >= share * total:
                value = n / _BINS * 1.2 - 0.2
                break
        out[at] = value
        at += 1
    out[at] = overs[int(0.3 * _BINS / 1.2) :].sum() / max(1, total)
    at += 1
    edges = max(1.0, profile[14])
    for k in range(10):
        out[at + k] = profile[2 + k] / edges
    top, bottom = profile[7:11].max(), profile[3:7].min()
    out[at + 10] = (top - bottom - profile[11:14].mean() + profile[0:3].mean()) / edges
