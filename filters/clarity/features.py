"""Numbers that tell sharp from blurred, clean from compressed or noisy, off a few luma tiles.

Each looks at the shape of edges and textures rather than at their amount, which depends on what
the picture shows. "Busy" features come from the busiest tiles, "calm" ones from the calmest.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.clarity.edges import overshoot, slopes
from filters.clarity.grid import grid
from filters.clarity.spectrum import directions, falls, power_of
from filters.clarity.tiles import BUSY

Tiles = NDArray[np.float32]


def features(tiles: NDArray[np.uint8], short_side_px: int) -> dict[str, float]:
    """Named features of uint8[N, 64, 64] tiles, the busiest first. All finite."""
    exact = tiles.astype(np.int16)
    plain = tiles.astype(np.float32)
    busy, calm = plain[:BUSY], plain[-max(1, len(plain) // 3) :]
    power_busy = power_of(busy)
    found = {"log_short_side": float(np.log2(short_side_px))}
    found |= _amounts(exact)
    found |= slopes(busy) | overshoot(busy)
    found |= _correlations(busy, "busy") | _correlations(calm, "calm")
    found |= _reblur(busy)
    found |= falls(power_busy, "busy") | falls(power_of(calm), "calm") | directions(power_busy)
    found |= _residuals(plain)
    found |= grid(exact)
    return {name: value if np.isfinite(value) else 0.0 for name, value in found.items()}


def _amounts(tiles: NDArray[np.int16]) -> dict[str, float]:
    """Contrast, flatness (graphics), grey levels in use, clipped highlights and shadows."""
    steps = np.abs(np.diff(tiles, axis=2))
    activity = steps.mean(axis=(1, 2))
    levels = [np.count_nonzero(np.bincount(tile.ravel(), minlength=256)) for tile in tiles[:4]]
    return {
        "activity_busy": float(np.log1p(np.median(activity[:BUSY]))),
        "activity_calm": float(np.log1p(activity[-1])),
        "flat_busy": float((steps[:BUSY] == 0).mean()),
        "flat_all": float((steps == 0).mean()),
        "levels": float(np.log2(np.mean(levels))),
        "clipped": float(((tiles <= 1) | (tiles >= 254)).mean()),
        "deviation": float(np.log1p(tiles[:BUSY].std(axis=(1, 2)).mean())),
    }


def _correlations(tiles: Tiles, name: str) -> dict[str, float]:
    """How steps depend on the next ones: blur makes them alike, sharpening and noise opposite."""
    sums = np.zeros((2, 6))
    for axis, step in enumerate((np.diff(tiles, axis=2), np.diff(tiles, axis=1).swapaxes(1, 2))):
        step = np.ascontiguousarray(step)
        sums[axis, 0] = np.vdot(step, step)
        for lag in range(1, 6):
            sums[axis, lag] = np.einsum("nij,nij->", step[:, :, lag:], step[:, :, :-lag])
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


def _residuals(tiles: Tiles) -> dict[str, float]:
    """What neither slopes nor straight edges explain: grain where it is, dullness where it lacks.

    In blocks of 8 x 8 px the residual is set against the contrast: compression leaves contrast
    without any residual, noise leaves residual everywhere.
    """
    kernel = np.array([[1, -2, 1], [-2, 4, -2], [1, -2, 1]], np.float32)
    rest = np.stack([cv2.filter2D(tile, -1, kernel) for tile in tiles])
    size = np.abs(rest)
    # A median is deaf to edges, a mean is not: their ratio tells grain from detail. The divisors
    # make both the deviation of white noise.
    median, mean = np.median(size, axis=(1, 2)) / 4.05, size.mean(axis=(1, 2)) / 4.79
    along = np.einsum("nij,nij->", rest[:, :, 1:], rest[:, :, :-1]) / (np.vdot(rest, rest) + 1)
    lowest, quarter, half = np.quantile(mean, (0.0, 0.25, 0.5))
    found = {
        "noise_min": float(np.log1p(lowest)),
        "noise_p25": float(np.log1p(quarter)),
        "noise_p50": float(np.log1p(half)),
        "noise_median": float(np.log1p(np.median(median))),
        "noise_spike": float(np.median((mean + 0.05) / (median + 0.05))),
        "noise_along": float(along),
    }
    contrast = np.log2(_blocks(tiles).std(axis=1) + 0.3)
    residual = np.log2(_blocks(size).mean(axis=1) + 0.3)
    for name, values in (("contrast", contrast), ("residual", residual)):
        quantiles = np.quantile(values, (0.1, 0.25, 0.5, 0.75, 0.9))
        for share, value in zip((10, 25, 50, 75, 90), quantiles, strict=True):
            found[f"block_{name}_p{share}"] = float(value)
    shown = contrast > 1.2
    gap = (residual - contrast)[shown] if shown.any() else np.zeros(1)
    found["dull"] = float((residual[shown] < 0).mean()) if shown.any() else 0.0
    for share, value in zip((10, 50, 90), np.quantile(gap, (0.1, 0.5, 0.9)), strict=True):
        found[f"residual_over_contrast_p{share}"] = float(value)
    spread = contrast.std() * residual.std()
    covariance = ((contrast - contrast.mean()) * (residual - residual.mean())).mean()
    found["residual_follows"] = float(covariance / (spread + 1e-3))
    return found


def _blocks(tiles: Tiles) -> Tiles:
    """float32[N, 64, 64] as blocks of 8 x 8: float32[64 N, 64]."""
    cut = tiles.reshape(len(tiles), 8, 8, 8, 8).transpose(0, 1, 3, 2, 4)
    return cut.reshape(-1, 64)
