"""Numbers that tell sharp from blurred, clean from compressed or noisy, off a few luma tiles.

Each looks at the shape of edges and textures rather than at their amount, which depends on what
the picture shows. "Busy" features come from the busiest tiles, "calm" ones from the calmest.
"""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from filters.clarity import blocks, differences, edges, grid
from filters.clarity.compiled import EXACT
from filters.clarity.tiles import BUSY

_CALM = 8
_RATIOS, _RINGS = len(differences.NAMES), 8
NAMES = (
    *(f"{name}_{of}" for name in differences.NAMES for of in ("low", "busy", "high", "calm")),
    "amount_least",
    "residual_least",
    *differences.DIRECTION_NAMES,
    *edges.NAMES,
    *blocks.NAMES,
    *grid.NAMES,
)


def features(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """The features of NAMES, float32[F], of float32[N, 64, 64] tiles, the busiest first."""
    found: NDArray[np.float32] = _features(tiles)
    return found


@njit(**EXACT)
def _features(tiles):  # type: ignore[no-untyped-def]
    out = np.zeros(len(NAMES))
    count = len(tiles)
    busy = min(count, BUSY)
    calm = max(0, count - _CALM)
    sums = np.zeros((count, differences._SUMS))
    ratios = np.zeros((count, _RATIOS))
    counts = np.zeros((blocks._CONTRASTS, blocks._RESIDUALS), np.int64)
    along, across = np.zeros(edges._EDGES), np.zeros(edges._EDGES)
    overs, profile = np.zeros(edges._BINS, np.int64), np.zeros(16)
    columns, rows = np.zeros(8), np.zeros(8)
    turned = np.empty((64, 64), np.float32)
    for t in range(count):
        tile = tiles[t]
        differences.sums(tile, sums[t])
        differences.ratios(sums[t], ratios[t])
        blocks.histogram(tile, counts)
        if t < busy:
            for i in range(64):
                for j in range(64):
                    turned[j, i] = tile[i, j]
            edges.slopes(tile, along)
            edges.slopes(turned, across)
            edges.profiles(tile, overs, profile)
            edges.profiles(turned, overs, profile)
            grid.responses(tile, columns, rows)
    at = 0
    for n in range(_RATIOS):
        ordered = np.sort(ratios[:busy, n])
        out[at] = ordered[busy // 4]
        out[at + 1] = ordered[busy // 2]
        out[at + 2] = ordered[3 * busy // 4]
        out[at + 3] = np.median(ratios[calm:, n])
        at += 4
    out[at], out[at + 1] = ratios[:, 0].min(), ratios[:, 15].min()
    at += 2
    differences.directions(sums, busy, out[at:])
    at += len(differences.DIRECTION_NAMES)
    edges.shape(along, across, overs, profile, busy * 4096.0, out[at:])
    at += len(edges.NAMES)
    blocks.shape(counts, out[at:])
    at += len(blocks.NAMES)
    row, column = grid.phase(columns, rows, out[at:])
    at += 6
    _spectrum(tiles[:busy], row, column, turned, out[at:])
    return out.astype(np.float32)


@njit(**EXACT)
def _spectrum(tiles, row, column, half, out):  # type: ignore[no-untyped-def]
    sizes = np.empty((8, 8))
    of_tiles = np.empty((len(tiles), _RINGS))
    counts = np.zeros((len(grid._AT), grid._COMB_LEVELS), np.int64)
    gone = np.zeros(5)
    for t in range(len(tiles)):
        a, b, c, d, alive = grid.coefficients(tiles[t], row, column, half, sizes, counts)
        gone += np.array([a, b, c, d, alive])
        grid.rings(sizes, of_tiles[t])
    for n in range(_RINGS):
        out[n] = np.median(of_tiles[:, n])
    # 28 fine and 26 middle coefficients a block.
    number = max(1.0, gone[4])
    out[_RINGS] = gone[0] / (28 * number)
    out[_RINGS + 1] = gone[1] / (26 * number)
    out[_RINGS + 2] = gone[2] / (28 * number)
    out[_RINGS + 3] = gone[3] / (26 * number)
    grid.comb(counts, out[_RINGS + 4 :])
