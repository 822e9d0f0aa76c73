"""An outline around the letters, as captions on photographs have it: their ink, grown."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from renderers.arrays import Picture
from renderers.page.ink_maps import Ink, paint_under


class Outline(NamedTuple):
    """How far an outline reaches from the ink in px, and how strong it is, 0 to 1."""

    width_px: int
    strength: float


def sample_outline(rng: np.random.Generator, size_px: int) -> Outline:
    """One px, or two around larger letters; from a haze to solid."""
    most = 1 + size_px // 12
    return Outline(
        width_px=int(rng.integers(1, most + 1)), strength=round(float(rng.uniform(0.5, 1.0)), 2)
    )


def paint_outline(page: Picture, ink: Ink, tones: npt.NDArray[np.uint8], outline: Outline) -> None:
    """Lay the outline of `ink` onto `page`, in place; `tones uint8[lines]` is each line's grey."""
    side = 2 * outline.width_px + 1
    disk = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    paint_under(
        page,
        ink,
        tones,
        outline.strength,
        lambda mask: np.asarray(cv2.dilate(mask, disk), dtype=np.uint8),
    )
