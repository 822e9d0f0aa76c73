"""GIF, BMP and TIFF: rare in corpora, read with Pillow after a look at size and completeness."""

from __future__ import annotations

import io
import struct
from typing import Literal

from PIL import BmpImagePlugin, GifImagePlugin, TiffImagePlugin

from pipelines.decode.fault import Limits, Refused, check_size
from pipelines.decode.pixels import Rgb, to_rgb


def decode_gif(data: bytes, limits: Limits) -> Rgb:
    if len(data) < 14:
        raise Refused("truncated", "ends within the header")
    width, height, flags = struct.unpack("<HHB", data[6:11])
    check_size(width, height, 12, limits)
    at, frames = 13 + _gif_palette_bytes(flags), 0
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
            check_size(x + frame_width, y + frame_height, 12, limits)
            at = _skip_gif_blocks(data, at + 11 + _gif_palette_bytes(flags))
        elif block == b"!":
            at = _skip_gif_blocks(data, at + 2)
        else:
            slug = "corrupt" if block else "truncated"
            raise Refused(slug, f"no block at byte {at} of {len(data)}")
    return to_rgb(GifImagePlugin.GifImageFile(io.BytesIO(data)))


def _gif_palette_bytes(flags: int) -> int:
    return 3 << ((flags & 7) + 1) if flags & 0x80 else 0


def _skip_gif_blocks(data: bytes, at: int) -> int:
    while at < len(data) and data[at]:
        at += 1 + data[at]
    return at + 1


def decode_bmp(data: bytes, limits: Limits) -> Rgb:
    announced = int.from_bytes(data[2:6], "little")
    if announced > len(data):
        raise Refused("truncated", f"{len(data)} of {announced} bytes")
    image = BmpImagePlugin.BmpImageFile(io.BytesIO(data))
    check_size(*image.size, 12, limits)
    return to_rgb(image)


def decode_tiff(data: bytes, limits: Limits) -> Rgb:
    # The directory often stands last: without it a cut file would seem to be a strange one.
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    start = int.from_bytes(data[4:8], order)
    entries = int.from_bytes(data[start : start + 2], order)
    if start + 2 + 12 * entries > len(data):
        raise Refused("truncated", f"the directory at byte {start} is missing")
    image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
    check_size(*image.size, 16, limits)
    for strip, length in zip(_tags(image, 273), _tags(image, 279), strict=False):
        if strip + length > len(data):
            raise Refused("truncated", f"the strip at byte {strip} has {length} bytes")
    # A small picture may announce huge tiles, and a decoder makes room for a whole one.
    tile = [int(image.tag_v2.get(tag, 1)) for tag in (322, 323)]
    check_size(tile[0], tile[1], 16, Limits(limits.max_pixels, limits.max_side_px))
    if image.n_frames > 1:
        raise Refused("animated", f"{image.n_frames} pages")
    # Pillow itself turns TIFF pictures upright.
    return to_rgb(image)


def _tags(image: TiffImagePlugin.TiffImageFile, tag: int) -> tuple[int, ...]:
    values = image.tag_v2.get(tag, ())
    return tuple(values) if isinstance(values, tuple) else (int(values),)
