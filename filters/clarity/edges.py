"""The shape of edges: how steep they are for their height, and whether they overshoot."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

Tiles = NDArray[np.float32]

# Fewer grey levels than this between both sides of an edge are noise rather than an edge.
_EDGE_LEVELS, _STEP_LEVELS = 16, 8
_REACH_PX = 9
# A profile reaches this far to both sides of an edge; of many edges the steepest serve.
_ARM_PX = 7
_MAX_PROFILES = 1500


def slopes(tiles: Tiles) -> dict[str, float]:
    """Steepest slope over contrast: 1 for a step edge, about 0.4 / sigma for a blurred one."""
    ratios = [_slopes(tiles), _slopes(tiles.transpose(0, 2, 1))]
    both = np.concatenate(ratios)
    high = [float(np.quantile(r, 0.9)) if len(r) else 0.0 for r in ratios]
    shares = (0.1, 0.5, 0.75, 0.9, 0.97)
    quantiles = np.quantile(both, shares) if len(both) else np.zeros(5)
    found = {f"slope_p{100 * s:.0f}": float(q) for s, q in zip(shares, quantiles, strict=True)}
    # Motion blurs one direction only.
    found["slope_gap"] = abs(high[0] - high[1])
    found["slope_least"] = min(high)
    found["edge_share"] = len(both) / (2 * tiles.size)
    return found


def _slopes(tiles: Tiles) -> NDArray[np.float32]:
    """Slope over contrast at the steepest places of edges along rows."""
    rows = np.ascontiguousarray(tiles).reshape(-1, tiles.shape[2])
    reach = np.ones((1, _REACH_PX), np.uint8)
    contrast = cv2.dilate(rows, reach) - cv2.erode(rows, reach)
    step = np.abs(cv2.Sobel(rows, cv2.CV_32F, 1, 0, ksize=1)) / 2
    peak = (step >= cv2.dilate(step, np.ones((1, 5), np.uint8))) & (contrast > _EDGE_LEVELS)
    ratio: NDArray[np.float32] = step[peak] / contrast[peak]
    return ratio


def overshoot(tiles: Tiles) -> dict[str, float]:
    """How far edges shoot beyond the levels on either side (halos), and their slope between those.

    Profiles across edges, along rows and columns, are turned to ascend and measured against the
    levels 5 to 7 px away.
    """
    found = dict.fromkeys(("over_p50", "over_p75", "over_p90", "far_p50", "far_p90", "ring"), 0.0)
    rising = _profiles(tiles)
    if len(rising) < 8:
        return found
    low, high = rising[:, :3].mean(axis=1), rising[:, -3:].mean(axis=1)
    span = np.maximum(high - low, _STEP_LEVELS)
    above = rising[:, _ARM_PX + 1 : _ARM_PX + 6].max(axis=1) - high
    below = low - rising[:, _ARM_PX - 4 : _ARM_PX + 1].min(axis=1)
    # Sharpening overshoots on both sides; a thin line beside an edge does on one.
    both = np.minimum(above, below) / span
    slope = (rising[:, _ARM_PX + 1] - rising[:, _ARM_PX]) / span
    typical = np.median((rising - low[:, None]) / span[:, None], axis=0)
    ring = typical[8:12].max() - typical[12:].mean() - typical[4:8].min() + typical[:4].mean()
    for name, values in (("over", both), ("far", slope)):
        for share in (50, 75, 90):
            if f"{name}_p{share}" in found:
                found[f"{name}_p{share}"] = float(np.quantile(values, share / 100))
    return found | {"ring": float(ring)}


def _profiles(tiles: Tiles) -> NDArray[np.float32]:
    """Grey levels across edges, float32[N, 16], ascending between the two middle samples."""
    rows = np.concatenate([tiles, tiles.transpose(0, 2, 1)]).reshape(-1, tiles.shape[2])
    step = np.diff(rows, axis=1)
    size = np.abs(step)
    inner = slice(_ARM_PX, -_ARM_PX)
    peak = size[:, inner] >= cv2.dilate(size, np.ones((1, _REACH_PX), np.uint8))[:, inner]
    row, column = np.nonzero(peak & (size[:, inner] > _STEP_LEVELS))
    column += _ARM_PX
    steepest = np.argsort(-size[row, column], kind="stable")[:_MAX_PROFILES]
    row, column = row[steepest], column[steepest]
    across = rows[row[:, None], column[:, None] + np.arange(-_ARM_PX, _ARM_PX + 2)]
    turned: NDArray[np.float32] = across * np.sign(step[row, column])[:, None]
    return turned
