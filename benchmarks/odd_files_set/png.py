"""PNG files written chunk by chunk, so that any depth, any chunk and any damage can be had."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

SIGNATURE = b"\x89PNG\r\n\x1a\n"
GREY, RGB, PALETTE, GREY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
_PASSES = (
    (0, 0, 8, 8),
    (4, 0, 8, 8),
    (0, 4, 4, 8),
    (2, 0, 4, 4),
    (0, 2, 2, 4),
    (1, 0, 2, 2),
    (0, 1, 1, 2),
)

Chunks = Sequence[tuple[bytes, bytes]]


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def rows_of(samples: NDArray[Any], depth: int, *, interlaced: bool = False) -> bytes:
    """The stream before compression: a filter byte (always 0) and the packed samples of each row.

    `samples` is integer[H, W] or [H, W, C].
    """
    if interlaced:
        parts = [samples[y::down, x::across] for x, y, across, down in _PASSES]
        return b"".join(rows_of(part, depth) for part in parts if part.size)
    flat = samples.reshape(len(samples), -1)
    if depth == 16:
        packed = flat.astype(">u2").view(np.uint8)
    elif depth == 8:
        packed = flat.astype(np.uint8)
    else:
        bits = np.unpackbits(flat.astype(np.uint8)[:, :, None], axis=2)[:, :, 8 - depth :]
        packed = np.packbits(bits.reshape(len(flat), -1), axis=1)
    return np.pad(packed, ((0, 0), (1, 0))).tobytes()


def png(
    samples: NDArray[Any],
    depth: int = 8,
    colour: int = RGB,
    *,
    before: Chunks = (),
    after: Chunks = (),
    palette: NDArray[np.uint8] | None = None,
    interlaced: bool = False,
    parts: int = 1,
) -> bytes:
    """A whole file: `before` stands before PLTE, `after` behind the data, in `parts` chunks."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, int(interlaced))
    stream = zlib.compress(rows_of(samples, depth, interlaced=interlaced), 6)
    chunks = [(b"IHDR", header), *(c for c in before if c[0] != b"tRNS")]
    if palette is not None:
        chunks.append((b"PLTE", palette.tobytes()))
    chunks += [c for c in before if c[0] == b"tRNS"]
    step = -(-len(stream) // parts)
    chunks += [(b"IDAT", stream[at : at + step]) for at in range(0, len(stream), step)]
    return whole([*chunks, *after, (b"IEND", b"")])


def whole(chunks: Chunks) -> bytes:
    return SIGNATURE + b"".join(chunk(*one) for one in chunks)


def split(data: bytes) -> list[tuple[bytes, bytes]]:
    at, found = 8, []
    while at < len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        found.append((data[at + 4 : at + 8], data[at + 8 : at + 8 + length]))
        at += 12 + length
    return found


def iccp(profile: bytes, name: bytes = b"icc") -> tuple[bytes, bytes]:
    return b"iCCP", name + b"\0\0" + zlib.compress(profile)


def gama(gamma: float) -> tuple[bytes, bytes]:
    return b"gAMA", struct.pack(">I", round(gamma * 100_000))


def chrm(white: tuple[float, float], primaries: Any) -> tuple[bytes, bytes]:
    flat = [*white, *(v for pair in primaries for v in pair)]
    return b"cHRM", struct.pack(">8I", *(round(v * 100_000) for v in flat))


def cicp(primaries: int, transfer: int, full: int = 1) -> tuple[bytes, bytes]:
    return b"cICP", bytes([primaries, transfer, 0, full])
