"""TIFF: our own walk through its directories, then Pillow with libtiff.

A TIFF holds anything: several pages, previews, masks, a camera's raw data. What is one picture of
8 or 16 unsigned bits is read; the rest says what it is.
"""

from __future__ import annotations

import io
import struct
from typing import NamedTuple

import numpy as np
from PIL import Image, TiffImagePlugin

from vae_corpus.pictures.decode.fault import PILLOW_BYTES_PER_PX, Limits, Refused, check_size
from vae_corpus.pictures.decode.pixels import Picture, to_picture
from vae_corpus.pictures.decode.tiff_strips import check_strips, value_of, values_of

_SUBFILE, _OLD_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC = 254, 255, 258, 259, 262
_FILL_ORDER, _SAMPLES, _PLANAR, _SAMPLE_FORMAT, _SUBSAMPLING = 266, 277, 284, 339, 530
_SEPARATE, _YCC = 2, 6
_SUB_DIRECTORIES, _DNG_VERSION = 330, 50706
_REDUCED, _MASK, _OLD_REDUCED = 1, 4, 2
_WHITE_IS_ZERO, _BLACK_IS_ZERO = 0, 1
_UNSIGNED = 1
# More than any scanner writes; each is a seek.
_MAX_DIRECTORIES = 10_000


class _Entry(NamedTuple):
    """The first value of an entry, where it is small enough to stand there; its place and form."""

    value: int
    at: int
    form: str


_Directory = dict[int, _Entry]
_NONE = _Entry(0, 0, "")


def decode_tiff(data: bytes, limits: Limits) -> Picture:
    directories = _directories(data)
    first = directories[0]
    preview = first.get(_SUBFILE, _NONE).value & _REDUCED and _SUB_DIRECTORIES in first
    if _DNG_VERSION in first or preview or data[8:10] == b"CR":
        raise Refused("unsupported_format", "the raw data of a camera")
    pages = [i for i, directory in enumerate(directories) if not _is_aside(directory)] or [0]
    if len(pages) > 1:
        raise Refused("animated", f"{len(pages)} pages")
    data = _together(data, directories[pages[0]])
    data, inverted = _black_is_zero(data, directories[pages[0]])
    try:
        image = TiffImagePlugin.TiffImageFile(io.BytesIO(data))
        image.seek(pages[0])
    except SyntaxError as error:
        # Pillow's word for a combination of bits, samples and compression that it does not know.
        raise Refused("unsupported_format", f"a TIFF variant: {error}") from None
    check_size(*image.size, PILLOW_BYTES_PER_PX, limits)
    ycc = value_of(image, _PHOTOMETRIC, 0) == _YCC and value_of(image, _COMPRESSION, 1) == 1
    if ycc and (values_of(image, _SUBSAMPLING) or (2, 2)) != (1, 1):
        raise Refused("unsupported_format", "subsampled colours without compression")
    # A small picture may announce huge tiles, and a decoder makes room for a whole one.
    tile = [int(image.tag_v2.get(tag, 1)) for tag in (322, 323)]
    check_size(tile[0], tile[1], 16, Limits(limits.max_pixels, limits.max_side_px))
    check_strips(data, image, limits)
    if set(values_of(image, _SAMPLE_FORMAT)) - {_UNSIGNED}:
        raise Refused("unsupported_format", "signed or fractional samples have no known range")
    profile = image.info.get("icc_profile")
    _name_planes(image)
    # Pillow itself turns TIFF pictures upright.
    image.load()
    return to_picture(_eight_bits(image, inverted), profile)


def _directories(data: bytes) -> list[_Directory]:
    """All directories of pages; Refused when one of them is not there."""
    order = "<" if data[:2] == b"II" else ">"
    big = struct.unpack_from(order + "H", data, 2)[0] == 43
    pointer, entry_bytes = ("Q", 20) if big else ("I", 12)
    number = "Q" if big else "H"
    directories: list[_Directory] = []
    seen: set[int] = set()
    spanned = 0
    at = _read(data, order + pointer, 8 if big else 4)
    while at and at not in seen and len(directories) < _MAX_DIRECTORIES:
        seen.add(at)
        # The directory often stands last: without it a cut file would seem to be a strange one.
        count = _read(data, order + number, at)
        start = at + struct.calcsize(number)
        end = start + entry_bytes * count
        if end > len(data):
            raise Refused("truncated", f"the directory at byte {at} is missing")
        # One over the other, a small file would hold millions of entries.
        spanned += end - start
        if spanned > len(data):
            raise Refused("corrupt", "its directories lie one over the other")
        directories.append(dict(_entries(data, order, big, range(start, end, entry_bytes))))
        at = _read(data, order + pointer, end)
    if not directories:
        raise Refused("corrupt", "no directory")
    return directories


