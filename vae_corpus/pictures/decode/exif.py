"""The two things that EXIF says of pixels: which way is up, and that they are Adobe RGB."""

from __future__ import annotations

import struct

_ORIENTATION, _EXIF, _COLOUR_SPACE, _INTEROPERABILITY, _INDEX = 0x112, 0x8769, 0xA001, 0xA005, 1
_SRGB = 1
# More entries than any directory of a picture has.
_MAX_ENTRIES = 512


def exif_orientation(tiff: bytes) -> int:
    """Orientation 1..8 out of an EXIF block; 1 when there is none or it cannot be read."""
    order = _order(tiff)
    at = _find(tiff, order, _pointer(tiff, order, 4), _ORIENTATION)
    value = struct.unpack_from(order + "H", tiff, at)[0] if at else 1
    return value if 1 <= value <= 8 else 1


def is_adobe_rgb(tiff: bytes) -> bool:
    """Whether a camera marks its numbers as Adobe RGB: "R03" of the DCF 2.0 option files.

    Such cameras seldom embed a profile.
    """
    # Cheaper than a walk through the directories, which most photographs are spared by it.
    if b"R03\0" not in tiff:
        return False
    order = _order(tiff)
    exif = _linked(tiff, order, _pointer(tiff, order, 4), _EXIF)
    space = _find(tiff, order, exif, _COLOUR_SPACE)
    if space and struct.unpack_from(order + "H", tiff, space)[0] == _SRGB:
        return False
    index = _find(tiff, order, _linked(tiff, order, exif, _INTEROPERABILITY), _INDEX)
    return index > 0 and tiff[index : index + 4] == b"R03\0"


def _order(tiff: bytes) -> str:
    return {b"II": "<", b"MM": ">"}.get(tiff[:2], "")


def _pointer(tiff: bytes, order: str, at: int) -> int:
    return int(struct.unpack_from(order + "I", tiff, at)[0]) if order and at + 4 <= len(tiff) else 0


def _linked(tiff: bytes, order: str, start: int, tag: int) -> int:
    """Where the directory begins that an entry points to; 0 when there is none."""
    at = _find(tiff, order, start, tag)
    return _pointer(tiff, order, at) if at else 0


def _find(tiff: bytes, order: str, start: int, tag: int) -> int:
    """Where the value of an entry of the directory at `start` lies; 0 when there is none."""
    if not order or start < 8 or start + 2 > len(tiff):
        return 0
    (count,) = struct.unpack_from(order + "H", tiff, start)
    fitting = min(count, _MAX_ENTRIES, (len(tiff) - start - 2) // 12)
    for at in range(start + 2, start + 2 + 12 * fitting, 12):
        if struct.unpack_from(order + "H", tiff, at)[0] == tag:
            return at + 8
    return 0
