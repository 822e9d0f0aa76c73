"""Chunks, boxes, directories and profiles of which hostile pictures are put together."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import Any

from PIL import ImageCms


def zeros(count_mb: int) -> bytes:
    """A zlib stream of so many MiB of zeros, put together without compressing them all."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # After a full flush a block depends on nothing before, so it may stand there again and again.
    block = packer.compress(bytes(1 << 20)) + packer.flush(zlib.Z_FULL_FLUSH)
    # Of zeros, the first of the two sums of Adler-32 stays 1 and the second counts them.
    adler = ((count_mb << 20) % 65521) << 16 | 1
    return b"\x78\xda" + block * count_mb + b"\x03\x00" + adler.to_bytes(4, "big")


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return len(data).to_bytes(4, "big") + body + zlib.crc32(body).to_bytes(4, "big")


def png(width: int, height: int, chunks: list[bytes], *, interlaced: bool = False) -> bytes:
    """Of 8 bits and three colours."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, interlaced)
    return b"".join([b"\x89PNG\r\n\x1a\n", chunk(b"IHDR", head), *chunks, chunk(b"IEND", b"")])


def segment(marker: int, data: bytes) -> bytes:
    return bytes([0xFF, marker]) + (len(data) + 2).to_bytes(2, "big") + data


def riff(chunks: list[tuple[bytes, bytes]]) -> bytes:
    body = b"WEBP" + b"".join(
        kind + len(data).to_bytes(4, "little") + data + bytes(len(data) % 2)
        for kind, data in chunks
    )
    return b"RIFF" + len(body).to_bytes(4, "little") + body


def box(kind: bytes, data: bytes) -> bytes:
    return (len(data) + 8).to_bytes(4, "big") + kind + data


def tiff(entries: dict[int, tuple[int, Any]], *, body: bytes = b"", following: int = 0) -> bytes:
    """A grey picture of 16 x 16 px where `entries`, {tag: (type, values)}, say nothing else."""
    whole: dict[int, tuple[int, Any]] = {
        256: (4, [16]),
        257: (4, [16]),
        258: (3, [8]),
        259: (3, [1]),
        262: (3, [1]),
        273: (4, [8]),
        277: (3, [1]),
        278: (4, [16]),
        279: (4, [256]),
    } | entries
    data = bytearray(b"II*\0\0\0\0\0" + (body or bytes(256)))
    placed = []
    for tag, (kind, values) in sorted(whole.items()):
        form = {3: "H", 4: "I"}.get(kind, "")
        raw = struct.pack(f"<{len(values)}{form}", *values) if form else bytes(values)
        if len(raw) > 4:
            data += bytes(len(data) % 2)
            place = len(data).to_bytes(4, "little")
            data += raw
        else:
            place = raw.ljust(4, b"\0")
        placed.append(struct.pack("<HHI", tag, kind, len(values)) + place)
    data += bytes(len(data) % 2)
    at = len(data)
    data[4:8] = at.to_bytes(4, "little")
    if following:
        following = at
    data += struct.pack("<H", len(placed)) + b"".join(placed) + struct.pack("<I", following)
    return bytes(data)


def big_rings() -> bytes:
    """Directories of 20,000 entries that begin four bytes one after the other."""
    count = 20_000
    data = bytearray(b"II*\0" + struct.pack("<I", 8) + bytes(2 * 12 * count + 200_000))
    # Every place is a count of entries, so each directory spans nearly the same bytes; where one
    # ends stands the place of the next.
    for number in range(10_000):
        at = 8 + 4 * number
        struct.pack_into("<H", data, at, count)
        struct.pack_into("<I", data, at + 2 + 12 * count, at + 4)
    return bytes(data)


def _profile(tags: dict[bytes, bytes]) -> bytes:
    at = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">II", at + len(body), 0) + b"\4\x30\0\0mntrRGB XYZ "
    head += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28)
    head += struct.pack(">iii", 63190, 65536, 54061)
    return head.ljust(128, b"\0") + table + body


def icc() -> dict[str, bytes]:
    """Profiles that lie of their sizes."""
    real = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    curve = b"curv\0\0\0\0" + struct.pack(">I", 2**32 - 1) + bytes(64)
    grid = b"mft2\0\0\0\0" + bytes([3, 3, 255, 0]) + bytes(200)
    wide = b"mft1\0\0\0\0" + bytes([15, 15, 255, 0]) + bytes(200)
    return {
        "nothing": b"",
        "tags_beyond_the_end": real[:128] + b"\0\0\0\x05" + b"rTRC\xff\xff\xff\xf0\0\0\1\0" * 5,
        "a_million_tags": real[:128] + struct.pack(">I", 10**6) + bytes(60_000),
        "size_of_4_gb": b"\xff\xff\xff\xff" + real[4:],
        "curve_of_4_gb": _profile({b"rTRC": curve, b"gTRC": curve, b"bTRC": curve}),
        "grid_of_255": _profile({b"A2B0": grid, b"B2A0": grid}),
        "grid_of_15_dimensions": _profile({b"A2B0": wide}),
        "a_link": real[:12] + b"link" + real[16:],
        "named_colours": real[:12] + b"nmcl" + real[16:],
        "zeros": bytes(60_000),
    }


def bomb_profile(parts: int) -> Iterator[bytes]:
    """A profile that sends each colour through thousands of elements, in pieces."""
    matrix = b"matf\0\0\0\0\0\3\0\3" + struct.pack(">9f", 0.9, 0.1, 0, 0, 0.9, 0.1, 0.1, 0, 0.9)
    matrix += struct.pack(">3f", 0.01, 0.01, 0.01)
    count = parts * 65_000 // (len(matrix) + 8) - 100
    start = 16 + 8 * count
    places = b"".join(
        struct.pack(">II", start + n * len(matrix), len(matrix)) for n in range(count)
    )
    elements = b"mpet\0\0\0\0\0\3\0\3" + struct.pack(">I", count) + places + matrix * count
    white = b"XYZ \0\0\0\0" + struct.pack(">iii", 63190, 65536, 54061)
    whole = _profile({b"D2B0": elements, b"wtpt": white})
    step = -(-len(whole) // parts)
    for number in range(parts):
        yield whole[number * step : (number + 1) * step]
