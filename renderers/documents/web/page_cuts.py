"""Where a long page is cut into pieces: in gaps between lines, where there are any."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

# Heights in CSS px. A piece is never shorter than the least, which leaves room for small scales.
MOST_PX, LEAST_PX = 1400, 700
# However long a page is, no more of it is drawn.
MAX_PIECES = 300


def cut(height: float, rows: NDArray[np.float32]) -> list[tuple[int, int]]:
    """(top, bottom) of pieces that follow each other and cover `height`, up to MAX_PIECES.

    `rows` float32[2 N]: tops and bottoms of lines of text, sorted, apart. Pieces are about equally
    high, each ends in the middle of a gap near its share, or at its share when there is none.
    """
    end = int(np.ceil(min(max(height, LEAST_PX), MAX_PIECES * MOST_PX)))
    # Room on both sides of an even cut, for gaps.
    reach = (MOST_PX - LEAST_PX) // 4
    count = int(np.ceil(end / (MOST_PX - 2 * reach))) if end > MOST_PX else 1
    gaps = _gaps(rows, end)
    cuts = [0]
    for number in range(1, count):
        cuts.append(_nearest(gaps, end * number / count, reach))
    cuts.append(end)
    return list(zip(cuts, cuts[1:], strict=False))


def _gaps(rows: NDArray[np.float32], end: int) -> NDArray[np.float64]:
    """float64[N, 2]: from the bottom of a line to the top of the next."""
    edges = np.concatenate([[0.0], rows.astype(np.float64), [float(end)]])
    if len(edges) % 2:
        edges = edges[:-1]
    return edges.reshape(-1, 2)


def _nearest(gaps: NDArray[np.float64], wanted: float, reach: float) -> int:
    """The middle of the widest gap within `reach`, of equals the nearest."""
    low = np.maximum(gaps[:, 0], wanted - reach)
    high = np.minimum(gaps[:, 1], wanted + reach)
    width = np.where(high > low, high - low, 0)
    if not len(width) or width.max() < 1:
        return round(wanted)
    middle = (low + high) / 2
    # A wider gap is as good as a paragraph's end; beyond that the nearest is best.
    enough = width >= min(float(width.max()), 12)
    best = np.flatnonzero(enough)[np.argmin(np.abs(middle[enough] - wanted))]
    return int(middle[best])
