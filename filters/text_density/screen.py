"""The first step of text density: where could there be text? Cheap, and careful not to lose any.

A convolutional network of 112,000 weights looks at the colours of a picture and says for each
square of 8 px how likely it lies under writing. It was trained on blocks of text from a few letters
to whole pages, over photographs and patterns, and on pictures without any
(`benchmarks/fit_text_density.py`).
"""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import Rgb
from filters.text_density import network

WEIGHTS = Path(__file__).with_name("screen.onnx")
STRIDE_PX = 8
# The network halves its map once more, so sides must be multiples of this.
_MULTIPLE_PX = 16
# It sees the picture through windows, with more around them than any output depends on.
_WINDOW_PX, _MARGIN_PX = 1024, 96


def load() -> network.Network:
    """OcrUnavailable where it cannot run."""
    return network.load(WEIGHTS)


def chances(rgb: Rgb) -> NDArray[np.float32]:
    """How likely each square of 8 px of uint8[H, W, 3] lies under writing.

    float32[ceil(H / 8), ceil(W / 8)] in [0, 1].
    """
    height, width = rgb.shape[:2]
    session = load().session
    whole = np.empty((-(-height // STRIDE_PX), -(-width // STRIDE_PX)), np.float32)
    for top in range(0, height, _WINDOW_PX):
        for left in range(0, width, _WINDOW_PX):
            y, x = max(top - _MARGIN_PX, 0), max(left - _MARGIN_PX, 0)
            seen = rgb[y : top + _WINDOW_PX + _MARGIN_PX, x : left + _WINDOW_PX + _MARGIN_PX]
            pad = [-side % _MULTIPLE_PX for side in seen.shape[:2]]
            seen = cv2.copyMakeBorder(seen, 0, pad[0], 0, pad[1], cv2.BORDER_REPLICATE)
            (found,) = session.run(None, {"rgb": seen[None]})
            part = whole[
                top // STRIDE_PX : (top + _WINDOW_PX) // STRIDE_PX,
                left // STRIDE_PX : (left + _WINDOW_PX) // STRIDE_PX,
            ]
            from_ = (top - y) // STRIDE_PX, (left - x) // STRIDE_PX
            rows, columns = part.shape
            part[:] = found[0, from_[0] : from_[0] + rows, from_[1] : from_[1] + columns]
    return whole
