"""Traces of block coding: a grid of steps, and fine detail that is missing inside its blocks."""

from __future__ import annotations

import functools

import numpy as np
from numpy.typing import NDArray

from filters.clarity.tiles import TILE_PX

# Steps above this are edges of things, not borders of blocks.
_MAX_STEP = 12
# A coefficient below this is one that coding took away; a block below that had nothing to take.
_VANISHED, _ALIVE = 0.6, 24


def grid(tiles: NDArray[np.int16]) -> dict[str, float]:
    """Steps that recur every 8 px: the grid of JPEG blocks, where it is and where it was.

    A re-saved and shifted picture has its grid at another phase than the last; the strongest phase
    is compared with the others. `zeros` is the share of fine DCT coefficients that vanish when
    blocks are cut at that phase, `zeros_gain` what is left of it without those that vanish half
    a block away. WebP and AVIF leave weak grids of 4 and 16 px.
    """
    across, down = (_profile(t, 8) for t in (tiles, tiles.transpose(0, 2, 1)))
    column, row = int(np.argmax(across)), int(np.argmax(down))
    here = _vanishing(tiles, row, column)
    found = {
        "grid_least": min(_lift(across), _lift(down)),
        "grid_most": max(_lift(across), _lift(down)),
        "grid_at_origin": float(min(p[7] - np.median(p) for p in (across, down))),
        "grid_agrees": float(column == row),
        "zeros": here,
        "zeros_gain": here - _vanishing(tiles, row + 4, column + 4),
        "zeros_gain_origin": _vanishing(tiles, 7, 7) - _vanishing(tiles, 3, 3),
    }
    for period in (4, 16):
        both = [_profile(t, period) for t in (tiles, tiles.transpose(0, 2, 1))]
        found[f"grid{period}"] = min(_lift(p) for p in both)
        found[f"grid{period}_at_origin"] = float(min(p[-1] - np.median(p) for p in both))
    return found


def _profile(tiles: NDArray[np.int16], period: int) -> NDArray[np.float64]:
    """Mean excess of the step after each column over its neighbours, by column modulo `period`."""
    steps = np.minimum(np.abs(np.diff(tiles, axis=2)), _MAX_STEP)
    excess = (2 * steps[:, :, 1:-1] - steps[:, :, :-2] - steps[:, :, 2:]).mean(axis=(0, 1)) / 2
    # `excess[i]` is about the step between columns i + 1 and i + 2.
    phases = (np.arange(len(excess)) + 1) % period
    profile = np.array([excess[phases == phase].mean() for phase in range(period)])
    relative: NDArray[np.float64] = profile / (0.25 + steps.mean())
    return relative


def _lift(profile: NDArray[np.float64]) -> float:
    ordered = np.sort(profile)
    return float(ordered[-1] - ordered[-2])


def _vanishing(tiles: NDArray[np.int16], row: int, column: int) -> float:
    """Share of fine coefficients that vanish; a block starts after the given phases."""
    y, x = (row + 1) % 8, (column + 1) % 8
    count = (TILE_PX - 8) // 8
    cut = tiles[:, y : y + 8 * count, x : x + 8 * count].astype(np.float32)
    blocks = cut.reshape(-1, count, 8, count, 8).transpose(0, 1, 3, 2, 4)
    size = np.abs(_dct() @ blocks @ _dct().T)
    fine = np.add.outer(np.arange(8), np.arange(8)) >= 5
    alive = size.sum(axis=(-1, -2)) - size[..., 0, 0] > _ALIVE
    return float((size[..., fine][alive] < _VANISHED).mean()) if alive.any() else 0.0


@functools.cache
def _dct() -> NDArray[np.float32]:
    """The orthonormal 8-point DCT as a matrix."""
    k, n = np.arange(8)[:, None], np.arange(8)[None, :]
    matrix = np.cos(np.pi * (2 * n + 1) * k / 16) * np.where(k == 0, np.sqrt(1 / 8), 0.5)
    return matrix.astype(np.float32)
