"""JPEG files: cutting segments in and out, and a small encoder for what no library writes.

The encoder's codes all have one length (8 bits for AC, 5 for DC): a legal table, and no need for
another one for 12 bits.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from scipy.fft import dctn

SOI, EOI = b"\xff\xd8", b"\xff\xd9"


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


def after_soi(data: bytes, *segments: bytes) -> bytes:
    return data[:2] + b"".join(segments) + data[2:]


def icc_segments(profile: bytes, parts: int = 0) -> list[bytes]:
    """APP2 segments with a profile; as few as possible, or so many `parts`."""
    step = -(-len(profile) // parts) if parts else 65519
    pieces = [profile[at : at + step] for at in range(0, max(len(profile), 1), step)]
    return [
        segment(0xE2, b"ICC_PROFILE\0" + bytes([i + 1, len(pieces)]) + piece)
        for i, piece in enumerate(pieces)
    ]


def adobe(transform: int) -> bytes:
    return segment(0xEE, b"Adobe" + struct.pack(">HHHB", 100, 0, 0, transform))


def find(data: bytes, marker: int, number: int = 0) -> tuple[int, int]:
    """Where a segment before the end of the headers starts and ends."""
    at = 2
    while at < len(data):
        kind, length = data[at + 1], int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == marker:
            if number == 0:
                return at, at + 2 + length
            number -= 1
        if kind == 0xDA:
            break
        at += 2 + length
    raise LookupError(f"no segment {marker:x}")


def scans(data: bytes) -> list[tuple[int, int]]:
    """Where each scan starts, at its SOS, and where its entropy-coded data end."""
    found, at = [], 2
    while data[at + 1] != 0xD9:
        start, kind = at, data[at + 1]
        at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
        if kind == 0xDA:
            at = _end_of_scan(data, at)
            found.append((start, at))
    return found


def entropy(data: bytes) -> tuple[int, int]:
    """Start and end of the entropy-coded data of the first scan."""
    start = find(data, 0xDA)[1]
    return start, _end_of_scan(data, start)


def _end_of_scan(data: bytes, at: int) -> int:
    while data[at] != 0xFF or data[at + 1] == 0 or 0xD0 <= data[at + 1] <= 0xD7:
        at += 1
    return at


def ycc(rgb: NDArray[np.uint8]) -> list[NDArray[Any]]:
    """Y, Cb, Cr of ITU T.871, as planes of float64."""
    r, g, b = np.moveaxis(rgb.astype(np.float64), -1, 0)
    y = 0.299 * r + 0.587 * g + 0.114 * b
    return [y, (b - y) / 1.772 + 128, (r - y) / 1.402 + 128]


def encode(
    planes: Sequence[NDArray[Any]],
    *,
    sampling: Sequence[tuple[int, int]] | None = None,
    ids: Sequence[int] = (1, 2, 3, 4),
    scans: Sequence[Sequence[int]] | None = None,
    bits: int = 8,
    step: int = 3,
    before: bytes = b"",
    height_in_header: int | None = None,
    dnl: bool = False,
) -> bytes:
    """Baseline (8 bits) or extended (12 bits) JPEG of planes of one size, any[H, W].

    `sampling` has (across, down) for each; `scans` which components each scan holds.
    """
    count = len(planes)
    sampling = sampling or [(1, 1)] * count
    widest, tallest = max(s[0] for s in sampling), max(s[1] for s in sampling)
    height, width = planes[0].shape
    columns, rows = -(-width // (8 * widest)), -(-height // (8 * tallest))
    blocks, real = [], []
    for plane, (across, down) in zip(planes, sampling, strict=True):
        padded = np.pad(
            plane.astype(np.float64),
            ((0, rows * 8 * tallest - height), (0, columns * 8 * widest - width)),
            "edge",
        )
        small = cv2.resize(
            padded, (columns * 8 * across, rows * 8 * down), interpolation=cv2.INTER_AREA
        )
        tiles = small.reshape(rows * down, 8, columns * across, 8).swapaxes(1, 2)
        waves = dctn(tiles - (1 << (bits - 1)), axes=(2, 3), norm="ortho") / step
        blocks.append(np.rint(waves).astype(int).reshape(*waves.shape[:2], 64)[:, :, _ZIGZAG])
        real.append((-(-height * down // (8 * tallest)), -(-width * across // (8 * widest))))
    shown = height if height_in_header is None else height_in_header
    frame = struct.pack(">BHHB", bits, shown, width, count)
    for i, (across, down) in enumerate(sampling):
        frame += bytes([ids[i], across * 16 + down, 0])
    sizes = 11 if bits == 8 else 15
    ac = [run * 16 + size for run in range(16) for size in range(1, sizes)] + [0, 0xF0]
    data = SOI + before + segment(0xDB, b"\0" + bytes([step] * 64))
    data += segment(0xC0 if bits == 8 else 0xC1, frame)
    data += segment(0xC4, b"\0" + bytes([0, 0, 0, 0, 16] + [0] * 11) + bytes(range(16)))
    data += segment(0xC4, b"\x10" + bytes([0] * 7 + [len(ac)] + [0] * 8) + bytes(ac))
    codes = {symbol: format(i, "08b") for i, symbol in enumerate(ac)}
    for number, chosen in enumerate(scans or [range(count)]):
        data += _scan_header(chosen, ids) + _scan(
            blocks, chosen, sampling, rows, columns, real, codes
        )
        if dnl and number == 0:
            data += segment(0xDC, struct.pack(">H", height))
    return data + EOI


def _scan_header(chosen: Sequence[int], ids: Sequence[int], last: bytes = b"\0\x3f\0") -> bytes:
    body = bytes([len(chosen)]) + b"".join(bytes([ids[i], 0]) for i in chosen)
    return segment(0xDA, body + last)


def _scan(
    blocks: list[NDArray[Any]],
    chosen: Sequence[int],
    sampling: Sequence[tuple[int, int]],
    rows: int,
    columns: int,
    real: list[tuple[int, int]],
    codes: dict[int, str],
) -> bytes:
    bits: list[str] = []
    last = dict.fromkeys(chosen, 0)
    if len(chosen) == 1:
        (only,) = chosen
        order = [(only, y, x) for y in range(real[only][0]) for x in range(real[only][1])]
    else:
        order = [
            (i, row * sampling[i][1] + y, column * sampling[i][0] + x)
            for row in range(rows)
            for column in range(columns)
            for i in chosen
            for y in range(sampling[i][1])
            for x in range(sampling[i][0])
        ]
    for i, y, x in order:
        block = blocks[i][y, x]
        bits.append(_dc(int(block[0]) - last[i]))
        last[i] = int(block[0])
        at = 0
        for place in np.flatnonzero(block[1:]) + 1:
            while place - at > 16:
                bits.append(codes[0xF0])
                at += 16
            value = int(block[place])
            size = abs(value).bit_length()
            bits.append(codes[(int(place) - at - 1) * 16 + size] + _tail(value, size))
            at = int(place)
        if at < 63:
            bits.append(codes[0])
    return _packed(bits)


def _dc(difference: int) -> str:
    size = abs(difference).bit_length()
    return format(size, "05b") + _tail(difference, size)


def _tail(value: int, size: int) -> str:
    return format(value if value > 0 else value + (1 << size) - 1, f"0{size}b") if size else ""


def _packed(bits: list[str]) -> bytes:
    text = "".join(bits)
    text += "1" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big").replace(b"\xff", b"\xff\0")


def lossless(planes: Sequence[NDArray[np.uint8]]) -> bytes:
    """SOF3: a sample is predicted by the one to the left, in the first column by the one above."""
    height, width = planes[0].shape
    count = len(planes)
    samples = np.stack(planes, axis=-1).astype(int)
    guess = np.zeros_like(samples)
    guess[:, 1:] = samples[:, :-1]
    guess[1:, 0] = samples[:-1, 0]
    guess[0, 0] = 128
    bits = [_dc(int(d)) for d in (samples - guess).ravel()]
    frame = struct.pack(">BHHB", 8, height, width, count)
    frame += b"".join(bytes([i + 1, 0x11, 0]) for i in range(count))
    table = b"\0" + bytes([0, 0, 0, 0, 17] + [0] * 11) + bytes(range(17))
    data = SOI + segment(0xC3, frame) + segment(0xC4, table)
    return data + _scan_header(range(count), range(1, 5), b"\1\0\0") + _packed(bits) + EOI


_ZIGZAG = sorted(
    range(64),
    key=lambda i: (i // 8 + i % 8, i // 8 if (i // 8 + i % 8) % 2 else i % 8),
)
