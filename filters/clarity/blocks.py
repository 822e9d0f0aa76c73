"""What smooth shading and straight edges leave over, in blocks of 8 px: grain, or the lack of it.

Compression leaves contrast without any residual ("dull" blocks), noise leaves residual
everywhere, the calmest blocks included. So the residual is looked at for each contrast.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from filters.compiled import EXACT, SUMS

# Bins of a quarter of an octave for the residual, of half an octave for the contrast.
_CONTRASTS, _RESIDUALS = 18, 40
_FLOOR = 0.25
_DOUBT = 10
_ACROSS = 7
_SHARES = (0.02, 0.1, 0.25, 0.5, 0.75, 0.9)
# Contrast bands in octaves of the standard deviation.
_BANDS = ((-2, 0), (0, 1), (1, 2), (2, 3), (3, 4), (4, 7))

NAMES = (
    *(f"residual_p{round(100 * s)}" for s in _SHARES),
    *(f"contrast_p{round(100 * s)}" for s in _SHARES[1:]),
    *(f"{what}_band{n}" for n in range(len(_BANDS)) for what in ("residual", "low", "share")),
    "residual_follows",
)


@njit(**EXACT)
def measure(tiles):  # type: ignore[no-untyped-def]
    """float64[NAMES] of float32[N, 64, 64] tiles."""
    counts = np.zeros((_CONTRASTS, _RESIDUALS), np.int64)
    for t in range(len(tiles)):
        _histogram(tiles[t], counts)
    out = np.empty(len(NAMES))
    _shape(counts, out)
    return out


@njit(**SUMS)
def _histogram(tile, counts):  # type: ignore[no-untyped-def]
    """Blocks by contrast and residual, added to int64[_CONTRASTS, _RESIDUALS]."""
    f = np.float32
    two = f(2)
    level, square, rest = np.empty(56, f), np.empty(56, f), np.empty(56, f)
    for block in range(_ACROSS):
        level[:], square[:], rest[:] = f(0), f(0), f(0)
        for i in range(4 + 8 * block, 12 + 8 * block):
            up, here, down = tile[i - 1], tile[i], tile[i + 1]
            for j in range(56):
                value = here[j + 4]
                level[j] += value
                square[j] += value * value
                left = up[j + 3] - two * here[j + 3] + down[j + 3]
                middle = up[j + 4] - two * value + down[j + 4]
                right = up[j + 5] - two * here[j + 5] + down[j + 5]
                rest[j] += abs(left - two * middle + right)
        for b in range(_ACROSS):
            total, squares, size = 0.0, 0.0, 0.0
            for j in range(8 * b, 8 * b + 8):
                total += level[j]
                squares += square[j]
                size += rest[j]
            deviation = np.sqrt(max(0.0, squares / 64 - (total / 64) ** 2))
            contrast = int(2 * np.log2(deviation + _FLOOR) + 4)
            residual = int(4 * np.log2(size / 64 + _FLOOR) + 8)
            counts[min(contrast, _CONTRASTS - 1), min(residual, _RESIDUALS - 1)] += 1


@njit(**EXACT)
def _shape(counts, out):  # type: ignore[no-untyped-def]
    """What the histogram says, into `out`: see NAMES."""
    total = counts.sum()
    of_residual, of_contrast = counts.sum(axis=0), counts.sum(axis=1)
    at = 0
    for share in _SHARES:
        out[at] = _quantile(of_residual, share) / 4 - 2
        at += 1
    for share in _SHARES[1:]:
        out[at] = _quantile(of_contrast, share) / 2 - 2
        at += 1
    for low, high in _BANDS:
        inside = counts[2 * low + 4 : 2 * high + 4].sum(axis=0)
        number = inside.sum()
        # A band of few blocks says little: it is drawn to what the middle of the band would have.
        usual = 4 * (low + high) / 2 + 4.0
        mean = ((inside * np.arange(_RESIDUALS)).sum() + _DOUBT * usual) / (number + _DOUBT)
        out[at] = mean / 4 - 2
        out[at + 1] = inside[:8].sum() / (number + _DOUBT)
        out[at + 2] = number / total
        at += 3
    c, r = np.arange(_CONTRASTS) * 1.0, np.arange(_RESIDUALS) * 1.0
    mean_c, mean_r = (of_contrast * c).sum() / total, (of_residual * r).sum() / total
    covariance, spread_c, spread_r = 0.0, 0.0, 0.0
    for i in range(_CONTRASTS):
        spread_c += of_contrast[i] * (c[i] - mean_c) ** 2
        for j in range(_RESIDUALS):
            covariance += counts[i, j] * (c[i] - mean_c) * (r[j] - mean_r)
    for j in range(_RESIDUALS):
        spread_r += of_residual[j] * (r[j] - mean_r) ** 2
    out[at] = covariance / (np.sqrt(spread_c * spread_r) + 1)


@njit(**EXACT)
def _quantile(counts, share):  # type: ignore[no-untyped-def]
    """The bin below which lies `share` of the counts, with the part of it that is needed."""
    wanted, seen = share * counts.sum(), 0.0
    for n in range(len(counts)):
        if counts[n] and seen + counts[n] >= wanted:
            return n + (wanted - seen) / counts[n]
        seen += counts[n]
    return float(len(counts))
