"""PNG: every checksum, the end mark and the last row are checked, because Pillow forgives them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import PngImagePlugin

from pipelines.decode.fault import Limits, Refused, check_size
from pipelines.decode.pixels import Rgb, exif_orientation, to_rgb, upright

# Inflated at a time, when rows are only counted.
_INFLATE_BYTES = 1 << 20

# What the pixels depend on. All else stays outside: texts and profiles may be bombs themselves.
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")


def decode_png(data: bytes, limits: Limits) -> Rgb:
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise Refused("truncated" if len(data) < 33 else "corrupt", "no image header")
    width, height = struct.unpack(">II", data[16:24])
    check_size(width, height, 12, limits)
    parts, stream, orientation = [data[:8]], [], 1
    for kind, start, end in _png_chunks(data):
        if kind == b"acTL" and int.from_bytes(data[start + 8 : start + 12], "big") > 1:
            raise Refused("animated", "an animated PNG")
        if kind == b"eXIf":
            orientation = exif_orientation(data[start + 8 : end - 4])
        if kind == b"IDAT":
            stream.append((start + 8, end - 4))
        if kind in _PNG_KEPT:
            parts.append(data[start:end])
    image = PngImagePlugin.PngImageFile(io.BytesIO(b"".join(parts)))
    image.load()
    # Rows that never came are zeros. Rows that are zeros may also be black: then count.
    bottom = image.crop((0, height - 1, width, height))
    if data[28] or not np.asarray(bottom).any():
        _check_all_rows(data, stream)
    return upright(to_rgb(image), orientation)


def _check_all_rows(data: bytes, stream: list[tuple[int, int]]) -> None:
    """Inflate without keeping anything; Refused when it gives fewer bytes than the rows take."""
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    # Interlaced pictures come in seven passes: (first column, first row, step across, step down).
    passes = [(0, 0, 1, 1)]
    if data[28]:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    missing = 0
    for x, y, across, down in passes:
        columns, rows = -((x - width) // across), -((y - height) // down)
        missing += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    inflater = zlib.decompressobj()
    for start, end in stream:
        rest = data[start:end]
        while rest and missing > 0:
            missing -= len(inflater.decompress(rest, _INFLATE_BYTES))
            rest = inflater.unconsumed_tail
    if missing > 0:
        raise Refused("truncated", f"the last {missing} bytes of the rows are missing")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, start and end of every chunk; refuses a wrong checksum and a missing IEND."""
    at, kind, view = 8, b"", memoryview(data)
    while kind != b"IEND":
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise Refused("truncated", f"chunk at byte {at} ends {end - len(data)} bytes later")
        if zlib.crc32(view[at + 4 : end - 4]) != int.from_bytes(data[end - 4 : end], "big"):
            raise Refused("corrupt", f"wrong checksum of chunk {kind!r} at byte {at}")
        yield kind, at, end
        at = end
