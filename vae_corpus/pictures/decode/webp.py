"""WebP: the chunks must fill the announced length, and no frame may be larger than allowed."""

from __future__ import annotations

import io
import struct

from PIL import WebPImagePlugin as WebP

from vae_corpus.pictures.decode.colour import MAX_PROFILE_BYTES
from vae_corpus.pictures.decode.exif import exif_orientation
from vae_corpus.pictures.decode.fault import FRAME_BYTES_PER_PX, Limits, Refused, check_size
from vae_corpus.pictures.decode.pixels import Picture, to_picture, upright


def decode_webp(data: bytes, limits: Limits) -> Picture:
    end = 8 + int.from_bytes(data[4:8], "little")
    if end > len(data):
        raise Refused("truncated", f"{len(data)} of {end} bytes")
    at, orientation, size, profile = 12, 1, None, None
    while at + 8 <= end:
        kind, length = data[at : at + 4], int.from_bytes(data[at + 4 : at + 8], "little")
        body = data[at + 8 : at + 8 + min(length, 10)]
        if at + 8 + length > end:
            raise Refused("corrupt", f"chunk {kind!r} at byte {at} reaches beyond the file")
        if kind in (b"ANIM", b"ANMF"):
            raise Refused("animated", "an animated WebP")
        if kind == b"EXIF":
            exif = data[at + 8 : at + 8 + length]
            orientation = exif_orientation(exif.removeprefix(b"Exif\0\0"))
        if kind == b"ICCP" and profile is None and length <= MAX_PROFILE_BYTES:
            profile = data[at + 8 : at + 8 + length]
        size = _webp_size(kind, body) or size
        if size:
            check_size(*size, FRAME_BYTES_PER_PX, limits)
        at += 8 + length + length % 2
    if size is None:
        raise Refused("corrupt", "no picture in the file")
    picture = to_picture(WebP.WebPImageFile(io.BytesIO(data)), profile)
    return picture._replace(pixels=upright(picture.pixels, orientation))


def _webp_size(kind: bytes, body: bytes) -> tuple[int, int] | None:
    """Width and height that a chunk announces; None for chunks that hold none."""
    if kind in (b"VP8X", b"VP8 ") and len(body) < 10 or kind == b"VP8L" and len(body) < 5:
        raise Refused("corrupt", f"chunk {kind!r} is too short")
    if kind == b"VP8X":
        return (
            1 + int.from_bytes(body[4:7], "little"),
            1 + int.from_bytes(body[7:10], "little"),
        )
    if kind == b"VP8 ":
        width, height = struct.unpack("<HH", body[6:10])
        return width & 0x3FFF, height & 0x3FFF
    if kind == b"VP8L":
        bits = int.from_bytes(body[1:5], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return None
