"""What both engines do alike: find lines in a map made of windows, and read them one by one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import Line, Polygons, Rgb
from filters.ocr.lines import blocks, cut_out, in_reading_order, reading_order
from filters.ocr.windows import MARGIN_PX, WINDOW_PX, Map, probability_map

# Larger pictures are cut into blocks of this side, to bound the memory of the probability map to
# 268 MB. Scans of A4 at 300 dpi stay whole, also at twice their size.
BLOCK_PX = 8192


@dataclass(frozen=True, kw_only=True)
class OcrOptions:
    """Thresholds on the detector's probability and the size at which lines are read.

    `unclip` grows the shrunken cores that the detector finds back to whole lines. Letters below
    10 px are read much better at twice their size (`read_scale`).
    """

    threshold: float = 0.3
    box_threshold: float = 0.5
    unclip: float = 1.6
    read_scale: float = 2.0
    min_confidence: float = 0.5


class WindowedEngine(ABC):
    """An OCR engine out of three parts: the map of a window, lines of a map, what a line says."""

    def __init__(self, options: OcrOptions | None) -> None:
        self.options = options or OcrOptions()

    def detect(self, rgb: Rgb) -> Polygons:
        """Lines at the given size, as float32[N, 4, 2] in px, none twice.

        In pictures above 8,192 px a line may be cut into two at the border of a block.
        """
        found = [
            self._detect_block(block) + np.array([x, y], np.float32)
            for x, y, block in blocks(rgb, BLOCK_PX)
        ]
        return in_reading_order(np.concatenate(found))

    def read(self, rgb: Rgb) -> list[Line]:
        """Lines and what they say, found and read at `read_scale`; corners in px of `rgb`.

        Lines below `min_confidence` are left out. In pictures above 4,096 px a line may be cut
        into two at the border of a block; their parts stand where they belong.
        """
        scale, lines = self.options.read_scale, []
        for x, y, block in blocks(rgb, int(BLOCK_PX / scale)):
            large = cv2.resize(block, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
            for polygon in self._detect_block(large):
                text, confidence = self.read_line(cut_out(large, polygon))
                if text and confidence >= self.options.min_confidence:
                    lines.append(
                        Line(text, polygon / scale + np.array([x, y], np.float32), confidence)
                    )
        order = reading_order(np.array([line.polygon for line in lines]).reshape(-1, 4, 2))
        return [lines[n] for n in order]

    def read_at(self, rgb: Rgb, polygon: NDArray[np.float32]) -> str:
        """What a line says whose place is known, read at `read_scale`, whatever its confidence."""
        scale = self.options.read_scale
        large = cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        return self.read_line(cut_out(large, polygon.astype(np.float32) * scale))[0]

    @abstractmethod
    def read_line(self, rgb: Rgb) -> tuple[str, float]:
        """Text and confidence of the one line that fills uint8[H, W, 3], read at its own size."""

    @abstractmethod
    def _map(self, window: Rgb) -> Map:
        """float32[H, W]: how likely each pixel of a window is inside a line."""

    @abstractmethod
    def _boxes(self, probability: Map) -> Polygons:
        """The lines of a map, in any order."""

    def _detect_block(self, rgb: Rgb) -> Polygons:
        height, width = rgb.shape[:2]
        found = self._boxes(probability_map(rgb, self._map))
        return in_reading_order(np.clip(found, 0, np.array([width, height], np.float32)))

    def _id(self, *parts: str) -> str:
        """`engine_id` out of what is an engine's own, and what both share."""
        return "; ".join([*parts, f"windows {WINDOW_PX}+{MARGIN_PX} px", str(self.options)])
