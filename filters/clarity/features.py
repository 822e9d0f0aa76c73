"""Numbers that tell sharp from blurred, clean from compressed or noisy, off a few luma tiles.

Each looks at the shape of edges and textures rather than at their amount, which depends on what
the picture shows. "Busy" features come from the busiest tiles, "calm" ones from the calmest.
"""

from __future__ import annotations

import functools

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.clarity.tiles import BUSY, TILE_PX

Tiles = NDArray[np.float32]

# Fewer grey levels than this between both sides of an edge are noise rather than an edge.
_EDGE_LEVELS = 16
_EDGE_REACH_PX = 9
# Steps above this are edges of things, not borders of blocks.
_GRID_MAX_STEP = 12


def features(tiles: NDArray[np.uint8], short_side_px: int) -> dict[str, float]:
    """Named features of uint8[N, 64, 64] tiles, the busiest first. All finite."""
    exact = tiles.astype(np.int16)
    plain = tiles.astype(np.float32)
    busy = plain[:BUSY]
    calm = plain[-max(1, len(plain) // 3) :]
    found = {"log_short_side": float(np.log2(short_side_px))}
    found |= _amounts(exact)
    found |= _edges(plain[:BUSY])
    found |= _correlations(busy, "busy") | _correlations(calm, "calm")
    found |= _reblur(busy)
    found |= _spectrum(busy, "busy") | _spectrum(calm, "calm")
    found |= _noise(plain)
    found |= _grid(exact)
    return {name: float(np.nan_to_num(value)) for name, value in found.items()}


def _amounts(tiles: NDArray[np.int16]) -> dict[str, float]:
    """Contrast, flatness (graphics), grey levels in use, clipped highlights and shadows."""
    steps = np.abs(np.diff(tiles, axis=2))
    activity = steps.mean(axis=(1, 2))
    levels = [len(np.unique(tile)) for tile in tiles[:4]]
    return {
        "activity_busy": float(np.log1p(np.median(activity[:BUSY]))),
        "activity_calm": float(np.log1p(activity[-1])),
        "flat_busy": float((steps[:BUSY] == 0).mean()),
        "flat_all": float((steps == 0).mean()),
        "levels": float(np.log2(np.mean(levels))),
        "clipped": float(((tiles <= 1) | (tiles >= 254)).mean()),
        "deviation": float(np.log1p(tiles[:BUSY].std(axis=(1, 2)).mean())),
    }


def _edges(tiles: Tiles) -> dict[str, float]:
    """Steepest slope over contrast: 1 for a step edge, about 0.4 / sigma for a blurred one."""
    ratios = [_slopes(tiles), _slopes(tiles.transpose(0, 2, 1))]
    both = np.concatenate(ratios)
    high = [float(np.quantile(r, 0.9)) if len(r) else 0.0 for r in ratios]
    q = np.quantile(both, (0.1, 0.5, 0.75, 0.9, 0.97)) if len(both) else np.zeros(5)
    return {
        "slope_p10": float(q[0]),
        "slope_p50": float(q[1]),
        "slope_p75": float(q[2]),
        "slope_p90": float(q[3]),
        "slope_p97": float(q[4]),
        # Motion blurs one direction only.
        "slope_gap": abs(high[0] - high[1]),
        "slope_least": min(high),
        "edge_share": len(both) / (2 * tiles.size),
    }


def _slopes(tiles: Tiles) -> NDArray[np.float32]:
    """Slope over contrast at the steepest places of edges along rows."""
    rows = np.ascontiguousarray(tiles).reshape(-1, TILE_PX)
    reach = np.ones((1, _EDGE_REACH_PX), np.uint8)
    contrast = cv2.dilate(rows, reach) - cv2.erode(rows, reach)
    step = np.abs(cv2.Sobel(rows, cv2.CV_32F, 1, 0, ksize=1)) / 2
    peak = (step >= cv2.dilate(step, np.ones((1, 5), np.uint8))) & (contrast > _EDGE_LEVELS)
    slopes: NDArray[np.float32] = step[peak] / contrast[peak]
    return slopes


def _correlations(tiles: Tiles, name: str) -> dict[str, float]:
    """How steps depend on the next ones: blur makes them alike, sharpening and noise opposite."""
    sums = np.zeros((2, 6))
    for axis, step in enumerate((np.diff(tiles, axis=2), np.diff(tiles, axis=1).swapaxes(1, 2))):
        sums[axis, 0] = np.square(step).sum()
        for lag in range(1, 6):
            sums[axis, lag] = (step[:, :, lag:] * step[:, :, :-lag]).sum()
    shares = sums[:, 1:] / (sums[:, :1] + 1)
    mean = sums[:, 1:].sum(axis=0) / (sums[:, 0].sum() + 1)
    found = {f"corr{lag}_{name}": float(mean[lag - 1]) for lag in range(1, 6)}
    return found | {f"corr1_gap_{name}": float(abs(shares[0, 0] - shares[1, 0]))}


def _reblur(tiles: Tiles) -> dict[str, float]:
    """What is left of the steps after a blur: much where the picture was already blurred."""
    steps = np.abs(np.diff(tiles, axis=2)).mean(axis=(1, 2)) + 0.1
    found = {}
    for name, sigma in (("fine", 0.7), ("coarse", 1.5)):
        soft = np.stack([cv2.GaussianBlur(tile, (0, 0), sigma) for tile in tiles])
        left = (np.abs(np.diff(soft, axis=2)).mean(axis=(1, 2)) + 0.1) / steps
        found[f"reblur_{name}_p50"] = float(np.median(left))
        found[f"reblur_{name}_min"] = float(left.min())
    return found


@functools.cache
def _bands() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """A window for the tile and the ring (0 to 7, by distance from zero) of every frequency."""
    window = np.hanning(TILE_PX + 2)[1:-1]
    vertical = np.fft.fftfreq(TILE_PX)[:, None]
    horizontal = np.fft.rfftfreq(TILE_PX)[None, :]
    ring = np.minimum((np.maximum(np.abs(vertical), horizontal) * 16).astype(int), 7)
    return np.outer(window, window).astype(np.float32), ring


def _spectrum(tiles: Tiles, name: str) -> dict[str, float]:
    """How fast power falls from ring to ring of frequency, in log2 steps; the median of tiles.

    Enlarged pictures have a cliff, noise a shelf, sharpening a hump, compression empty rings.
    """
    window, ring = _bands()
    centred = (tiles - tiles.mean(axis=(1, 2), keepdims=True)) * window
    power = np.square(np.abs(np.fft.rfft2(centred))).reshape(len(tiles), -1)
    sums = np.stack([power[:, ring.ravel() == r].mean(axis=1) for r in range(8)], axis=1)
    # The floor is the power of rounding to whole grey levels.
    logs = np.log2(sums + 60.0)
    falls = np.median(logs[:, 1:] - logs[:, :-1], axis=0)
    found = {f"fall{r + 1}_{name}": float(falls[r]) for r in range(7)}
    return found | {f"top_ring_{name}": float(np.median(logs[:, 7]))}


def _noise(tiles: Tiles) -> dict[str, float]:
    """Deviation of what neither edges nor slopes explain, in grey levels, in calm and all tiles."""
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rest = np.stack([cv2.filter2D(tile, -1, kernel)[1:-1, 1:-1] for tile in tiles])
    size = np.abs(rest)
    # The median is deaf to edges, the mean is not: their ratio tells grain from detail.
    median = np.median(size, axis=(1, 2)) / 4.05
    mean = size.mean(axis=(1, 2)) / 4.79
    along = (rest[:, :, 1:] * rest[:, :, :-1]).sum() / (np.square(rest).sum() + 1)
    quantiles = np.quantile(mean, (0.0, 0.25, 0.5))
    return {
        "noise_min": float(np.log1p(quantiles[0])),
        "noise_p25": float(np.log1p(quantiles[1])),
        "noise_p50": float(np.log1p(quantiles[2])),
        "noise_median": float(np.log1p(np.median(median))),
        "noise_spike": float(np.median((mean + 0.05) / (median + 0.05))),
        "noise_corr": float(along),
    }


def _grid(tiles: NDArray[np.int16]) -> dict[str, float]:
    """Steps that recur every 8 px: the grid of JPEG blocks, where it is and where it was.

    A re-saved and shifted picture has its grid at another phase than 0; the highest phase is
    compared with the others. `zeros` is the share of fine DCT coefficients that vanish when
    blocks are cut at that phase, beyond those that vanish half a block away.
    """
    profiles = [_profile(tiles), _profile(tiles.transpose(0, 2, 1))]
    lifts = [_lift(p) for p in profiles]
    phase = [int(np.argmax(p)) for p in profiles]
    here = _vanishing(tiles, phase[1], phase[0])
    there = _vanishing(tiles, phase[1] + 4, phase[0] + 4)
    origin = _vanishing(tiles, 7, 7)
    return {
        "grid_least": min(lifts),
        "grid_most": max(lifts),
        "grid_at_origin": float(min(p[7] - np.median(p) for p in profiles)),
        "grid_agrees": float(phase[0] == phase[1]),
        "zeros": here,
        "zeros_gain": here - there,
        "zeros_gain_origin": origin - there,
    }


def _profile(tiles: NDArray[np.int16]) -> NDArray[np.float64]:
    """Mean excess of the step after column 8 k + phase over its two neighbours, float64[8]."""
    steps = np.minimum(np.abs(np.diff(tiles, axis=2)), _GRID_MAX_STEP)
    excess = (2 * steps[:, :, 1:-1] - steps[:, :, :-2] - steps[:, :, 2:]).mean(axis=(0, 1)) / 2
    # `excess[i]` is the step between columns i + 1 and i + 2.
    phases = (np.arange(len(excess)) + 1) % 8
    profile = np.array([excess[phases == phase].mean() for phase in range(8)])
    relative: NDArray[np.float64] = profile / (0.25 + steps.mean())
    return relative


def _lift(profile: NDArray[np.float64]) -> float:
    ordered = np.sort(profile)
    return float(ordered[-1] - ordered[-2])


@functools.cache
def _dct() -> NDArray[np.float32]:
    """The orthonormal 8-point DCT as a matrix."""
    k, n = np.arange(8)[:, None], np.arange(8)[None, :]
    matrix = np.cos(np.pi * (2 * n + 1) * k / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    return matrix.astype(np.float32)


def _vanishing(tiles: NDArray[np.int16], row: int, column: int) -> float:
    """Share of fine coefficients below half a grey level; a block starts after the given phase."""
    y, x = (row + 1) % 8, (column + 1) % 8
    count = (TILE_PX - 8) // 8
    cut = tiles[:, y : y + 8 * count, x : x + 8 * count].astype(np.float32)
    blocks = cut.reshape(-1, count, 8, count, 8).transpose(0, 1, 3, 2, 4)
    coefficients = _dct() @ blocks @ _dct().T
    fine = np.add.outer(np.arange(8), np.arange(8)) >= 5
    vanishing: NDArray[np.bool_] = np.abs(coefficients[..., fine]) < 0.6
    # Blocks without any detail say nothing about how it was coded.
    alive = np.abs(coefficients).sum(axis=(-1, -2)) - np.abs(coefficients[..., 0, 0]) > 24
    return float(vanishing[alive].mean()) if alive.any() else 0.0
