"""ISO media files (AVIF, HEIC): which kind it is, and the colours that its boxes name."""

from __future__ import annotations

from collections.abc import Iterator

from vae_corpus.pictures.decode.fault import Refused
from vae_corpus.pictures.decode.icc import HDR_CURVES, Described, code_points

_AVIF = (b"avif", b"avis")
_HEIC = (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs")
# The boxes on the way to the colours of a picture, with the bytes before their own boxes.
_WAY = {b"meta": 4, b"iprp": 0, b"ipco": 0}
_MAX_BOXES = 4096


def brand(data: bytes) -> str | None:
    """`avif` or `heic` by the brands of the file; None for a video or no such file."""
    if data[4:8] != b"ftyp":
        return None
    size = int.from_bytes(data[:4], "big")
    brands = {data[8:12]} | {data[at : at + 4] for at in range(16, min(size, 256, len(data)), 4)}
    for name, known in (("avif", _AVIF), ("heic", _HEIC)):
        if brands & set(known):
            return name
    return "heic" if brands & {b"mif1", b"msf1"} else None


def nclx_colours(data: bytes) -> Described | None:
    """The colours that the first `colr` box names by number; Refused when these are HDR."""
    for start, stop in _boxes(data, 0, len(data), b"colr"):
        if data[start : start + 4] != b"nclx" or stop - start < 10:
            continue
        primaries = int.from_bytes(data[start + 4 : start + 6], "big")
        curve = int.from_bytes(data[start + 6 : start + 8], "big")
        if curve in HDR_CURVES:
            raise Refused("unsupported_format", f"{HDR_CURVES[curve]}: HDR has no sRGB")
        return code_points(primaries, curve)
    return None


def _boxes(data: bytes, at: int, end: int, wanted: bytes) -> Iterator[tuple[int, int]]:
    """Where the contents of the wanted boxes lie, inside those of `_WAY`."""
    for _ in range(_MAX_BOXES):
        if at + 8 > end:
            return
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        stop = end if size == 0 else min(end, at + size)
        if stop < at + head:
            return
        if kind == wanted:
            yield at + head, stop
        elif kind in _WAY:
            yield from _boxes(data, at + head + _WAY[kind], stop, wanted)
        at = stop


def check_boxes(data: bytes) -> None:
    """Refused when an outer box reaches beyond the file: it was cut."""
    at = 0
    while at + 8 <= len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 1:
            size = int.from_bytes(data[at + 8 : at + 16], "big")
        if size == 0:
            return
        if at + size > len(data):
            raise Refused("truncated", f"{len(data)} of {at + size} bytes")
        if size < 8:
            raise Refused("corrupt", f"a box of {size} bytes at byte {at}")
        at += size
