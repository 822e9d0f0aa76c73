"""Pixels of any mode to upright RGB."""

from __future__ import annotations

import struct
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from pipelines.decode.fault import Refused

# uint8[H, W, 3], uint8[H, W], and either.
Rgb = NDArray[np.uint8]
Luma = NDArray[np.uint8]
Pixels = NDArray[np.uint8]

# How pixels are asked for: uint8[H, W, 3] in either order, or uint8[H, W].
Colours = Literal["rgb", "bgr", "grey"]


def to_rgb(image: Image.Image) -> Rgb:
    """Pixels of any Pillow mode as uint8[H, W, 3], alpha on white, 16 bits scaled to 8."""
    image.load()
    if image.mode.startswith("I;16"):
        # Pillow would clip at 255. The high byte inverts the usual 8 to 16 bit expansion exactly.
        grey = np.asarray(image)
        key = image.info.get("transparency")
        shown = (grey >> 8).astype(np.uint8)
        if isinstance(key, int):
            shown[grey == key] = 255
        return np.repeat(shown[:, :, None], 3, axis=2)
    if image.mode in ("I", "F"):
        raise Refused("unsupported_format", "32-bit samples have no known range")
    if image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info:
        layer = image.convert("RGBA")
        image = Image.new("RGB", layer.size, (255, 255, 255))
        image.paste(layer, mask=layer.getchannel("A"))
    return np.array(image if image.mode == "RGB" else image.convert("RGB"))


def exif_orientation(tiff: bytes) -> int:
    """Orientation 1..8 out of an EXIF block; 1 when there is none or it cannot be read."""
    order = {b"II": "<", b"MM": ">"}.get(tiff[:2])
    if order is None or len(tiff) < 14:
        return 1
    (start,) = struct.unpack(order + "I", tiff[4:8])
    entries = tiff[start + 2 : start + 2 + 12 * 64]
    if len(tiff) < start + 2:
        return 1
    (count,) = struct.unpack(order + "H", tiff[start : start + 2])
    for at in range(0, min(12 * count, len(entries) - 11), 12):
        tag, _, _, value = struct.unpack(order + "HHIH", entries[at : at + 10])
        if tag == 0x0112:
            return int(value) if 1 <= value <= 8 else 1
    return 1


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
