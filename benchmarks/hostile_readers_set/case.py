"""A hostile input to a reader of sources, and what may become of it."""

from __future__ import annotations

import functools
import io
import tarfile
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg

KEPT = "kept"
ERROR = "error"
# As many rows as there are files.
FILES = -1


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """`make` fills a folder; `reader` is a type of source, `text` or `settings`.

    `good` pictures (or paragraphs) must be kept; `fates` has the slugs, or `kept`, that any other
    row may have, and `error` where a sentence for people instead of rows is right. `rows` and
    `passed_over` are how many there must be, None: not asked.
    """

    name: str
    reader: str
    make: Callable[[Path], Any]
    fates: frozenset[str] = frozenset()
    good: int = 2
    rows: int | None = None
    passed_over: int | None = None
    most_mb: int = 1500
    settings: dict[str, Any] = field(default_factory=dict)


@functools.cache
def good_pictures() -> tuple[bytes, ...]:
    """Small photographs of noise on a ramp, each another one."""
    rng = np.random.default_rng(7)
    ramp = np.linspace(0, 160, 96)[None, :, None] * np.ones((80, 1, 3))
    return tuple(
        simplejpeg.encode_jpeg(
            (ramp + rng.integers(0, 95, (80, 96, 3))).astype(np.uint8), 90, colorspace="RGB"
        )
        for _ in range(4)
    )


def fates(*slugs: str) -> frozenset[str]:
    return frozenset(slugs)


def header(
    name: bytes,
    size: int | bytes = 0,
    *,
    kind: bytes = b"0",
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
) -> bytes:
    """A header of a member with a right checksum; `size` as bytes is written as it stands."""
    field_ = size if isinstance(size, bytes) else b"%011o\0" % size
    block = bytearray(512)
    block[: len(name)] = name
    block[100:108], block[108:116], block[116:124] = b"0000644\0", b"0000000\0", b"0000000\0"
    block[124 : 124 + len(field_)] = field_
    block[136:148], block[148:156] = b"00000000000\0", b" " * 8
    block[156:157], block[157 : 157 + len(link)] = kind, link
    block[257 : 257 + len(magic)] = magic
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % 512)


def member(name: bytes, data: bytes, **fields: Any) -> bytes:
    return header(name, len(data), **fields) + padded(data)


def pax(records: bytes, kind: bytes = b"x") -> bytes:
    return header(b"PaxHeader", len(records), kind=kind) + padded(records)


def record(key: bytes, value: bytes) -> bytes:
    size = len(key) + len(value) + 3
    while len(b"%d" % size) + len(key) + len(value) + 3 != size:
        size = len(b"%d" % size) + len(key) + len(value) + 3
    return b"%d %s=%s\n" % (size, key, value)


def long_name(name: bytes) -> bytes:
    return member(b"././@LongLink", name + b"\0", kind=b"L", magic=b"ustar  \0")


END = bytes(1024)


def around(middle: bytes) -> bytes:
    """A tar with a good picture before and after what is hostile."""
    one, two, *_ = good_pictures()
    return member(b"good0.jpg", one) + middle + member(b"good1.jpg", two) + END


def tar_bytes(members: Iterable[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, data in members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return file.getvalue()
