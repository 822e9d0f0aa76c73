"""Pictures of a folder: which there are, their pixels, and the size that is measured."""

from __future__ import annotations

import io
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vae_corpus.pictures.decode import Fault, decode

Rgb = NDArray[np.uint8]

# By the name alone: what the bytes are is told when they are decoded.
SUFFIXES = (
    *(".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff"),
    *(".avif", ".heic", ".heif", ".jxl", ".jp2"),
)


@dataclass(frozen=True, kw_only=True)
class Listing:
    """Files of a folder by their relative path without suffix.

    `ambiguous` are names that several files have; `others` counts files that are no pictures.
    """

    pictures: dict[str, Path]
    ambiguous: dict[str, list[Path]] = field(default_factory=dict)
    others: int = 0


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """uint8[H, W, 3] sRGB, and what was odd about the file: grey, alpha; empty: nothing."""

    rgb: Rgb
    note: str


def list_pictures(folder: Path) -> Listing:
    """The pictures below a folder, in the order of their names; hidden files are passed over."""
    found: dict[str, list[Path]] = {}
    others = 0
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        # A link that leads nowhere is a picture that cannot be read, and is told as one.
        if any(part.startswith(".") for part in relative.parts) or path.is_dir():
            continue
        if path.suffix.lower() not in SUFFIXES:
            others += 1
            continue
        found.setdefault(relative.with_suffix("").as_posix(), []).append(path)
    return Listing(
        pictures={name: paths[0] for name, paths in found.items() if len(paths) == 1},
        ambiguous={name: paths for name, paths in found.items() if len(paths) > 1},
        others=others,
    )


def load(path: Path) -> Loaded | Fault:
    """The pixels of a file, through the one door; a fault when there are none."""
    try:
        data = path.read_bytes()
    except OSError as error:
        return Fault("unreadable", f"{path}: {error.strerror}")
    found = decode(data)
    if isinstance(found, Fault):
        return Fault(found.slug, f"{path}: {found.why}")
    notes = [found.note, *_oddities(data)]
    return Loaded(rgb=found.rgb, note="; ".join(note for note in notes if note))


def centre_square(rgb: Rgb, size: int | None) -> Rgb:
    """uint8[size, size, 3] from the middle, with the shorter side resized to `size`.

    Bicubic with a filter against aliasing (Pillow), also where a picture is enlarged; None leaves
    it as it is.
    """
    if size is None:
        return rgb
    height, width = rgb.shape[:2]
    scale = size / min(height, width)
    wide, high = max(size, round(width * scale)), max(size, round(height * scale))
    if (wide, high) != (width, height):
        image = Image.fromarray(rgb).resize((wide, high), Image.Resampling.BICUBIC)
        rgb = np.asarray(image)
    top, left = (high - size) // 2, (wide - size) // 2
    return np.ascontiguousarray(rgb[top : top + size, left : left + size])


def centre_cut(rgb: Rgb, side: int | None) -> tuple[Rgb, int, int]:
    """The square of `side` px from the middle at its own scale, and where it begins: left, top.

    A picture that is smaller gives what it has; None leaves it whole.
    """
    if side is None:
        return rgb, 0, 0
    height, width = rgb.shape[:2]
    top, left = max(0, height - side) // 2, max(0, width - side) // 2
    return np.ascontiguousarray(rgb[top : top + side, left : left + side]), left, top


def padded(rgb: Rgb, f: int) -> Rgb:
    """The picture with its last row and column repeated until the sides are multiples of `f`."""
    height, width = rgb.shape[:2]
    return np.pad(rgb, ((0, -height % f), (0, -width % f), (0, 0)), mode="edge")


def _oddities(data: bytes) -> list[str]:
    """What a file had that three channels do not tell; formats that Pillow lacks tell nothing."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            with Image.open(io.BytesIO(data)) as image:
                mode, info = image.mode, image.info
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
            return []
    alpha = mode in ("LA", "La", "PA", "RGBA", "RGBa") or "transparency" in info
    grey = mode in ("1", "L", "LA", "La") or mode.startswith("I")
    return ["grey"] * grey + ["alpha on white"] * alpha
