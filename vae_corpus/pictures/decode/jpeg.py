"""JPEG: our own walk through the header, then simplejpeg, strictly.

simplejpeg raises on damaged data where other decoders repair in silence, and it is the fastest,
but it believes the announced size, and does not look at orientation, profiles or inverted ink.
"""

from __future__ import annotations

import functools
import itertools
import re
import struct
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from vae_corpus.pictures.decode.colour import MAX_PROFILE_BYTES, Space, plain, space_of, to_srgb
from vae_corpus.pictures.decode.exif import exif_orientation, is_adobe_rgb
from vae_corpus.pictures.decode.fault import Limits, Refused, check_size
from vae_corpus.pictures.decode.icc import ADOBE_RGB, Described
from vae_corpus.pictures.decode.jpeg_oddities import (
    check_passes,
    check_scans,
    count_scans,
    decode_strictly,
)
from vae_corpus.pictures.decode.pixels import Colours, Picture, Pixels, arranged, upright


class JpegHeader(NamedTuple):
    """What stands before the first scan.

    `tables` are the segments with quantisation tables, `icc` those with parts of a colour profile,
    `exif` the first EXIF block. A picture `in_passes` is progressive, or has its colours one after
    the other.
    """

    width: int
    height: int
    components: int
    in_passes: bool
    luma_table: int
    adobe: bool
    orientation: int
    tables: tuple[bytes, ...]
    icc: tuple[bytes, ...]
    exif: bytes

    @property
    def quality(self) -> float | None:
        """The IJG quality in [1, 100]; None when the table of the luma is missing."""
        return _quality(self.tables, self.luma_table)


_SEGMENT = struct.Struct(">BBH").unpack_from
_FRAME = struct.Struct(">HHB2xB").unpack_from
# TEM and the restart markers have no length.
_ALONE = frozenset((0x01, *range(0xD0, 0xD8)))
_FILL = re.compile(rb"\xff+")
_ICC = b"ICC_PROFILE\0"
_MODES = {1: "L", 3: "RGB", 4: "CMYK"}

# More passes than any encoder writes; each costs time in proportion to the announced size.
_MAX_SCANS = 100


def read_header(data: bytes, limits: Limits) -> JpegHeader:
    """The header of a picture that keeps the limits; Refused for any other."""
    header = _jpeg_header(data)
    # RGB and its upright copy; in passes all coefficients are kept as well, in 16 bits, and
    # a conversion has 4 bytes a pixel on either side.
    per_px = 6 + 2 * header.components * header.in_passes + 8 * bool(header.icc)
    per_px += 18 * (header.components == 4)
    check_size(header.width, header.height, per_px, limits)
    # What is counted first is more than the scans: previews and trailers have such bytes too.
    scans = header.in_passes and data.count(b"\xff\xda")
    if scans > _MAX_SCANS and count_scans(data) > _MAX_SCANS:
        raise Refused("too_many_scans", f"more than {_MAX_SCANS} scans")
    return header


def fill_jpeg(data: bytes, colours: str, scratch: Pixels, pixels: Pixels) -> None:
    """Decode an upright picture into `scratch`, uint8[N], of which `pixels` is a view.

    The numbers come as they are stored. An error of the decoder when the picture is damaged.
    """
    found, note = decode_strictly(data, colours, pixels.shape[:2], buffer=scratch)
    if found.shape != pixels.shape:
        raise ValueError(f"the decoder finds {found.shape} where the header has {pixels.shape}")
    if note:  # an odd file was decoded a second time, into memory of its own
        pixels[:] = found


def decode_jpeg(data: bytes, header: JpegHeader, colours: Colours) -> Picture:
    """The picture whose header was read, as sRGB; an error of the decoder when it is damaged.

    Grey is the stored luma as it is, which spares the decoder a fifth to a third of its work,
    except where a profile gives the numbers another meaning.
    """
    space, size = _space(header), (header.height, header.width)
    if header.components == 4:
        cmyk, note = decode_strictly(data, "CMYK", size)
        # Adobe stores ink upside down: 255 is no ink. That is all but every CMYK file.
        ink = 255 - cmyk if header.adobe else cmyk
        pixels = arranged(np.array(to_srgb(_image(ink, "CMYK"), space)), colours)
    elif space.transform is not None:
        stored, note = decode_strictly(data, "GRAY" if header.components == 1 else "RGB", size)
        image = _image(stored, _MODES[header.components])
        pixels = arranged(np.array(to_srgb(image, space)), colours)
    elif colours == "grey":
        stored, note = decode_strictly(data, "GRAY", size)
        pixels = stored[:, :, 0]
    else:
        pixels, note = decode_strictly(data, colours, size)
    converted = header.components == 4 or space.transform is not None
    notes = "; ".join(part for part in (note, space.note) if part)
    return Picture(upright(pixels, header.orientation), space.name, converted, notes)


def _image(pixels: Pixels, mode: str) -> Image.Image:
    height, width, channels = pixels.shape
    return Image.frombuffer(mode, (width, height), pixels, "raw", mode, 0, 1)


def _space(header: JpegHeader) -> Space:
    mode = _MODES[header.components]
    profile: bytes | str | Described | None = _joined(header.icc) if header.icc else None
    if profile is None and mode == "RGB" and is_adobe_rgb(header.exif):
        profile = ADOBE_RGB
    return plain(mode) if profile is None else space_of(profile, mode)


