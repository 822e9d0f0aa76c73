"""What an OCR engine must offer, whichever package does the work."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]
# Corners of each line clockwise from its top left, x before y, in px of the given picture.
Polygons = NDArray[np.float32]


class Line(NamedTuple):
    """A line of text, its four corners as float32[4, 2] in px, and a confidence in [0, 1]."""

    text: str
    polygon: NDArray[np.float32]
    confidence: float


class OcrEngine(Protocol):
    """Finds and reads text in uint8[H, W, 3] RGB of any size; what it gives depends on that alone.

    In particular it does not depend on earlier calls, on the number of threads, or on which lines
    were read together.
    """

    @property
    def engine_id(self) -> str:
        """Package, version, sha256 of the models and options: all that the results depend on."""
        ...

    def ready(self, *, to_read: bool = False) -> None:
        """Load the detector now, `to_read` also the recogniser.

        OcrUnavailable, with what to do, when they cannot run here.
        """
        ...

    def detect(self, rgb: Rgb) -> Polygons:
        """Lines of text at the given size, as float32[N, 4, 2]; none twice."""
        ...

    def read(self, rgb: Rgb) -> list[Line]:
        """Lines of text with what they say, from top to bottom and left to right."""
        ...

    def read_at(self, rgb: Rgb, polygon: NDArray[np.float32]) -> str:
        """What the one line says whose corners are float32[4, 2], clockwise from its top left."""
        ...


class OcrUnavailable(RuntimeError):
    """The engine cannot run here, whatever the picture; the message says what to do."""
