"""What one odd file is and what should become of it, and the pictures that such files hold."""

from __future__ import annotations

import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

Rgb = NDArray[np.uint8]

# A cut file may be said to be either: which one depends on where the decoder notices.
DAMAGED = ("truncated", "corrupt")


@dataclass(frozen=True, kw_only=True)
class Odd:
    """One file: bytes, the right pixels, the slugs that are right.

    `right` has every picture, uint8[H, W, 3] sRGB, that is right; none: it must not be kept.
    `says` has every slug that is right; none: it must be kept. Both: the fate is arguable, and
    `why` gives the reason. `most` is the largest mean dE2000; with `levels` no sample may differ
    by more than so many of 255 from the first of `right`.
    """

    name: str
    group: str
    data: bytes
    right: tuple[Rgb, ...] = ()
    says: tuple[str, ...] = ()
    most: float = 1.0
    levels: int | None = None
    reference: str = ""
    why: str = ""
    intact: bool = True

    @property
    def expected(self) -> str:
        parts = ["kept"] if self.right else []
        return "/".join([*parts, *self.says])


class Painter:
    """Draws pictures, each of them another one: smooth fields, saturated patches, grain."""

    def __init__(self, seed: Sequence[int]) -> None:
        self.rng = np.random.default_rng(seed)

    def picture(self, width: int = 0, height: int = 0) -> Rgb:
        """uint8[H, W, 3]; sides that are not given are drawn from [264, 376], mostly odd ones."""
        rng = self.rng
        width = width or int(rng.integers(264, 377))
        height = height or int(rng.integers(264, 377))
        fields = rng.uniform(-0.25, 1.25, (5, 5, 3))
        rgb = cv2.resize(fields, (width, height), interpolation=cv2.INTER_CUBIC)
        detail = rng.normal(0, 0.08, (24, 24, 1)).repeat(3, axis=2)
        rgb += cv2.resize(detail, (width, height), interpolation=cv2.INTER_CUBIC)
        rgb += rng.normal(0, 0.008, (height, width, 1))
        for colour in _PATCHES:
            across, down = int(rng.integers(20, 48)), int(rng.integers(20, 48))
            x, y = int(rng.integers(0, width - across)), int(rng.integers(0, height - down))
            rgb[y : y + down, x : x + across] = colour
        return np.asarray(np.clip(np.rint(rgb * 255), 0, 255), np.uint8)

    def grey(self, width: int = 0, height: int = 0) -> Rgb:
        """uint8[H, W]: one channel of a picture, from black to white."""
        return np.ascontiguousarray(self.picture(width, height)[:, :, int(self.rng.integers(3))])

    def flat(self, colours: int, width: int = 0, height: int = 0) -> tuple[Rgb, Rgb]:
        """A picture of few colours: indices, uint8[H, W], and palette, uint8[colours, 3]."""
        palette = self.rng.integers(0, 256, (colours, 3)).astype(np.uint8)
        grey = cv2.GaussianBlur(self.picture(width, height), (0, 0), 3)[:, :, 0].astype(int)
        return (grey * colours // 256).astype(np.uint8), palette

    def alpha(self, rgb: Rgb) -> Rgb:
        """uint8[H, W]: a ramp with solid and empty parts."""
        height, width = rgb.shape[:2]
        ramp = np.linspace(-0.5, 1.5, width)[None, :] + self.rng.uniform(-0.3, 0.3)
        waves = 0.2 * np.sin(np.linspace(0, 9, height))[:, None]
        return np.asarray(np.clip((ramp + waves) * 255, 0, 255), np.uint8)


_PATCHES = (
    *((r, g, b) for r in (0, 1) for g in (0, 1) for b in (0, 1)),
    (0.9, 0.7, 0.6),
    (0.45, 0.3, 0.22),
    (0.1, 0.1, 0.1),
    (0.25, 0.25, 0.25),
    (0.5, 0.5, 0.5),
    (0.75, 0.75, 0.75),
    (0.2, 0.5, 0.15),
    (0.3, 0.5, 0.9),
)


def saved(pixels: Rgb | Image.Image, kind: str, **options: Any) -> bytes:
    """The bytes that Pillow writes for pixels of any shape."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    image.save(file, kind, **options)
    return file.getvalue()


def jpeg(pixels: Rgb | Image.Image, **options: Any) -> bytes:
    return saved(pixels, "JPEG", **({"quality": 92, "subsampling": 0} | options))


def read(data: bytes) -> Rgb:
    """Pixels as Pillow decodes them, numbers as they stand: no profile, no orientation."""
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image.convert("RGB"))


def on_white(rgb: Rgb, alpha: NDArray[Any], top: float = 255) -> Rgb:
    """Colours with alpha over white, in the coded values as browsers do."""
    share = alpha[:, :, None] / top
    return np.asarray(np.rint(rgb * share + 255 * (1 - share)), np.uint8)


def as_rgb(grey: Rgb) -> Rgb:
    return np.repeat(grey[:, :, None], 3, axis=2)


def turned(rgb: Rgb, orientation: int) -> Rgb:
    """The upright picture of stored pixels, by Pillow's transpositions (EXIF 2.3, tag 0x0112)."""
    ways = Image.Transpose
    way = {
        2: ways.FLIP_LEFT_RIGHT,
        3: ways.ROTATE_180,
        4: ways.FLIP_TOP_BOTTOM,
        5: ways.TRANSPOSE,
        6: ways.ROTATE_270,
        7: ways.TRANSVERSE,
        8: ways.ROTATE_90,
    }.get(orientation)
    return np.array(Image.fromarray(rgb).transpose(way)) if way is not None else rgb


def exif(orientation: int, order: str = "<") -> bytes:
    """A TIFF block with an orientation; without the `Exif` mark that JPEG puts before it."""
    body = struct.pack(order + "HHHIHH", 1, 0x0112, 3, 1, orientation, 0)
    mark = b"II*\0" if order == "<" else b"MM\0*"
    return mark + struct.pack(order + "I", 8) + body + bytes(4)
