"""GIF and BMP: rare in corpora, read with Pillow after a look at size and completeness."""

from __future__ import annotations

import io
import struct

from PIL import BmpImagePlugin, GifImagePlugin

from vae_corpus.pictures.decode.fault import PILLOW_BYTES_PER_PX, Limits, Refused, check_size
from vae_corpus.pictures.decode.pixels import Picture, to_picture

# Marks the extension that makes a colour transparent.
_TRANSPARENCY = b"\xf9"


def decode_gif(data: bytes, limits: Limits) -> Picture:
    if len(data) < 14:
        raise Refused("truncated", "ends within the header")
    width, height, flags = struct.unpack("<HHB", data[6:11])
    check_size(width, height, PILLOW_BYTES_PER_PX, limits)
    at, frames = 13 + _gif_palette_bytes(flags), 0
    # Without comments and the like: Pillow takes many times their size to gather them.
    parts = [data[:at]]
    while True:
        block = data[at : at + 1]
        if block == b";":
            break
        if block == b",":
            frames += 1
            if frames > 1:
                raise Refused("animated", "an animated GIF")
            if at + 11 > len(data):
                raise Refused("truncated", "ends within the frame header")
            x, y, frame_width, frame_height, flags = struct.unpack("<HHHHB", data[at + 1 : at + 10])
            check_size(x + frame_width, y + frame_height, PILLOW_BYTES_PER_PX, limits)
            end = _skip_gif_blocks(data, at + 11 + _gif_palette_bytes(flags))
            parts.append(data[at:end])
            at = end
        elif block == b"!":
            end = _skip_gif_blocks(data, at + 2)
            if data[at + 1 : at + 2] == _TRANSPARENCY:
                parts.append(data[at:end])
            at = end
        else:
            slug = "corrupt" if block else "truncated"
            raise Refused(slug, f"no block at byte {at} of {len(data)}")
    return to_picture(GifImagePlugin.GifImageFile(io.BytesIO(b"".join([*parts, b";"]))))


def _gif_palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_gif_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def decode_bmp(data: bytes, limits: Limits) -> Picture:
    announced = int.from_bytes(data[2:6], "little")
    if announced > len(data):
        raise Refused("truncated", f"{len(data)} of {announced} bytes")
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    check_size(*image.size, PILLOW_BYTES_PER_PX, limits)
    return to_picture(image, _bmp_profile(data))


def _bmp_profile(data: bytes) -> bytes | None:
    """The profile that a bitmap of version 5 may embed."""
    if int.from_bytes(data[14:18], "little") < 124 or data[70:74] != b"DEBM":
        return None
    start, size = struct.unpack("<II", data[126:134])
    return data[14 + start : 14 + start + size]
