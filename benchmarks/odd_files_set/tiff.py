"""TIFF files written tag by tag: any photometry, depth, layout, byte order and size of offsets."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, INKS, YCBCR, CIELAB, ICCLAB = 0, 1, 2, 3, 5, 6, 8, 9
BYTE, SHORT, LONG, LONG8, UNDEFINED = 1, 3, 4, 16, 7
_FORMS = {BYTE: "B", SHORT: "H", LONG: "I", LONG8: "Q", UNDEFINED: "B"}

Order = Literal["<", ">"]


@dataclass
class Page:
    """One directory: tags (type and values) and the strips or tiles in coded form."""

    tags: dict[int, tuple[int, list[int]]]
    segments: list[bytes]
    places: tuple[int, int] = (273, 279)
    order: Order = "<"
    extra: dict[int, tuple[int, list[int]]] = field(default_factory=dict)


def page(
    samples: NDArray[Any],
    photometric: int,
    *,
    bits: int | None = None,
    order: Order = "<",
    compression: str = "none",
    predictor: int = 1,
    planar: int = 1,
    tile: tuple[int, int] | None = None,
    rows_per_strip: int = 64,
    fill_order: int = 1,
    sample_format: int = 1,
    tags: dict[int, tuple[int, list[int]]] | None = None,
    profile: bytes | None = None,
) -> Page:
    """A page of samples, number[H, W] or [H, W, C]; `bits` packs them tighter than their type."""
    samples = samples[:, :, None] if samples.ndim == 2 else samples
    height, width, count = samples.shape
    size = samples.dtype.itemsize * 8
    code, pack = _CODES[compression]
    all_tags: dict[int, tuple[int, list[int]]] = {
        256: (LONG, [width]),
        257: (LONG, [height]),
        258: (SHORT, [bits or size] * count),
        259: (SHORT, [code]),
        262: (SHORT, [photometric]),
        277: (SHORT, [count]),
    }
    if planar != 1:
        all_tags[284] = (SHORT, [planar])
    if predictor != 1:
        all_tags[317] = (SHORT, [predictor])
    if fill_order != 1:
        all_tags[266] = (SHORT, [fill_order])
    if sample_format != 1:
        all_tags[339] = (SHORT, [sample_format] * count)
    if profile is not None:
        all_tags[34675] = (UNDEFINED, list(profile))
    if tile:
        all_tags |= {322: (LONG, [tile[0]]), 323: (LONG, [tile[1]])}
    else:
        all_tags[278] = (LONG, [rows_per_strip])
    planes = [samples] if planar == 1 else [samples[:, :, i : i + 1] for i in range(count)]
    segments = []
    for plane in planes:
        for part in _parts(plane, tile, rows_per_strip):
            raw = _coded(part, bits or size, order, predictor)
            raw = pack(raw)
            segments.append(raw.translate(_MIRROR) if fill_order == 2 else raw)
    places = (324, 325) if tile else (273, 279)
    return Page(all_tags | (tags or {}), segments, places, order)


def _parts(plane: NDArray[Any], tile: tuple[int, int] | None, rows: int) -> list[NDArray[Any]]:
    height, width = plane.shape[:2]
    if not tile:
        return [plane[y : y + rows] for y in range(0, height, rows)]
    across, down = tile
    padded = np.pad(plane, ((0, -height % down), (0, -width % across), (0, 0)), "edge")
    return [
        padded[y : y + down, x : x + across]
        for y in range(0, height, down)
        for x in range(0, width, across)
    ]


def _coded(part: NDArray[Any], bits: int, order: Order, predictor: int) -> bytes:
    if predictor == 2:
        part = np.concatenate([part[:, :1], part[:, 1:] - part[:, :-1]], axis=1)
    if predictor == 3:  # the bytes of each row by significance, then their differences
        rows = part.astype(part.dtype.newbyteorder(">")).reshape(len(part), -1)
        split = rows.view(np.uint8).reshape(len(rows), -1, part.dtype.itemsize)
        flat = split.transpose(0, 2, 1).reshape(len(rows), -1)
        count = part.shape[2]
        moved = flat.copy()
        moved[:, count:] -= flat[:, :-count]
        return moved.tobytes()
    if bits == part.dtype.itemsize * 8:
        return part.astype(part.dtype.newbyteorder(order)).tobytes()
    flat = part.reshape(len(part), -1).astype(">u2")
    loose = np.unpackbits(flat.view(np.uint8).reshape(len(flat), -1, 2), axis=2)[:, :, 16 - bits :]
    return np.packbits(loose.reshape(len(flat), -1), axis=1).tobytes()


def tiff(*pages: Page, big: bool = False, order: Order = "<") -> bytes:
    """The bytes of a file: header, then for each page its data, its long values, its directory."""
    mark = b"II" if order == "<" else b"MM"
    if big:
        head = mark + struct.pack(order + "HHHQ", 43, 8, 0, 0)
    else:
        head = mark + struct.pack(order + "HI", 42, 0)
    data = bytearray(head)
    link = len(head) - (8 if big else 4)
    word, kind = ("Q", LONG8) if big else ("I", LONG)
    for one in pages:
        places = []
        for part in one.segments:
            places.append(len(data))
            data += part + bytes(len(part) % 2)
        tags = one.tags | {
            one.places[0]: (kind, places),
            one.places[1]: (kind, [len(part) for part in one.segments]),
        }
        tags |= one.extra
        entries = []
        for tag, (form, values) in sorted(tags.items()):
            body = struct.pack(f"{order}{len(values)}{_FORMS[form]}", *values)
            if len(body) > struct.calcsize(word):
                at = len(data)
                data += body + bytes(len(body) % 2)
                body = struct.pack(order + word, at)
            body = body.ljust(struct.calcsize(word), b"\0")
            entries.append(struct.pack(order + "HH" + word, tag, form, len(values)) + body)
        struct.pack_into(order + word, data, link, len(data))
        data += struct.pack(order + ("Q" if big else "H"), len(entries)) + b"".join(entries)
        link = len(data)
        data += bytes(struct.calcsize(word))
    return bytes(data)


def _lzw(raw: bytes) -> bytes:
    """LZW as TIFF 6.0 has it: high bits first, and codes grow one code early."""
    bits = [format(256, "09b")]
    table = {bytes([i]): i for i in range(256)}
    size, word = 258, b""
    for byte in raw:
        longer = word + bytes([byte])
        if longer in table:
            word = longer
            continue
        bits.append(format(table[word], f"0{_width(size)}b"))
        table[longer] = size
        size += 1
        word = bytes([byte])
        if size == 4094:
            bits.append(format(table[word], "012b") + format(256, "012b"))
            table, size, word = {bytes([i]): i for i in range(256)}, 258, b""
    if word:
        bits.append(format(table[word], f"0{_width(size)}b"))
        size += 1
    bits.append(format(257, f"0{_width(size)}b"))
    text = "".join(bits)
    text += "0" * (-len(text) % 8)
    return int(text, 2).to_bytes(len(text) // 8, "big")


def _width(size: int) -> int:
    return max(9, size.bit_length())


def _packbits(raw: bytes) -> bytes:
    found = bytearray()
    for at in range(0, len(raw), 128):
        part = raw[at : at + 128]
        if len(set(part)) == 1 and len(part) > 1:
            found += bytes([257 - len(part), part[0]])
        else:
            found += bytes([len(part) - 1]) + part
    return bytes(found)


_CODES: dict[str, tuple[int, Callable[[bytes], bytes]]] = {
    "none": (1, bytes),
    "lzw": (5, _lzw),
    "deflate": (8, zlib.compress),
    "old_deflate": (32946, zlib.compress),
    "packbits": (32773, _packbits),
}
_MIRROR = bytes(int(format(i, "08b")[::-1], 2) for i in range(256))
