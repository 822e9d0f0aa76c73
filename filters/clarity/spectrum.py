"""What the spectrum of tiles shows: cliffs of enlarging, shelves of noise, directions of motion."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.clarity.tiles import TILE_PX

Tiles = NDArray[np.float32]

_RINGS, _SECTORS = 8, 8
# Coarse, middle and fine detail, in cycles per px.
_BANDS = ((0.06, 0.16), (0.16, 0.3), (0.3, 0.5))
# The power of rounding to whole grey levels: what is below it is not a property of the picture.
_ROUNDING_POWER = 60.0


def falls(power: NDArray[np.float32], name: str) -> dict[str, float]:
    """How fast power falls from ring to ring of frequency, in log2 steps; the median of tiles.

    Enlarged pictures have a cliff, noise a shelf, sharpening a hump, compression empty rings.
    """
    ring = _rings()
    sums = np.stack([power[:, ring == r].mean(axis=1) for r in range(_RINGS)], axis=1)
    logs = np.log2(sums)
    steps = np.median(np.diff(logs, axis=1), axis=0)
    found = {f"fall{r + 1}_{name}": float(steps[r]) for r in range(_RINGS - 1)}
    return found | {f"top_ring_{name}": float(np.median(logs[:, -1]))}


def directions(power: NDArray[np.float32]) -> dict[str, float]:
    """How unevenly power is spread over directions, in log2, for three bands of frequency.

    Motion takes fine detail away along its direction, and less of the coarse.
    """
    profiles = []
    for sectors in _sectors():
        logs = np.log2(power @ sectors.T)
        profiles.append(np.median(logs - logs.mean(axis=1, keepdims=True), axis=0))
    coarse, _, fine = profiles
    found = {f"uneven{band}": float(np.ptp(p)) for band, p in enumerate(profiles)}
    found |= {f"uneven{band}_off": float(np.ptp(p[1:7])) for band, p in enumerate(profiles)}
    found["uneven_agrees"] = float(np.dot(coarse - coarse.mean(), fine - fine.mean()))
    found["uneven_grows"] = float(np.ptp(fine - coarse))
    return found


def power_of(tiles: Tiles) -> NDArray[np.float32]:
    """Power at every frequency of tiles, plus that of rounding: float32[N, 64 * 33]."""
    taper = np.hanning(TILE_PX + 2)[1:-1].astype(np.float32)
    centred = (tiles - tiles.mean(axis=(1, 2), keepdims=True)) * np.outer(taper, taper)
    power = np.square(np.abs(np.fft.rfft2(centred))) + _ROUNDING_POWER
    return power.reshape(len(tiles), -1).astype(np.float32)


@functools.cache
def _rings() -> NDArray[np.int64]:
    """The ring 0 to 7, by distance from zero, of every frequency."""
    vertical, horizontal = _frequencies()
    distance = np.maximum(np.abs(vertical), horizontal)
    ring: NDArray[np.int64] = np.minimum((distance * 2 * _RINGS).astype(np.int64), _RINGS - 1)
    return ring.ravel()


@functools.cache
def _sectors() -> list[NDArray[np.float32]]:
    """For each band the share of every frequency in 8 sectors of direction: float32[8, F]."""
    vertical, horizontal = _frequencies()
    radius = np.hypot(vertical, horizontal)
    turn = (np.arctan2(vertical + 0 * horizontal, horizontal + 0 * vertical) / np.pi + 0.5) % 1
    sector = np.minimum((turn * _SECTORS).astype(int), _SECTORS - 1)
    shares = []
    for low, high in _BANDS:
        inside = (radius >= low) & (radius < high)
        chosen = np.stack([(inside & (sector == s)).ravel() for s in range(_SECTORS)])
        shares.append((chosen / chosen.sum(axis=1, keepdims=True)).astype(np.float32))
    return shares


def _frequencies() -> tuple[NDArray[Any], NDArray[Any]]:
    return np.fft.fftfreq(TILE_PX)[:, None], np.fft.rfftfreq(TILE_PX)[None, :]