def _read(data: bytes, form: str, at: int) -> int:
    if at + struct.calcsize(form) > len(data):
        raise Refused("truncated", f"ends before byte {at + struct.calcsize(form)}")
    return int(struct.unpack_from(form, data, at)[0])


def _entries(data: bytes, order: str, big: bool, places: range) -> list[tuple[int, _Entry]]:
    found = []
    for at in places:
        tag, kind = struct.unpack_from(order + "HH", data, at)
        value = at + (12 if big else 8)
        form = {3: "H", 4: "I", 16: "Q"}.get(kind, "B") if big else {3: "H", 4: "I"}.get(kind, "B")
        (number,) = struct.unpack_from(order + form, data, value)
        found.append((tag, _Entry(int(number), value, order + form)))
    return found


def _is_aside(directory: _Directory) -> bool:
    """Whether it holds a preview or a mask of another page."""
    now, before = directory.get(_SUBFILE, _NONE), directory.get(_OLD_SUBFILE, _NONE)
    return bool(now.value & (_REDUCED | _MASK)) or before.value == _OLD_REDUCED


def _together(data: bytes, page: _Directory) -> bytes:
    """The file with its single plane called one of whole pixels, which is the same.

    Pillow would forget the depth of such a plane, and that it is inverted.
    """
    planar = page.get(_PLANAR, _NONE)
    if planar.value != _SEPARATE or page.get(_SAMPLES, _Entry(1, 0, "")).value != 1:
        return data
    turned = struct.pack(planar.form, 1)
    return data[: planar.at] + turned + data[planar.at + len(turned) :]


def _name_planes(image: TiffImagePlugin.TiffImageFile) -> None:
    """Tell Pillow how wide the samples of uncompressed planes are; it takes all for bytes."""
    if value_of(image, _PLANAR, 1) != _SEPARATE or value_of(image, _COMPRESSION, 1) != 1:
        return
    if value_of(image, _BITS, 1) == 8 and value_of(image, _FILL_ORDER, 1) == 1:
        return
    planes = {tile.args[0] for tile in image.tile if isinstance(tile.args, tuple)}
    if value_of(image, _BITS, 1) != 16 or image.mode not in ("RGB", "RGBA") or planes - set("RGBA"):
        raise Refused("unsupported_format", f"planes of {value_of(image, _BITS, 1)} bits")
    order = ";16L" if image.tag_v2.prefix == b"II" else ";16B"
    image.tile = [
        tile._replace(args=(tile.args[0] + order, *tile.args[1:]))
        for tile in image.tile
        if isinstance(tile.args, tuple)
    ]


def _black_is_zero(data: bytes, page: _Directory) -> tuple[bytes, bool]:
    """The file with wide grey samples called black at zero, and whether they are not.

    Pillow forgets to invert some of those, and does not know the others.
    """
    photometric, bits = page.get(_PHOTOMETRIC, _NONE), page.get(_BITS, _NONE).value
    if photometric.value != _WHITE_IS_ZERO or bits <= 8 or photometric is _NONE:
        return data, False
    turned = struct.pack(photometric.form, _BLACK_IS_ZERO)
    return data[: photometric.at] + turned + data[photometric.at + len(turned) :], True


def _eight_bits(image: Image.Image, inverted: bool) -> Image.Image:
    """Grey of 12 or 16 bits as L; others as they are."""
    if not image.mode.startswith("I;16") or not isinstance(image, TiffImagePlugin.TiffImageFile):
        return image
    bits = values_of(image, _BITS)[0]
    # The high bits invert the usual expansion of 8 bits to more.
    grey = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
    return Image.fromarray(255 - grey if inverted else grey)
