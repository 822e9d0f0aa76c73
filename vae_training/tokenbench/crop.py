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
    uint8[64, 64], a grey thumbnail; `contrast_levels` is as the function of this name gives it.
    """

    png: bytes
    look: NDArray[np.uint8]
    contrast_levels: int
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
    """How many pages and regions gave nothing, by reason, with an example of each; every file."""

    counts: Counter[tuple[Level, str]] = field(default_factory=Counter)
    examples: dict[tuple[Level, str], str] = field(default_factory=dict)
    files: list[tuple[str, str]] = field(default_factory=list)

    def add(self, level: Level, slug: str, example: str, count: int = 1) -> None:
        if count:
            self.counts[level, slug] += count
            self.examples.setdefault((level, slug), example)
        if level == "file":
            self.files.append((slug, example))

    def merge(self, other: LeftOut) -> None:
        """Add what another one counted, as if it had come after."""
        self.counts.update(other.counts)
        self.examples = other.examples | self.examples
        self.files += other.files

    def rows(self) -> list[dict[str, object]]:
        """For a file on disk: level, reason, count and example; each document has its own row."""
        named: list[dict[str, object]] = [
            {"level": "file", "reason": slug, "count": 1, "example": example}
            for slug, example in sorted(self.files)
        ]
        return named + [row for row in self.totals() if row["level"] != "file"]

    def totals(self) -> list[dict[str, object]]:
        """As `rows`, with one row for all documents of a reason."""
        order = {"file": 0, "page": 1, "crop": 2}
        return [
            {"level": level, "reason": slug, "count": count, "example": self.examples[level, slug]}
            for (level, slug), count in sorted(
                self.counts.items(), key=lambda item: (order[item[0][0]], item[0][1])
            )
        ]


def encoded(rgb: Rgb) -> tuple[bytes, NDArray[np.uint8]]:
    """`png` and `look` of a crop's pixels, uint8[256, 256, 3]."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    look: NDArray[np.uint8] = cv2.resize(grey, (_LOOK_PX, _LOOK_PX), interpolation=cv2.INTER_AREA)
    return lossless(rgb, "png"), look


def contrast_levels(rgb: Rgb) -> int:
    """Levels of luma, of 255, between the paper and the strokes on it.

    Paper is the commonest level; of the pixels that differ from it most, 5 % are taken for the
    middle of strokes, whose edges are softened.
    """
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    paper = int(np.bincount(grey.ravel(), minlength=256).argmax())
    return int(np.quantile(np.abs(grey.astype(np.int16) - paper), 0.95))
