"""Perceptual hash: two hashes and two brightness figures that survive re-encoding and scaling.

`phash` keeps the signs of the 64 lowest frequencies of a 32 x 32 thumbnail; it is short, so that a
database can join on parts of it. All pages of text look alike at that size, so `phash_fine` keeps
the signs of 256 frequencies of a 128 x 128 thumbnail, over which lines and paragraphs differ, to
verify what the join finds.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vae_corpus.score_types import Column, Score, always

# Raised when the same pixels would give another hash.
VERSION = "1"

_SMALL_PX, _SMALL_BANDS = 32, 8
_FINE_PX, _FINE_BANDS = 128, 16

SCORE = Score(
    name="perceptual_hash",
    columns=(
        Column(name="phash", type=pa.uint64(), meaning="hash of 64 bits"),
        Column(name="phash_fine", type=pa.binary(32), meaning="hash of 256 bits"),
        Column(
            name="luma_mean",
            type=pa.float32(),
            meaning="mean brightness, 0 to 255",
            title="Mean brightness",
        ),
        Column(name="luma_std", type=pa.float32(), meaning="its standard deviation, 0 to 128"),
    ),
    prepare=always(VERSION, lambda look: perceptual_hash(look.rgb)),
)


def perceptual_hash(rgb: NDArray[np.uint8]) -> dict[str, Any]:
    """`phash` int in [0, 2^64), `phash_fine` 32 bytes, `luma_mean` and `luma_std` in [0, 255].

    `rgb` is uint8[H, W, 3] of any size. Hashes are compared by the number of bits that differ.
    """
    # Averaging over areas first makes the thumbnail the same from any size of the same picture,
    # and grey costs a third when it comes after.
    fine = cv2.cvtColor(_thumbnail(rgb, _FINE_PX), cv2.COLOR_RGB2GRAY).astype(np.float32)
    small = _thumbnail(fine, _SMALL_PX)
    return {
        "phash": int.from_bytes(_signs(small, _SMALL_BANDS), "big"),
        "phash_fine": _signs(fine, _FINE_BANDS),
        "luma_mean": float(fine.mean()),
        "luma_std": float(fine.std()),
    }


def _thumbnail(picture: NDArray[Any], side_px: int) -> NDArray[Any]:
    thumbnail: NDArray[Any] = cv2.resize(picture, (side_px, side_px), interpolation=cv2.INTER_AREA)
    return thumbnail


def _signs(grey: NDArray[np.float32], bands: int) -> bytes:
    """Whether each of the lowest `bands` x `bands` frequencies is above their median, as bits."""
    low = cv2.dct(grey)[:bands, :bands].ravel()
    # The first is the mean, which says nothing of shapes and would pull the median.
    bits = low > np.median(low[1:])
    return np.packbits(bits).tobytes()
