"""How many bytes an image will take in a shard, told before anything is encoded.

What keeps its bytes is known. The others are told by what the original takes for each of its
pixels, which says how much there is to see, and a JPEG by its quality as well. Fitted on 2,574
crops of photographs and 400 pages of documents (`benchmarks/pack_runs.py`); over all images of a
format the sums are right there, and within a tenth for each rung. A single image is off by a fifth
(a PNG by two fifths), which evens out over the hundreds of a shard.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from pipelines.config import PackSettings
from vae_corpus.words import GENERAL

# Two headers, the label, and what both files are padded with.
_TAR_BYTES = 2000
# A JPEG of another quality than 96 has so many times its bytes.
_QUALITIES = (80, 85, 90, 93, 96, 98, 100)
_QUALITY_FACTORS = (0.42, 0.49, 0.62, 0.74, 1.0, 1.29, 2.05)
# Lossless WebP for each byte of PNG, of pages.
_WEBP_SHARE = 0.52
# Bytes per pixel of what the original tells nothing about: a photograph made smaller, and as PNG,
# and tiles of pages that were drawn or kept without loss.
_SMALLER, _PNG, _TILE = 0.42, 0.95, 0.3
# What a JPEG whose tables say nothing is taken for.
_USUAL_QUALITY = 90


def stored_bytes_sql(pack: PackSettings, kept: Collection[str], large: str) -> str:
    """Bytes in the tar of a kept row; `kept` formats stay as they are unless `large` holds."""
    quality = float(np.interp(pack.jpeg_quality, _QUALITIES, _QUALITY_FACTORS))
    lossless = _WEBP_SHARE if pack.text_format == "webp" else 1.0
    formats = ", ".join(f"'{name}'" for name in sorted(kept))
    each = '("bytes" / (width::DOUBLE * height))'
    lower = f"exp(-0.0375 * coalesce(jpeg_quality, {_USUAL_QUALITY}))"
    scale = "(rung::DOUBLE / side)"
    tiles = "(len(tiles) * tiles[1].width::DOUBLE * tiles[1].height)"
    return f"""
        CASE WHEN kind <> '{GENERAL}' THEN len(tiles) * {_TAR_BYTES} + {lossless} * {tiles}
             * CASE format WHEN 'jpeg' THEN 97.0 * {each} * {lower}
                           WHEN 'png' THEN 0.914 * {each} ** 0.96
                           ELSE {_TILE} END
        WHEN {large} THEN {_TAR_BYTES} + {quality} * width::DOUBLE * height * {scale} ** 2
             * CASE format WHEN 'jpeg' THEN 38.8 * {each} ** 0.84 * {scale} ** -0.42 * {lower}
                           WHEN 'png' THEN 0.349 * {each} ** 0.6 * {scale} ** -0.34
                           WHEN 'webp' THEN 1.11 * {each} ** 0.48 * {scale} ** -0.4
                           ELSE {_SMALLER} END
        WHEN format IN ({formats}) THEN {_TAR_BYTES} + "bytes"
        ELSE {_TAR_BYTES} + {_PNG} * width * height END
    """
