"""A shadow or glow under the letters: their ink moved, softened and laid down first."""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from renderers.arrays import Picture
from renderers.page.ink_maps import Ink, paint_under


class Shadow(NamedTuple):
    """Where a shadow falls, px right and down; the sigma of its blur in px; how strong, 0 to 1."""

    right_px: int
    down_px: int
    blur_px: float
    strength: float


def sample_shadow(rng: np.random.Generator, size_px: int) -> Shadow:
    """A shadow of up to a tenth of an em, one px at the least, to any side or straight below."""
    reach = max(1, size_px // 10)
    return Shadow(
        right_px=int(rng.integers(-1, 2)) * reach,
        down_px=reach,
        blur_px=round(float(rng.uniform(0, 0.12)) * size_px, 2),
        strength=round(float(rng.uniform(0.4, 0.9)), 2),
    )


def paint_shadow(page: Picture, ink: Ink, tones: npt.NDArray[np.uint8], shadow: Shadow) -> None:
    """Lay the shadow of `ink` onto `page`, in place; `tones uint8[lines]` is each line's grey."""

    def spread(mask: Picture) -> Picture:
        move = np.array([[1, 0, shadow.right_px], [0, 1, shadow.down_px]], dtype=np.float64)
        moved = cv2.warpAffine(mask, move, mask.shape[::-1], flags=cv2.INTER_NEAREST)
        # Narrower blurs than this do nothing to whole pixels.
        if shadow.blur_px < 0.3:
            return np.asarray(moved, dtype=np.uint8)
        return np.asarray(cv2.GaussianBlur(moved, (0, 0), shadow.blur_px), dtype=np.uint8)

    paint_under(page, ink, tones, shadow.strength, spread)
