"""Where the detector of text finds lines in the 1:1 crops of text that the page shows."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from PIL import Image

from filters.ocr.engine import OcrUnavailable
from filters.settings import ScoreSettings
from filters.text_density import text_density
from pipelines.report.pictures import Shot
from vae_corpus.words import GENERAL, TEXT_SYNTH

# Each takes some .2 s of CPU time.
_CROPS = 24


def find_lines(
    rows: Sequence[Mapping[str, Any]],
    shots: Mapping[int, Shot],
    order: Sequence[int],
    settings: ScoreSettings,
) -> dict[int, list[list[int]]]:
    """Corners `[x0, y0, ... x3, y3]` in px of the crop, of every line, by number of row.

    The first rows of text in `order` that have a crop. None at all without a look
    for text, or where the machine that makes the page cannot load the models.
    """
    wanted = [
        i
        for i in order
        if i in shots and shots[i].detail and rows[i].get("kind") not in (None, GENERAL, TEXT_SYNTH)
    ]
    if not settings.text or not wanted:
        return {}
    try:
        density = text_density(settings.ocr)
        return {
            i: density.score_with_lines(_pixels(shots[i].detail))[1]
            .round()
            .astype(int)
            .reshape(-1, 8)
            .tolist()
            for i in wanted[:_CROPS]
        }
    except OcrUnavailable:
        return {}


def _pixels(webp: bytes) -> np.ndarray[Any, np.dtype[np.uint8]]:
    return np.asarray(Image.open(io.BytesIO(webp)).convert("RGB"))
