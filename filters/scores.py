"""The scores of a build, in order: a new one is listed here."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from filters import (
    clarity,
    ink,
    layout,
    page_regions,
    perceptual_hash,
    text_density,
    text_marks,
    text_sketch,
)
from filters.settings import ScoreSettings
from vae_corpus.characters import KnownText
from vae_corpus.score_types import Column, Look, Score
from vae_corpus.tables import INDEX_SCHEMA, PICTURE_COLUMNS, VERDICT_COLUMNS
from vae_corpus.words import DOCUMENT

# The filters look at tiles of so many px. Smaller pictures are listed with their size alone, and
# the plan drops them as too small.
MIN_SCORED_PX = 64

# Drop rules are asked in this order: the first that holds gives the slug.
SCORES: tuple[Score[Any], ...] = (
    perceptual_hash.SCORE,
    ink.SCORE,
    clarity.SCORE,
    text_density.SCORE,
    layout.SCORE,
    text_sketch.SCORE,
    text_marks.SCORE,
    page_regions.SCORE,
)
COLUMNS: tuple[Column, ...] = tuple(column for score in SCORES for column in score.columns)
SCORE_SCHEMA = pa.schema(
    [
        (column.name, column.type)
        for column in (*PICTURE_COLUMNS, *COLUMNS, *VERDICT_COLUMNS)
        if column.sql is None
    ]
)
INDEX_FIELDS: tuple[pa.Field, ...] = tuple(
    pa.field(column.name, column.type) for column in COLUMNS if column.index
)
# A row of the index of a packed shard.
PACKED_INDEX_SCHEMA = pa.schema([*INDEX_SCHEMA, *INDEX_FIELDS])


class Scores:
    """All scores that the settings ask for."""

    def __init__(self, settings: ScoreSettings) -> None:
        prepared = {score.name: score.prepare(settings) for score in SCORES}
        self.versions = {name: p.version if p else None for name, p in prepared.items()}
        self._ready = [p.ready for p in prepared.values() if p]
        self._measures = {
            column.name: p.measure
            for score in SCORES
            if (p := prepared[score.name])
            for column in score.columns
            if column.sql is None
        }

    def ready(self) -> None:
        """Load models and compile loops, which may take many seconds."""
        for ready in self._ready:
            ready()
        self.measure(np.full((MIN_SCORED_PX, MIN_SCORED_PX, 3), 128, np.uint8), content=DOCUMENT)

    def measure(
        self, rgb: NDArray[np.uint8], *, content: str = "auto", known: KnownText | None = None
    ) -> dict[str, Any]:
        """The columns of all scores of uint8[H, W, 3], from 64 px up; see `Look`."""
        look = Look(rgb, content=content, known=known, measures=self._measures)
        return {column: look.value(column) for column in self._measures}
