"""Traces of block coding: a grid of 8 px, and coefficients that stand on a comb of few values.

JPEG rounds the DCT coefficients of each block of 8 x 8 px to multiples of a step. At its grid, fine
coefficients vanish and coarse ones stand on the comb, also after the picture was saved again at a
high quality; a crop moves the grid. So the phase of the grid is looked for first.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.compiled import EXACT, SUMS

# The two finest basis functions of the 8-point DCT, halves of them, in whole numbers.
_FINEST = np.round(64 * np.cos(np.pi * (2 * np.arange(4) + 1) * 7 / 16)).astype(np.float32)
_FINER = np.round(64 * np.cos(np.pi * (2 * np.arange(4) + 1) * 6 / 16)).astype(np.float32)
# A response above this is an edge; the limit keeps edges from drowning the rest.
_MAX_RESPONSE = 1024
_RINGS = 8
# Combs of these qualities (ITU T.81, Annex K.1, as IJG scales it) are looked for in the first
# coefficients, by the phases of their cosines.
_QUALITIES = (5, 8, 12, 16, 20, 25, 30, 36, 44, 55, 70)
_COMB_AT = ((0, 1), (1, 0), (2, 0), (1, 1), (0, 2), (0, 3), (1, 2), (2, 1), (3, 0), (4, 0),
            (3, 1), (2, 2), (1, 3), (0, 4))  # fmt: skip
_COMB_LEVELS = 192
_LUMA = np.array(
    [
        [16, 11, 10, 16, 24],
        [12, 12, 14, 19, 26],
        [14, 13, 16, 24, 40],
        [14, 17, 22, 29, 51],
        [18, 22, 37, 56, 68],
    ]
)

NAMES = (
    "grid_least",
    "grid_most",
    "grid_at_origin",
    *(f"period{p}" for p in (8, 4, 2)),
    *(f"ring{n}" for n in range(1, _RINGS)),
    "ring_sides",
    "zeros_fine",
    "zeros_middle",
    "small_fine",
    "small_middle",
    "comb",
    "comb_surely",
    "comb_second",
)


def _dct() -> np.ndarray:
    """The orthonormal 8-point DCT as a matrix."""
    k, n = np.arange(8)[:, None], np.arange(8)[None, :]
    matrix = np.cos(np.pi * (2 * n + 1) * k / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    return matrix.astype(np.float32)


def _combs() -> np.ndarray:
    """float32[qualities, coefficients, levels]: 1 on a tooth, -1 between; 0 below the first gap."""
    found = np.zeros((len(_QUALITIES), len(_COMB_AT), _COMB_LEVELS), np.float32)
    level = np.arange(_COMB_LEVELS)
    for q, quality in enumerate(_QUALITIES):
        scale = 5000 // quality if quality < 50 else 200 - 2 * quality
        for n, (v, u) in enumerate(_COMB_AT):
            step = min(255, max(1, (_LUMA[v, u] * scale + 50) // 100))
            wave = np.cos(2 * np.pi * level / step)
            found[q, n] = np.where((level > 0.6 * step) & (step > 3), wave, 0)
    return found


_DCT, _COMBS = _dct(), _combs()
_RING_OF = np.array([[min(7, round(np.hypot(u, v))) for u in range(8)] for v in range(8)])
_AT = np.array(_COMB_AT)


@njit(**EXACT)
def measure(tiles):  # type: ignore[no-untyped-def]
    """float64[NAMES] of float32[N, 64, 64] tiles."""
    columns, rows = np.zeros(8), np.zeros(8)
    for t in range(len(tiles)):
        _responses(tiles[t], columns, rows)
    out = np.empty(len(NAMES))
    row, column = _phase(columns, rows, out)
    sizes, half = np.empty((8, 8)), np.empty((64, 64), np.float32)
    of_tiles = np.empty((len(tiles), _RINGS))
    counts = np.zeros((len(_AT), _COMB_LEVELS), np.int64)
    gone = np.zeros(4)
    blocks = 0
    for t in range(len(tiles)):
        a, b, c, d, alive = _coefficients(tiles[t], row, column, half, sizes, counts)
        gone += np.array([a, b, c, d])
        blocks += alive
        _rings(sizes, of_tiles[t])
    at = 6
    for n in range(_RINGS):
        out[at + n] = np.median(of_tiles[:, n])
    at += _RINGS
    # 28 fine and 26 middle coefficients a block.
    for n, of_block in enumerate((28, 26, 28, 26)):
        out[at + n] = gone[n] / (of_block * max(1, blocks))
    _comb(counts, out[at + 4 :])
    return out


@njit(**SUMS)
def _responses(tile, along, across):  # type: ignore[no-untyped-def]
    """Fine detail at every phase of the grid, added to float64[8] for columns and for rows."""
    f = np.float32
    most = f(_MAX_RESPONSE)
    s0, s1, s2, s3 = _FINEST
    t0, t1, t2, t3 = _FINER
    of_columns = np.zeros(56, f)
    for i in range(56):
        a, b, c, d = tile[i], tile[i + 1], tile[i + 2], tile[i + 3]
        e, g, h, k = tile[i + 4], tile[i + 5], tile[i + 6], tile[i + 7]
        total = f(0)
        for j in range(64):
            fine = s0 * (a[j] - k[j]) + s1 * (b[j] - h[j])
            fine += s2 * (c[j] - g[j]) + s3 * (d[j] - e[j])
            finer = (
                t0 * (a[j] + k[j]) + t1 * (b[j] + h[j]) + t2 * (c[j] + g[j]) + t3 * (d[j] + e[j])
            )
            total += min(abs(fine), most) + min(abs(finer), most)
        across[i % 8] += total
        r = tile[i + 4]
        for j in range(56):
            fine = s0 * (r[j] - r[j + 7]) + s1 * (r[j + 1] - r[j + 6])
            fine += s2 * (r[j + 2] - r[j + 5]) + s3 * (r[j + 3] - r[j + 4])
            finer = t0 * (r[j] + r[j + 7]) + t1 * (r[j + 1] + r[j + 6])
            finer += t2 * (r[j + 2] + r[j + 5]) + t3 * (r[j + 3] + r[j + 4])
            of_columns[j] += min(abs(fine), most) + min(abs(finer), most)
    for j in range(56):
        along[j % 8] += of_columns[j]


@njit(**EXACT)
def _phase(along, across, out):  # type: ignore[no-untyped-def]
    """Row and column where fine detail is least: where blocks begin; and how much it is there."""
    column, row = np.argmin(along), np.argmin(across)
    least_along = along[column] / (along.mean() + 1)
    least_across = across[row] / (across.mean() + 1)
    out[0], out[1] = min(least_along, least_across), max(least_along, least_across)
    out[2] = (1.0 if column == 0 else 0.0) + (1.0 if row == 0 else 0.0)
    for at, turns in enumerate((1, 2, 4)):
        size = 0.0
        for profile in (along, across):
            real, imaginary = 0.0, 0.0
            for n in range(8):
                real += profile[n] * np.cos(2 * np.pi * turns * n / 8)
                imaginary += profile[n] * np.sin(2 * np.pi * turns * n / 8)
            size += np.hypot(real, imaginary) / (profile.sum() + 1)
        out[3 + at] = size
    return row, column


@njit(**EXACT)
def _coefficients(tile, row, column, half, sizes, counts):  # type: ignore[no-untyped-def]
    """DCT of the 49 blocks of a tile that begin at the phase.

    Writes the mean size of each coefficient into `sizes`, float64[8, 8], and counts the sizes of
    the coarse ones into `counts`, int64[coefficients, levels]. `half`, float32[64, 64], is to work
    in. Returns shares of fine and middle coefficients that vanish or nearly do, and the number of
    blocks looked at.
    """
    f = np.float32
    for block in range(7):
        for k in range(8):
            target = half[8 * block + k]
            top = row + 8 * block
            a, b, c, d = tile[top], tile[top + 1], tile[top + 2], tile[top + 3]
            e, g, h, m = tile[top + 4], tile[top + 5], tile[top + 6], tile[top + 7]
            w = _DCT[k]
            w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
            for j in range(64):
                target[j] = (
                    w0 * a[j] + w1 * b[j] + w2 * c[j] + w3 * d[j]
                    + w4 * e[j] + w5 * g[j] + w6 * h[j] + w7 * m[j]
                )  # fmt: skip
    # The second direction, with blocks side by side: columns of one place in all blocks of a row.
    place = np.empty((8, 56), f)
    found = np.empty((8, 56), f)
    sizes[:] = 0
    gone_fine = gone_middle = small_fine = small_middle = alive = 0
    for across in range(7):
        for n in range(8):
            for i in range(56):
                place[n, i] = half[i, column + 8 * across + n]
        for u in range(8):
            w = _DCT[u]
            w0, w1, w2, w3, w4, w5, w6, w7 = w[0], w[1], w[2], w[3], w[4], w[5], w[6], w[7]
            target = found[u]
            for i in range(56):
                target[i] = abs(
                    w0 * place[0, i] + w1 * place[1, i] + w2 * place[2, i] + w3 * place[3, i]
                    + w4 * place[4, i] + w5 * place[5, i] + w6 * place[6, i] + w7 * place[7, i]
                )  # fmt: skip
        for block in range(7):
            first = 8 * block
            total = f(0)
            for v in range(8):
                for u in range(8):
                    sizes[v, u] += found[u, first + v]
                    total += found[u, first + v]
            # A block that hardly varies had nothing that coding could take away.
            if total - found[0, first] > f(24):
                alive += 1
                for v in range(8):
                    for u in range(8):
                        size = found[u, first + v]
                        if u + v >= 8:
                            gone_fine += size < f(1.0)
                            small_fine += size < f(2.0)
                        elif u + v >= 4:
                            gone_middle += size < f(1.0)
                            small_middle += size < f(2.0)
                for n in range(len(_AT)):
                    size = found[_AT[n, 1], first + _AT[n, 0]]
                    counts[n, min(int(size + f(0.5)), _COMB_LEVELS - 1)] += 1
    sizes /= 49
    return gone_fine, gone_middle, small_fine, small_middle, alive


@njit(**EXACT)
def _rings(sizes, out):  # type: ignore[no-untyped-def]
    """Octaves between rings of frequency, and between upright and level detail, of one tile."""
    total, count = np.zeros(_RINGS), np.zeros(_RINGS)
    level, upright = 0.1, 0.1
    for v in range(8):
        for u in range(8):
            total[_RING_OF[v, u]] += sizes[v, u]
            count[_RING_OF[v, u]] += 1
        if v >= 2:
            level += sizes[v, 0]
            upright += sizes[0, v]
    for n in range(1, _RINGS - 1):
        outer = total[n + 1] / count[n + 1] + 0.1
        out[n - 1] = np.log2(outer / (total[n] / count[n] + 0.1))
    out[_RINGS - 2] = np.log2(total[_RINGS - 1] / count[_RINGS - 1] + 0.1)
    out[_RINGS - 1] = abs(np.log2(level / upright))


@njit(**EXACT)
def _comb(counts, out):  # type: ignore[no-untyped-def]
    """How well coefficients stand on the comb of the best quality, into out[3]."""
    best, second, surely = 0.0, 0.0, 0.0
    for q in range(len(_QUALITIES)):
        on, number = 0.0, 0.0
        for n in range(len(_AT)):
            for level in range(4, _COMB_LEVELS - 1):
                if counts[n, level] and _COMBS[q, n, level] != 0:
                    on += counts[n, level] * _COMBS[q, n, level]
                    number += counts[n, level]
        mean = on / (number + 20)
        if mean > best:
            best, second = mean, best
            surely = on / np.sqrt(number + 20)
        elif mean > second:
            second = mean
    out[0], out[1], out[2] = best, surely, second
