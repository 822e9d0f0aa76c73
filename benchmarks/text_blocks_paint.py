"""Ink on a ground: colours, plates, outlines, shadows, and what saving does to them.

Luma is that of BT.601. What a person could not read is refused: letters need so many levels of luma
by their em, and no spot of the ground as large as a letter or as a stroke may look like ink.
"""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]

# Of plain letters, shadows, gradients, plates and outlines.
_STYLES = (0.46, 0.14, 0.1, 0.16, 0.14)


def detail(rgb: Rgb) -> float:
    """Mean steps of luma from pixel to pixel, in levels: under 10 to the eye smooth."""
    luma = luma_of(rgb)
    return float(abs(np.diff(luma, axis=0)).mean() + abs(np.diff(luma, axis=1)).mean())


def luma_of(rgb: NDArray[Any]) -> Floats:
    return np.asarray(rgb, np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)


def _needed(em_px: float, han: bool) -> float:
    """Levels of luma that letters of so small an em need to be read; strokes grow thin with it."""
    return float(np.interp(em_px, (5, 8, 10, 12, 16), (90, 62, 48, 36, 20))) * (1.25 if han else 1)


def paint(
    ground: Rgb, cover: Floats, em_px: float, drawn_em: float, han: bool, rng: np.random.Generator
) -> tuple[Rgb, float] | None:
    """Ink 20 to 160 levels from the mean of the ground around it; None where it is hard to read."""
    style = str(rng.choice(["plain", "shadow", "gradient", "plate", "outline"], p=_STYLES))
    canvas = ground.astype(np.float32)
    near = cv2.dilate(cover, np.ones((2 * int(0.6 * drawn_em) + 1,) * 2)) > 0.1
    if style == "plate":
        canvas = _plated(canvas, near, drawn_em, rng)
    luma = luma_of(canvas)
    mean = float(luma[near].mean())
    soft = cv2.GaussianBlur(luma, (0, 0), 0.5 * drawn_em)[near]
    noise = float((luma - cv2.GaussianBlur(luma, (0, 0), drawn_em))[near].std())
    contrast = float(np.exp(rng.uniform(*np.log((20, 160)))))
    lighter = bool(rng.random() < 0.5)
    target = mean + contrast * (1 if lighter else -1)
    if not 0 <= target <= 255:
        return None
    need = _needed(em_px, han)
    over = (4.6 if han else 3.7) * max(1.0, 16 / em_px) ** 0.5
    # Neither a spot as large as a letter nor one as small as a stroke may look like ink.
    fine = cv2.GaussianBlur(luma, (0, 0), max(0.6, 0.08 * drawn_em))[near]
    spots = np.percentile(soft, 99.5 if lighter else 0.5), np.percentile(fine, 98 if lighter else 2)
    large, small = ((target - edge) * (1 if lighter else -1) for edge in spots)
    clear = large >= 0.8 * need and small >= 0.5 * need and contrast >= over * noise
    if style == "outline":
        rim = float(np.clip(target + (-1 if lighter else 1) * rng.uniform(100, 170), 0, 255))
        if abs(rim - target) < 90 or em_px < 11 or contrast < max(30, 1.5 * noise):
            return None
        size = 2 * int(round(max(1.0, drawn_em / rng.uniform(10, 14)))) + 1
        around = cv2.dilate(cover, cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (size, size)))
        canvas = _over(canvas, np.minimum(1, 1.2 * around), _colour(rim, rng))
    elif not clear or contrast < _needed(em_px, han):
        return None
    if style == "shadow":
        shift = float(rng.uniform(1, 0.12 * drawn_em + 1))
        moved = cv2.warpAffine(
            cover, np.array([[1, 0, shift], [0, 1, shift]], np.float32), cover.shape[::-1]
        )
        moved = cv2.GaussianBlur(moved, (0, 0), float(rng.uniform(0.5, 1.6)))
        shade = np.float32([0, 0, 0] if lighter else [255, 255, 255])
        canvas = _over(canvas, moved * float(rng.uniform(0.4, 0.9)), shade)
    fill: Floats = _colour(target, rng)[None, None]
    if style == "gradient":
        further = float(np.clip(target + (1 if lighter else -1) * rng.uniform(15, 60), 0, 255))
        along = np.linspace(0, 1, cover.shape[0], dtype=np.float32)[:, None, None]
        fill = fill * (1 - along) + _colour(further, rng)[None, None] * along
    painted = _over(canvas, cover, fill)
    return np.clip(np.round(painted), 0, 255).astype(np.uint8), contrast