@functools.lru_cache(maxsize=32)
def _joined(segments: tuple[bytes, ...]) -> bytes | str:
    """A profile out of its numbered parts; why not, where some are missing."""
    parts: dict[int, bytes] = {}
    for segment in segments:
        # Some programs write all parts twice.
        parts.setdefault(segment[0], segment[2:])
    announced = segments[0][1]
    missing = sorted(set(range(1, announced + 1)) - set(parts))
    if missing:
        return f"part {missing[0]} of {announced} is missing"
    if sum(map(len, parts.values())) > MAX_PROFILE_BYTES:
        return f"more than {MAX_PROFILE_BYTES} bytes"
    return b"".join(parts[number] for number in sorted(parts))


def _jpeg_header(data: bytes) -> JpegHeader:
    """What the segments before the first scan say."""
    tables: list[bytes] = []
    icc: list[bytes] = []
    frame, adobe, exif = None, False, b""
    at, last = 2, len(data) - 4
    while at <= last:
        first, marker, length = _SEGMENT(data, at)
        if first != 0xFF:
            # Bytes that belong to no segment: decoders look for the next marker, and so do we.
            at = _next_marker(data, at)
            continue
        if marker == 0xFF:  # fill bytes, of which a file may be full
            at = _FILL.match(data, at).end() - 1  # type: ignore[union-attr]
            continue
        if marker in _ALONE:
            at += 2
            continue
        if marker == 0xDA:
            scanned = data[at + 4] if length > 2 else 0
            break
        body, end = at + 4, at + 2 + length
        if length < 2 or end > len(data):
            slug = "corrupt" if length < 2 else "truncated"
            raise Refused(slug, f"segment {marker:x} at byte {at} claims {length} bytes")
        at = end
        if marker == 0xC4:
            continue
        if marker == 0xDB:
            tables.append(data[body:end])
        elif marker == 0xE1 and data.startswith(b"Exif\0\0", body, end):
            exif = exif or data[body + 6 : end]
        elif marker == 0xE2 and data.startswith(_ICC, body, end) and end - body >= 14:
            icc.append(data[body + 12 : end])
        elif marker == 0xEE and data.startswith(b"Adobe", body, end):
            adobe = True
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC8, 0xCC):
            frame = _frame(marker, data[body:end])
    else:
        raise Refused("truncated", "ends within the header")
    if frame is None:
        raise Refused("corrupt", "no frame header before the first scan")
    width, height, components, progressive, luma_table = frame
    # Decoders fill what is missing with grey, without a word.
    if progressive:
        check_passes(data, components)
    elif scanned < components:
        check_scans(data, components)
    return JpegHeader(
        width,
        height,
        components,
        progressive or scanned < components,
        luma_table,
        adobe,
        exif_orientation(exif),
        tuple(tables),
        tuple(icc),
        exif,
    )


def _next_marker(data: bytes, at: int) -> int:
    while True:
        at = data.find(b"\xff", at)
        if at < 0 or at + 1 >= len(data):
            return len(data)
        if data[at + 1] not in (0x00, 0xFF):
            return at
        at += 1


def _frame(marker: int, body: bytes) -> tuple[int, int, int, bool, int]:
    """Width, height, components, whether in passes, and the number of the luma's table."""
    if marker not in (0xC0, 0xC1, 0xC2, 0xC9, 0xCA) or body[0] != 8:
        raise Refused("unsupported_format", f"JPEG variant {marker:x}, {body[0]} bits")
    height, width, components, luma_table = _FRAME(body, 1)
    if components not in (1, 3, 4):
        raise Refused("unsupported_format", f"JPEG with {components} components")
    if height == 0:
        raise Refused("unsupported_format", "a JPEG that tells its height after the first scan")
    return width, height, components, marker in (0xC2, 0xCA), luma_table


@functools.lru_cache(maxsize=512)
def _quality(segments: tuple[bytes, ...], luma: int) -> float | None:
    """The IJG quality of the table number `luma` of these segments; None if they lack it."""
    tables: dict[int, NDArray[np.float64]] = {}
    for body in segments:
        at = 0
        while at < len(body):
            wide, table = divmod(body[at], 16)
            size = 128 if wide else 64
            steps = np.frombuffer(body[at + 1 : at + 1 + size], ">u2" if wide else "u1")
            if len(steps) == 64:
                tables[table] = steps.astype(np.float64)
            at += 1 + size
    return _ijg_quality(tables[luma]) if luma in tables else None


# The luma table of the JPEG standard (ITU T.81, Annex K.1), which IJG quality scales.
_LUMA_STEPS = np.array(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)


@functools.cache
def _ijg_tables() -> NDArray[np.float64]:
    """float64[100, 64]: the luma tables of quality 1 to 100 in zigzag order."""
    order = sorted(
        itertools.product(range(8), range(8)),
        # Diagonals alternate in direction.
        key=lambda p: (p[0] + p[1], p[0] if (p[0] + p[1]) % 2 else p[1]),
    )
    base = np.array([_LUMA_STEPS[p] for p in order])
    quality = np.arange(1, 101)[:, None]
    scale = np.where(quality < 50, 5000 // quality, 200 - 2 * quality)
    tables: NDArray[np.float64] = np.clip((base * scale + 50) // 100, 1, 255).astype(np.float64)
    return tables


def _ijg_quality(table: NDArray[np.float64]) -> float:
    """The quality whose table is nearest: exact for IJG encoders, close for other tables."""
    # In logarithms, because a step of 2 for 1 is as large a change as 80 for 40.
    steps = np.log(np.maximum(table, 1.0))
    distance = np.abs(np.log(_ijg_tables()) - steps).sum(axis=1)
    return float(1 + np.argmin(distance))
