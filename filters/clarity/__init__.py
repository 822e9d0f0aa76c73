"""Clarity: is a picture sharp, and free of compression damage and noise?

Features of 24 tiles at full resolution and a few hundred small trees: under a millisecond,
whatever the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from filters.clarity.features import features
from filters.clarity.model import WEIGHTS, detect, load, scores, without_defects
from filters.clarity.patches import tiles
from vae_corpus.pictures.decode import to_luma

__all__ = ["Clarity"]

# Raised when the same pixels and weights would give other scores.
_CODE_VERSION = 2
# A last JPEG quality of 70 and more does no visible harm; of 30 and less it certainly does.
_HARMLESS_QUALITY, _HARMFUL_QUALITY = 70.0, 30.0


@dataclass(frozen=True)
class Clarity:
    """Scores pictures with the trees of a weights file; each file is read once per process."""

    weights: Path = WEIGHTS

    @property
    def version(self) -> str:
        """Names all that the scores depend on."""
        return f"{_CODE_VERSION}; weights {load(self.weights).sha256[:16]}"

    def score(
        self, pixels: NDArray[np.uint8], jpeg_quality: float | None = None
    ) -> dict[str, float]:
        """`clarity` (1 = pristine) and `blur`, `compression`, `noise` (1 = surely), in [0, 1].

        Clarity is the geometric mean of what the three leave: one sure defect is enough to end it.

        `pixels` are uint8[H, W, 3] RGB or uint8[H, W] luma, from 64 px up (smaller pictures are
        mirrored up to it). Blur includes enlargement, noise includes over-sharpening. Without
        `jpeg_quality` the scores depend on the pixels alone; with it, a header that admits a low
        quality counts as well.
        """
        luma = pixels if pixels.ndim == 2 else to_luma(pixels)
        found = scores(detect(load(self.weights).trees, features(tiles(luma))))
        if jpeg_quality is not None:
            span = _HARMLESS_QUALITY - _HARMFUL_QUALITY
            harm = min(1.0, max(0.0, (_HARMLESS_QUALITY - jpeg_quality) / span))
            found["compression"] = max(found["compression"], harm)
        return {"clarity": without_defects(*found.values()), **found}
