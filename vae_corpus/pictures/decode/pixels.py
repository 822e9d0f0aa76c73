"""Pixels of any mode to upright sRGB."""

from __future__ import annotations

from typing import Literal, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vae_corpus.pictures.decode.colour import plain, space_of, to_srgb
from vae_corpus.pictures.decode.fault import Refused
from vae_corpus.pictures.decode.icc import Described

# uint8[H, W, 3], uint8[H, W], and either.
Rgb = NDArray[np.uint8]
Luma = NDArray[np.uint8]
Pixels = NDArray[np.uint8]

# How pixels are asked for: uint8[H, W, 3] in either order, or uint8[H, W].
Colours = Literal["rgb", "bgr", "grey"]


class Picture(NamedTuple):
    """Pixels that mean sRGB, uint8[H, W, 3], and what was found on the way.

    `space` names the colour space of the file and `converted` says whether its numbers were changed
    to become sRGB. `note` tells of harmless oddities; empty: none.
    """

    pixels: Rgb
    space: str
    converted: bool
    note: str = ""


def to_picture(
    image: Image.Image, profile: bytes | Described | str | None = None, note: str = ""
) -> Picture:
    """Pixels of any Pillow mode as sRGB, alpha on white, 16 bits scaled to 8.

    `profile` is ICC bytes, colours described by numbers, the reason why there is no usable profile,
    or None for what has none.
    """
    image.load()
    image, alpha = _without_alpha(image)
    mode = image.mode
    space = plain(mode) if profile is None else space_of(profile, mode)
    converted = mode in ("CMYK", "LAB") or space.transform is not None
    image = to_srgb(image, space)
    if alpha is not None:
        layer, image = image, Image.new("RGB", image.size, (255, 255, 255))
        image.paste(layer.convert("RGB"), mask=alpha)
    pixels = np.array(image if image.mode == "RGB" else image.convert("RGB"))
    notes = "; ".join(part for part in (note, space.note) if part)
    return Picture(pixels, space.name, converted, notes)


def _without_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """An image of mode L, RGB, CMYK or LAB, and its alpha if it has one."""
    mode = image.mode
    if mode.startswith("I;16"):
        # Pillow would clip at 255. The high byte inverts the usual 8 to 16 bit expansion exactly.
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)), None
    if mode in ("I", "F"):
        raise Refused("unsupported_format", "32-bit samples have no known range")
    if mode in ("La", "LA", "RGBa", "RGBA", "PA") or "transparency" in image.info:
        layer = image.convert("LA" if mode in ("La", "LA") else "RGBA")
        colours = layer.convert("L" if layer.mode == "LA" else "RGB")
        return colours, layer.getchannel("A")
    if mode in ("L", "RGB", "CMYK", "LAB"):
        return image, None
    return image.convert("L" if mode == "1" else "RGB"), None


def to_luma(rgb: Rgb) -> Luma:
    """uint8[H, W]: 0.299 R + 0.587 G + 0.114 B, as JPEG defines it (ITU T.871)."""
    return np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY))


def arranged(rgb: Rgb, colours: Colours) -> Pixels:
    """The pixels of uint8[H, W, 3] as they are asked for."""
    if colours == "grey":
        return to_luma(rgb)
    return rgb if colours == "rgb" else np.asarray(cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def upright(rgb: Pixels, orientation: int) -> Pixels:
    """Apply an EXIF orientation (1 = as it is) to uint8[H, W, 3] or uint8[H, W]."""
    if orientation == 1:
        return rgb
    if orientation in (5, 6, 7, 8):
        rgb = rgb.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        rgb = rgb[::-1]
    if orientation in (2, 3, 6, 7):
        rgb = rgb[:, ::-1]
    return np.ascontiguousarray(rgb)