def _plated(canvas: Floats, near: NDArray[Any], em: float, rng: np.random.Generator) -> Floats:
    """A plate under the block, half seen through or solid, square or round."""
    rows, columns = np.flatnonzero(near.any(axis=1)), np.flatnonzero(near.any(axis=0))
    plate = np.zeros(near.shape, np.float32)
    box = (int(columns[0]), int(rows[0])), (int(columns[-1]), int(rows[-1]))
    cv2.rectangle(plate, *box, 1.0, -1)
    if rng.random() < 0.4:
        plate = np.float32(cv2.GaussianBlur(plate, (0, 0), 0.4 * em) > 0.5)
    tint = _colour(float(rng.uniform(0, 255)), rng)
    return _over(canvas, plate * float(rng.uniform(0.45, 1.0)), tint)


def paint_coloured(
    ground: Rgb, cover: Floats, em_px: float, drawn_em: float, han: bool, rng: np.random.Generator
) -> tuple[Rgb, float] | None:
    """Ink within 38 levels of luma of the ground, but far from it in chroma."""
    if han and em_px < 14:
        return None
    near = cv2.dilate(cover, np.ones((2 * int(0.6 * drawn_em) + 1,) * 2)) > 0.1
    canvas = ground.astype(np.float32)
    if rng.random() < 0.4:
        canvas = _plated(canvas, near, drawn_em, rng)
    luma = luma_of(canvas)
    noise = float((luma - cv2.GaussianBlur(luma, (0, 0), drawn_em))[near].std())
    chroma = _chroma(canvas[near])
    if noise > 7 or luma[near].std() > 22 or chroma.std(axis=0).max() > 15:
        return None
    mean = float(luma[near].mean())
    inks = np.float32(rng.integers(0, 256, (4000, 3)))
    gap = abs(luma_of(inks) - mean)
    far = np.linalg.norm(_chroma(inks) - chroma.mean(axis=0), axis=1)
    # Chroma alone is read worse than luma is: small letters must stand further off.
    least = float(np.interp(em_px, (9.5, 14, 20), (125, 105, 88)))
    fit = inks[(gap >= 6) & (gap <= 38) & (far >= least)]
    if not len(fit):
        return None
    ink = fit[int(rng.integers(len(fit)))]
    painted = _over(canvas, np.minimum(1, 1.3 * cover), ink)
    contrast = float(abs(luma_of(ink) - mean))
    return np.clip(np.round(painted), 0, 255).astype(np.uint8), contrast


def _chroma(rgb: Floats) -> Floats:
    """Cb and Cr in levels."""
    luma = luma_of(rgb)
    return np.stack([0.564 * (rgb[..., 2] - luma), 0.713 * (rgb[..., 0] - luma)], axis=-1)


def _over(canvas: Floats, cover: Floats, colour: Floats) -> Floats:
    return canvas + (colour - canvas) * cover[:, :, None]


def _colour(luma: float, rng: np.random.Generator) -> Floats:
    """A colour of this luma: grey as often as not."""
    if rng.random() < 0.5:
        return np.full(3, luma, np.float32)
    some = np.float32(rng.integers(0, 256, (600, 3)))
    nearest = some[np.argmin(abs(luma_of(some) - luma))]
    return np.clip(nearest + (luma - luma_of(nearest)), 0, 255).astype(np.float32)


def saved(rgb: Rgb, rng: np.random.Generator, *, gentle: bool) -> Rgb:
    """As it comes back from JPEG of quality 60 to 95, from WebP, or untouched."""
    how = str(rng.choice(["png", "jpeg", "webp"], p=[0.3, 0.5, 0.2]))
    quality = int(rng.integers(82 if gentle else 60, 96))
    whole = how == "jpeg" and gentle and bool(rng.random() < 0.5)
    if how == "png":
        return rgb
    data = io.BytesIO()
    extra = {"subsampling": 0 if whole else 2} if how == "jpeg" else {}
    Image.fromarray(rgb).save(data, how, quality=quality, **extra)
    with Image.open(data) as picture:
        return np.asarray(picture.convert("RGB"))
