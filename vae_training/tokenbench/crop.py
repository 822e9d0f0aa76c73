"""A crop on its way into the set, and the count of what was left out."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vae_corpus.pictures.encode import lossless

Rgb = NDArray[np.uint8]
Box = tuple[float, float, float, float]
Level = Literal["file", "page", "crop"]

_LOOK_PX = 64


@dataclass(frozen=True, kw_only=True)
class Crop:
    """256 x 256 px as PNG, with the text that stands in them.

    `box` is left, top, right, bottom on the page `page` (from 1) of `source`, in the units of the
    page: points of a PDF, px of an image. `scale` is px of the crop for one of them. `look` is
    uint8[64, 64], a grey thumbnail.
    """

    png: bytes
    look: NDArray[np.uint8]
    text: str
    language: str
    kind: str
    source: str
    page: int
    box: Box
    scale: float
    glyph_px: float

    @property
    def chars(self) -> int:
        return len(self.text)


@dataclass
class LeftOut:
    """How many files, pages and regions gave nothing, by reason, and one example of each."""

    counts: Counter[tuple[Level, str]] = field(default_factory=Counter)
    examples: dict[tuple[Level, str], str] = field(default_factory=dict)

    def add(self, level: Level, slug: str, example: str, count: int = 1) -> None:
        if count:
            self.counts[level, slug] += count
            self.examples.setdefault((level, slug), example)

    def rows(self) -> list[dict[str, object]]:
        """For a file: level, reason, count and example, in the order of their names."""
        return [
            {"level": level, "reason": slug, "count": count, "example": self.examples[level, slug]}
            for (level, slug), count in sorted(self.counts.items())
        ]


def encoded(rgb: Rgb) -> tuple[bytes, NDArray[np.uint8]]:
    """`png` and `look` of a crop's pixels, uint8[256, 256, 3]."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    look: NDArray[np.uint8] = cv2.resize(grey, (_LOOK_PX, _LOOK_PX), interpolation=cv2.INTER_AREA)
    return lossless(rgb, "png"), look
