"""Known damage to clean pictures: what clarity is trained and measured on.

Each kind is a function of a picture and a Generator, strong enough that a person who knows the
original would call it worse ("moderate or worse"): the weakest of each costs about as much SSIM as
a JPEG of quality 30 (0.10 on photographs). `KINDS` says which detectors of clarity it is for.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgb = NDArray[np.uint8]


class Kind(NamedTuple):
    """A kind of damage: how it is done and which detectors should find it."""

    apply: Callable[[Rgb, np.random.Generator], Rgb]
    found_by: frozenset[str]


def _gaussian(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    return np.asarray(cv2.GaussianBlur(rgb, (0, 0), rng.uniform(1.2, 4)))


def _defocus(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    radius = rng.uniform(1.8, 5)
    side = 2 * int(np.ceil(radius)) + 1
    y, x = np.mgrid[:side, :side] - side // 2
    # The rim is soft, or the disk would jump from one radius to the next.
    disk = np.clip(radius + 0.5 - np.hypot(x, y), 0, 1)
    return np.asarray(cv2.filter2D(rgb, -1, disk / disk.sum(), borderType=cv2.BORDER_REFLECT))


def _motion(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    length, angle = rng.uniform(5, 15), rng.uniform(0, np.pi)
    side = 2 * int(length / 2) + 3
    kernel = np.zeros((side, side), np.float32)
    ends = np.array([np.cos(angle), np.sin(angle)]) * length / 2
    points = [tuple(int(v * 16) for v in side // 2 + s * ends) for s in (-1, 1)]
    cv2.line(kernel, points[0], points[1], 1.0, 1, cv2.LINE_AA, shift=4)
    return np.asarray(cv2.filter2D(rgb, -1, kernel / kernel.sum(), borderType=cv2.BORDER_REFLECT))


def _enlarged(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    small = _resized(rgb, 1 / rng.uniform(1.7, 4), cv2.INTER_AREA)
    kernels = [cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_LANCZOS4, cv2.INTER_NEAREST]
    kernel = rng.choice(kernels, p=[0.3, 0.3, 0.3, 0.1])
    height, width = rgb.shape[:2]
    return np.asarray(cv2.resize(small, (width, height), interpolation=int(kernel)))


def _jpeg_direct(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    return reencode(rgb, "JPEG", int(rng.integers(5, 36)), int(rng.choice([0, 2])))


def _jpeg_resaved(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    return reencode(_jpeg_direct(rgb, rng), "JPEG", int(rng.integers(85, 97)), 0)


def _jpeg_shifted(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    damaged = _jpeg_direct(rgb, rng)
    y, x = (int(v) for v in rng.integers(1, 8, 2))
    return reencode(np.ascontiguousarray(damaged[y:, x:]), "JPEG", int(rng.integers(85, 97)), 0)


def _webp(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    return _perhaps_resaved(reencode(rgb, "WEBP", int(rng.integers(1, 30))), rng)


def _avif(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    return _perhaps_resaved(reencode(rgb, "AVIF", int(rng.integers(5, 40))), rng)


def _noise(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Sensor noise: stronger in bright parts for some, coarse for some, grey for some."""
    height, width = rgb.shape[:2]
    sigma = rng.uniform(7, 25)
    channels = int(rng.choice([1, 3]))
    grain = rng.standard_normal((height, width, channels), np.float32)
    if rng.random() < 0.3:
        grain = cv2.GaussianBlur(grain, (0, 0), 0.7).reshape(height, width, channels)
        grain /= grain.std()
    level = rgb.astype(np.float32)
    strength = np.sqrt((level + 16) / 144) if rng.random() < 0.5 else np.float32(1)
    noisy = np.clip(level + sigma * strength * grain, 0, 255).astype(np.uint8)
    if rng.random() < 0.4:
        noisy = reencode(noisy, "JPEG", int(rng.integers(75, 96)), 0)
    return noisy


def _oversharpened(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    level = rgb.astype(np.float32)
    soft = cv2.GaussianBlur(level, (0, 0), rng.uniform(0.8, 2.5))
    sharp = np.clip(level + rng.uniform(1.5, 4) * (level - soft), 0, 255).astype(np.uint8)
    return _perhaps_resaved(sharp, rng)


def _thumbnail_chain(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Shrunk for a preview, enlarged again, saved."""
    height, width = rgb.shape[:2]
    small = _resized(rgb, 1 / rng.uniform(1.7, 3.5), cv2.INTER_AREA)
    small = reencode(small, "JPEG", int(rng.integers(50, 86)), 2)
    large = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
    return reencode(large, "JPEG", int(rng.integers(70, 96)), 2)


KINDS = {
    "gaussian": Kind(_gaussian, frozenset({"soft"})),
    "defocus": Kind(_defocus, frozenset({"soft"})),
    "motion": Kind(_motion, frozenset({"motion"})),
    "enlarged": Kind(_enlarged, frozenset({"soft"})),
    "jpeg_direct": Kind(_jpeg_direct, frozenset({"jpeg"})),
    "jpeg_resaved": Kind(_jpeg_resaved, frozenset({"jpeg"})),
    "jpeg_shifted": Kind(_jpeg_shifted, frozenset({"jpeg"})),
    "webp": Kind(_webp, frozenset({"codec"})),
    "avif": Kind(_avif, frozenset({"codec"})),
    "noise": Kind(_noise, frozenset({"grain"})),
    "oversharpened": Kind(_oversharpened, frozenset({"sharpened"})),
    "thumbnail_chain": Kind(_thumbnail_chain, frozenset({"soft", "jpeg"})),
}


def harmless(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    """Changes that leave a picture pristine: nothing, or one save at a good quality."""
    choice = rng.random()
    if choice < 0.4:
        return rgb
    if choice < 0.9:
        return reencode(rgb, "JPEG", int(rng.integers(80, 99)), int(rng.choice([0, 2])))
    return reencode(rgb, "WEBP", int(rng.integers(88, 101)))


def reencode(rgb: Rgb, form: str, quality: int, subsampling: int = 0) -> Rgb:
    """Save and open again, in a format of Pillow's; `subsampling` 2 halves JPEG's colours."""
    file = io.BytesIO()
    options = {"subsampling": subsampling} if form == "JPEG" else {}
    if form == "AVIF":
        options = {"speed": 9, "max_threads": 1}
    Image.fromarray(rgb).save(file, form, quality=quality, **options)
    return np.array(Image.open(file).convert("RGB"))


def _perhaps_resaved(rgb: Rgb, rng: np.random.Generator) -> Rgb:
    return reencode(rgb, "JPEG", int(rng.integers(85, 97)), 0) if rng.random() < 0.5 else rgb


def _resized(rgb: Rgb, scale: float, interpolation: int) -> Rgb:
    size = (max(8, round(rgb.shape[1] * scale)), max(8, round(rgb.shape[0] * scale)))
    return np.asarray(cv2.resize(rgb, size, interpolation=interpolation))
