"""Clarity: is a picture sharp, and free of compression damage and noise?

Features of 24 tiles at full resolution and a few hundred small trees: under a millisecond,
whatever the size.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from filters.clarity.features import features
from filters.clarity.model import WEIGHTS, detect, load, scores, without_defects
from filters.clarity.patches import tiles
from vae_corpus.expressions import case, column, setting
from vae_corpus.pictures.decode import to_luma
from vae_corpus.score_types import Column, DropRule, Look, Prepared, Score, Threshold
from vae_corpus.words import DOCUMENT, GENERAL, TEXT_REAL

__all__ = ["SCORE", "Clarity"]

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
        found = self._found(features(tiles(luma)))
        if jpeg_quality is not None:
            span = _HARMLESS_QUALITY - _HARMFUL_QUALITY
            harm = min(1.0, max(0.0, (_HARMLESS_QUALITY - jpeg_quality) / span))
            found["compression"] = max(found["compression"], harm)
        return {"clarity": without_defects(*found.values()), **found}

    def measure(self, look: Look) -> dict[str, float]:
        """As `score`, of pixels alone: a header's quality has a column of its own."""
        found = self._found(texture(look))
        return {"clarity": without_defects(*found.values()), **found}

    def _found(self, values: NDArray[np.float32]) -> dict[str, float]:
        return scores(detect(load(self.weights).trees, values))


def texture(look: Look) -> NDArray[np.float32]:
    """The features of the whole picture, which text density asks for as well."""
    return look.shared("texture", lambda: features(tiles(look.luma)))


def _prepare(settings: object) -> Prepared:
    clarity = Clarity()
    return Prepared(version=clarity.version, measure=clarity.measure)


def _column(name: str, meaning: str, title: str | None, *, index: bool = False) -> Column:
    return Column(
        name=name, type=pa.float32(), meaning=meaning, title=title, label=True, index=index
    )


_noise, _compression, _blur = column("noise"), column("compression"), column("blur")
_unclear = column("clarity") < case(
    (column("kind").equals(GENERAL), setting("min_clarity")),
    otherwise=setting("min_clarity_text"),
)

SCORE = Score(
    name="clarity",
    columns=(
        _column("clarity", "0 to 1 = pristine", "Clarity", index=True),
        _column("blur", "0 to 1 = surely blurred or enlarged", "Blur"),
        _column("compression", "0 to 1 = surely damaged by a codec", "Compression"),
        _column("noise", "0 to 1 = surely noisy or over-sharpened", "Noise"),
    ),
    prepare=_prepare,
    thresholds=(
        Threshold(
            setting="min_clarity",
            default=0.45,
            most=1,
            about="drop general images below this clarity (0 keeps all); 0.45 drops some 5 % of"
            " pristine pictures and over 90 % of damaged ones, 0.2 some 1 % and over 75 %",
            column="clarity",
            title="Clarity of general images",
            kinds=(GENERAL,),
            high=1,
            step=0.01,
        ),
        Threshold(
            setting="min_clarity_text",
            default=0.2,
            most=1,
            about="the same for text: sharp small print is what counts there",
            column="clarity",
            title="Clarity of text",
            kinds=(TEXT_REAL, DOCUMENT),
            high=1,
            step=0.01,
        ),
    ),
    # What is not clear is named by the worst of the three faults.
    drops=(
        DropRule(slug="noisy", when=_unclear & (_noise >= _blur) & (_noise >= _compression)),
        DropRule(slug="compressed", when=_unclear & (_compression >= _blur)),
        DropRule(slug="blurred", when=_unclear),
    ),
)
