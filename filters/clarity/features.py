"""Numbers that tell sharp from blurred, clean from compressed or noisy, off a few luma tiles.

Each looks at the shape of edges and textures rather than at their amount, which depends on what
the picture shows. Edges and block grids are looked for in the busiest tiles only.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from filters.clarity import blocks, differences, edges, grid
from filters.clarity.patches import BUSY

NAMES = (*differences.NAMES, *edges.NAMES, *blocks.NAMES, *grid.NAMES)


def features(tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """The features of NAMES, float32[F], of float32[N, 64, 64] tiles, the busiest first."""
    busy = tiles[:BUSY]
    parts = (
        differences.measure(tiles, len(busy)),
        edges.measure(busy),
        blocks.measure(tiles),
        grid.measure(busy),
    )
    return np.concatenate(parts, dtype=np.float32)
