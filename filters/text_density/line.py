"""What a line of text looks like: enough to count its characters and to tell its script, unread.

A convolutional network of 116,000 weights sees the line laid down and counts, along it, Han and
other characters, and tells their em and whether it is writing at all: the detector takes some
fences and leaves for lines. It was trained on lines whose characters are known, framed as the
detector frames them, and on what the detector finds and nobody can read
(`benchmarks/fit_text_density.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import Rgb
from filters.text_density import network

WEIGHTS = Path(__file__).with_name("line.onnx")
# Lines are looked at this high, and at most so many times as long as high.
HEIGHT_PX, _MAX_RATIO = 24, 60
_MULTIPLE_PX = 4


def load() -> network.Network:
    """OcrUnavailable where it cannot run."""
    return network.load(WEIGHTS)


def estimate(
    rgb: Rgb, polygons: Sequence[NDArray[np.float32]] | NDArray[np.float32]
) -> NDArray[np.float64]:
    """Han characters, others, em in px and the chance of being text of each line: float64[N, 4].

    `polygons` are float32[4, 2] corners each, in px of uint8[H, W, 3].
    """
    found = np.zeros((len(polygons), 4))
    session = load().session
    for n, polygon in enumerate(polygons):
        across, down = _sides(polygon)
        line = upright(rgb, polygon)
        (found[n],) = session.run(None, {"line": line[None]})
        # A line that is longer than what is looked at has as many more.
        found[n, :2] *= max(1.0, max(across, down) / max(1.0, min(across, down)) / _MAX_RATIO)
        found[n, 2] *= min(across, down)
    return found


def upright(rgb: Rgb, polygon: NDArray[np.float32]) -> Rgb:
    """The line lying, uint8[24, W, 3], W a multiple of 4; a column of text is turned."""
    across, down = _sides(polygon)
    corners = polygon if across >= down else np.roll(polygon, 1, axis=0)
    ratio = max(across, down) / max(1.0, min(across, down))
    width = round(HEIGHT_PX * min(ratio, _MAX_RATIO) / _MULTIPLE_PX) * _MULTIPLE_PX
    width = max(2 * _MULTIPLE_PX, width)
    to = np.array([[0, 0], [width, 0], [0, HEIGHT_PX]], np.float32)
    matrix = cv2.getAffineTransform(np.ascontiguousarray(corners[[0, 1, 3]], np.float32), to)
    return np.asarray(
        cv2.warpAffine(rgb, matrix, (width, HEIGHT_PX), borderMode=cv2.BORDER_REPLICATE)
    )


def _sides(polygon: NDArray[np.float32]) -> tuple[float, float]:
    """How long the first side of a line is, and the one after it, in px."""
    return (
        float(np.linalg.norm(polygon[1] - polygon[0])),
        float(np.linalg.norm(polygon[3] - polygon[0])),
    )
