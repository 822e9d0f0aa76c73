"""How much pixels differ over distances: the second-order shape of sharp, soft and noisy detail.

The mean square of differences over a displacement d is the structure function S(d), which knows
all that the power spectrum knows. Blur makes it grow like |d|^2, noise makes it jump at once,
sharpening makes it bend; motion does so in one direction only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.compiled import EXACT, SUMS

# Differences are taken where all displacements fit into a tile.
_SPAN = 56
# Differences of a rounding error here and there tell of no picture: what is below counts little.
_ROUNDING = 0.5
# Half the displacements are for directions: of each, one step and the double of it.
_DIRECTIONS = 8
_LAGS = (3, 4, 6, 8)
_SUMS = 2 * _DIRECTIONS + 2 * len(_LAGS) + 12
# A residual above this is an edge; the limit keeps sums of squares exact.
_MAX_RESIDUAL = 512

_RATIOS = (
    "amount",
    *(f"lag{lag}" for lag in (2, *_LAGS)),
    "diagonal",
    "upright",
    "upright_grows",
    "slanted",
    "tails",
    "flat",
    "still",
    "near",
    "bend",
    "residual",
    "residual_tails",
    "residual_along",
    "residual_share",
    "residual_gone",
    "clipped",
)
# Quartiles over the busy tiles, the median over the calmest ones.
NAMES = (
    *(f"{name}_{of}" for name in _RATIOS for of in ("low", "busy", "high", "calm")),
    "amount_least",
    "residual_least",
    "direction_range",
    "direction_high",
    "direction_low",
    "direction_middle",
)
_CALM = 8


@njit(**EXACT)
def measure(tiles, busy):  # type: ignore[no-untyped-def]
    """float64[NAMES] of float32[N, 64, 64] tiles, of which the first are busy."""
    count = len(tiles)
    sums, ratios = np.zeros((count, _SUMS)), np.zeros((count, len(_RATIOS)))
    for t in range(count):
        _sums(tiles[t], sums[t])
        _ratios(sums[t], ratios[t])
    out = np.empty(len(NAMES))
    at = 0
    for n in range(len(_RATIOS)):
        ordered = np.sort(ratios[:busy, n])
        out[at] = ordered[busy // 4]
        out[at + 1] = ordered[busy // 2]
        out[at + 2] = ordered[3 * busy // 4]
        out[at + 3] = np.median(ratios[max(0, count - _CALM) :, n])
        at += 4
    out[at], out[at + 1] = ratios[:, 0].min(), ratios[:, 15].min()
    _directions(sums, busy, out[at + 2 :])
    return out


@njit(**SUMS)
def _sums(tile, out):  # type: ignore[no-untyped-def]
    """Sums over one tile, float32[64, 64], into `out`, float64[_SUMS], means per pixel."""
    f = np.float32
    zero, one, two, four = f(0), f(1), f(2), f(4)
    most = f(_MAX_RESIDUAL)
    for i in range(4, 4 + _SPAN):
        a0 = a1 = a2 = a3 = a4 = a5 = a6 = a7 = zero
        b0 = b1 = b2 = b3 = b4 = b5 = b6 = b7 = zero
        h3 = h4 = h6 = h8 = v3 = v4 = v6 = v8 = zero
        steps = flat = still = near = bend = clipped = zero
        size = square = along = gone = down = edge = zero
        r = tile[i]
        up, r1, r2, r3, r4 = tile[i - 1], tile[i + 1], tile[i + 2], tile[i + 3], tile[i + 4]
        r6, r8 = tile[min(i + 6, 63)], tile[min(i + 8, 63)]
        # r6 and r8 leave the tile at its lower end; those rows are looked at from above instead.
        if i + 6 > 63:
            r6 = tile[i - 6]
        if i + 8 > 63:
            r8 = tile[i - 8]
        for j in range(4, 4 + _SPAN):
            c = r[j]
            d = r[j + 1] - c
            a0 += d * d
            step = abs(d)
            steps += step
            flat += one if step == zero else zero
            still += one if step <= one else zero
            near += one if step <= four else zero
            d = r[j + 2] - c
            b0 += d * d
            d = r1[j] - c
            a1 += d * d
            d = r2[j] - c
            b1 += d * d
            d = r1[j + 1] - c
            a2 += d * d
            d = r2[j + 2] - c
            b2 += d * d
            d = r1[j - 1] - c
            a3 += d * d
            d = r2[j - 2] - c
            b3 += d * d
            d = r1[j + 2] - c
            a4 += d * d
            d = r2[j + 4] - c
            b4 += d * d
            d = r2[j + 1] - c
            a5 += d * d
            d = r4[j + 2] - c
            b5 += d * d
            d = r1[j - 2] - c
            a6 += d * d
            d = r2[j - 4] - c
            b6 += d * d
            d = r2[j - 1] - c
            a7 += d * d
            d = r4[j - 2] - c
            b7 += d * d
            d = r[j + 3] - c
            h3 += d * d
            d = r[j + 4] - c
            h4 += d * d
            d = r3[j] - c
            v3 += d * d
            d = r4[j] - c
            v4 += d * d
            d = r6[j] - c
            v6 += d * d
            d = r8[j] - c
            v8 += d * d
            bend += abs(r[j - 1] - two * c + r[j + 1])
            clipped += one if c <= one or c >= f(254) else zero
        for j in range(8, 56):
            c = r[j]
            d = r[j + 6] - c
            h6 += d * d
            d = r[j - 6] - c
            h6 += d * d
            d = r[j + 8] - c
            h8 += d * d
            d = r[j - 8] - c
            h8 += d * d
        for j in range(4, 4 + _SPAN):
            here = up[j] - two * r[j] + r1[j]
            left = up[j - 1] - two * r[j - 1] + r1[j - 1]
            right = up[j + 1] - two * r[j + 1] + r1[j + 1]
            far = up[j + 2] - two * r[j + 2] + r1[j + 2]
            rest = min(max(left - two * here + right, -most), most)
            next_ = min(max(here - two * right + far, -most), most)
            size += abs(rest)
            square += rest * rest
            along += rest * next_
            gone += one if abs(rest) <= two else zero
        for j in range(4, 4 + _SPAN):
            down += abs(r1[j] - r[j])
            edge += abs(up[j] - two * r[j] + r1[j])
        for at, value in enumerate(
            (
                a0, a1, a2, a3, a4, a5, a6, a7, b0, b1, b2, b3, b4, b5, b6, b7,
                h3, h4, h6, h8, v3, v4, v6, v8,
                steps, flat, still, near, bend, clipped, size, square, along, gone, down, edge,
            )
        ):  # fmt: skip
            out[at] += value
    for at in range(_SUMS):
        out[at] /= _SPAN * _SPAN
    # Lags of 6 and 8 along rows were looked at in both directions, on fewer columns.
    for at in (18, 19):
        out[at] *= _SPAN / 96


@njit(**EXACT)
def _ratios(s, out):  # type: ignore[no-untyped-def]
    """What the sums of one tile say, in octaves and shares, into `out`: see _RATIOS."""
    c = _ROUNDING
    first = s[0] + s[1] + 2 * c
    out[0] = np.log2(first)
    out[1] = np.log2((s[8] + s[9] + 2 * c) / first)
    for n in range(4):
        out[2 + n] = np.log2((s[16 + n] + s[20 + n] + 2 * c) / first)
    out[6] = np.log2((s[2] + s[3] + 2 * c) / first)
    out[7] = abs(np.log2((s[0] + c) / (s[1] + c)))
    out[8] = abs(np.log2((s[0] + c) / (s[1] + c)) - np.log2((s[17] + c) / (s[21] + c)))
    out[9] = abs(np.log2((s[2] + c) / (s[3] + c)) - np.log2((s[10] + c) / (s[11] + c)))
    # The square of the mean over the mean of the squares: 0.64 for Gaussian noise, less for edges.
    step = (s[24] + s[34]) / 2
    out[10] = np.log2((step * step + c / 4) / (first / 2))
    out[11], out[12], out[13] = s[25], s[26], s[27]
    out[14] = np.log2((s[28] + s[35] + 0.2) / (2 * step + 0.2))
    out[15] = np.log2(s[30] + 0.3)
    out[16] = np.log2((s[30] * s[30] + 1) / (s[31] + 1))
    out[17] = s[32] / (s[31] + 1)
    out[18] = np.log2((s[30] + 0.3) / (step + 0.3))
    out[19] = s[33]
    out[20] = s[29]


@njit(**EXACT)
def _directions(every, busy, out):  # type: ignore[no-untyped-def]
    """How fast S grows from a step to its double, by direction, the median of `busy` tiles."""
    growth = np.empty(_DIRECTIONS)
    of_tiles = np.empty(busy)
    for n in range(_DIRECTIONS):
        for t in range(busy):
            of_tiles[t] = np.log2((every[t, 8 + n] + _ROUNDING) / (every[t, n] + _ROUNDING))
        growth[n] = np.median(of_tiles)
    out[0] = growth.max() - growth.min()
    out[1], out[2], out[3] = growth.max(), growth.min(), np.median(growth)
