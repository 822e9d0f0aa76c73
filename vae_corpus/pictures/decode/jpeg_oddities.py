"""JPEGs that are odd and whole: every viewer shows them, and their pixels are exact.

The strict decoder stops at the first thing that it would warn of, and some of its warnings are of
headers alone: an unknown JFIF version, a needless transform number, bytes between segments. Such a
file is decoded again with a plain header. What remains odd then is damage.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import simplejpeg

from vae_corpus.pictures.decode.fault import Refused
from vae_corpus.pictures.decode.pixels import Pixels

# A marker with a length. 0xFF stands before 0 among entropy-coded bytes, and before restart markers
# and TEM (1), which have none.
_MARKER = re.compile(rb"\xff[^\x00\x01\xff\xd0-\xd7]")
_EXTRA_AT_END = re.compile(r"extraneous bytes before marker 0xd9")
_PREMATURE = "premature end of data segment"
_SOF = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_KNOWN_RATIOS = {(1, 1), (2, 1), (1, 2), (2, 2), (4, 1), (1, 4)}
_MOST_STRAY = 64
_LOST_SECTOR = bytes(32)
_SEQUENTIAL = (0xC0, 0xC1, 0xC9)


def decode_strictly(
    data: bytes, colours: str, size: tuple[int, int], **options: Any
) -> tuple[Pixels, str]:
    """Pixels as stored, and what is odd but harmless; an error when there is damage.

    `size` is the height and width in pixels that keep the limits; Refused where the decoder reads
    others, before it takes memory for them.
    """
    try:
        return _decode_of_size(data, colours, size, **options), ""
    except ValueError as error:
        if "subsampling level" in str(error) and _is_rarely_sampled(data):
            raise Refused("unsupported_format", "a rare subsampling of colours") from None
        first = error
    plain, notes = _plain_header(data)
    if notes:
        try:
            return _decode_of_size(plain, colours, size), "; ".join(notes)
        except ValueError as error:
            first = error
    if _EXTRA_AT_END.search(str(first)):
        end = _end_of_scan(plain, colours)
        if end is not None:
            notes.append(f"{len(plain) - 2 - end} stray bytes before the end")
            whole = plain[:end] + b"\xff\xd9"
            return simplejpeg.decode_jpeg(whole, colours, strict=True), "; ".join(notes)
    raise first


def _decode_of_size(data: bytes, colours: str, size: tuple[int, int], **options: Any) -> Pixels:
    found = size
    # The header of a sampling that simplejpeg has no name for, 4:4:1, is a KeyError to it.
    with suppress(KeyError):
        found = simplejpeg.decode_jpeg_header(data)[:2]
    if found != size:
        raise Refused("corrupt", f"the decoder finds {found} where the header has {size}")
    pixels: Pixels = simplejpeg.decode_jpeg(data, colours, strict=True, **options)
    return pixels


def _is_rarely_sampled(data: bytes) -> bool:
    """Whether colours are sampled in a way that TurboJPEG does not know, such as 4:1:0."""
    sof = next((start for marker, start, _ in _segments(data) if marker in _SOF), None)
    if sof is None:
        return False
    factors = [divmod(data[sof + 11 + 3 * i], 16) for i in range(data[sof + 9])]
    (luma_h, luma_v), *others = factors
    # The fourth component, black ink, is sampled as the first.
    ratios = {(luma_h / h, luma_v / v) for h, v in others[:2] if h and v}
    return not ratios <= _KNOWN_RATIOS or len(ratios) > 1


def count_scans(data: bytes) -> int:
    """How many scans there are up to the end mark."""
    return sum(marker == 0xDA for marker, _, _ in _segments(data))


def check_scans(data: bytes, components: int) -> None:
    """Refused when a picture whose colours come one after the other lacks one of them."""
    found: set[int] = set()
    for marker, start, end in _segments(data):
        if marker == 0xDA and end - start > 4:
            found.update(data[start + 5 : min(end, start + 5 + 2 * data[start + 4]) : 2])
    if len(found) < components:
        raise Refused("truncated", f"scans for {len(found)} of {components} components")


def check_passes(data: bytes, components: int) -> None:
    """Refused when a progressive picture lacks bits of a coefficient, which decoders take for 0.

    The standard allows to leave some out. No encoder does, and a file that was cut between two
    passes looks the same.
    """
    whole: dict[int, bytearray] = {}
    for marker, start, end in _segments(data):
        if marker != 0xDA or end - start < 10:
            continue
        after = start + 5 + 2 * data[start + 4]
        if after + 3 > end:
            continue
        first, last, bits = data[after : after + 3]
        for component in data[start + 5 : after : 2]:
            sent = whole.setdefault(component, bytearray(64))
            if bits & 15 == 0:
                sent[first : last + 1] = b"\1" * len(sent[first : last + 1])
    done = sum(all(sent) for sent in whole.values())
    if done < components:
        raise Refused("truncated", f"all passes of {done} of {components} components")


def _segments(data: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, start and end of each segment up to the end mark; what lies between is not theirs."""
    at = 2
    while (found := _MARKER.search(data, at)) is not None:
        start, marker = found.end() - 2, data[found.end() - 1]
        if marker == 0xD9:
            yield marker, start, start + 2
            return
        end = start + 2 + int.from_bytes(data[start + 2 : start + 4], "big")
        if end < start + 4 or end > len(data):
            return
        yield marker, start, end
        at = end


def _plain_header(data: bytes) -> tuple[bytes, list[str]]:
    """The same picture without anything that it does not need, and what was odd about it."""
    segments = list(_segments(data))
    sof = next((i for i in segments if i[0] in _SOF), None)
    if sof is None or segments[-1][0] != 0xD9:
        return data, []
    components = data[sof[1] + 9]
    parts, notes, profile = [data[:2]], [], []
    before, scanning, said = 2, False, False
    for marker, start, end in segments:
        between = data[before:start].rstrip(b"\xff")
        if scanning:
            parts.append(data[before:start])
        elif between:
            notes.append(f"{len(between)} stray bytes in the header")
        before, segment = end, data[start:end]
        scanning = scanning or marker == 0xDA
        if marker == 0xE0 and segment[4:9] == b"JFIF\0" and not said:
            said = True
            if segment[9] != 1:
                notes.append(f"JFIF version {segment[9]}.{segment[10]:02d}")
            parts.append(b"\xff\xe0\0\x10JFIF\0\1\1\0\0\1\0\1\0\0")
        elif marker == 0xEE and segment[4:9] == b"Adobe" and len(segment) >= 16:
            wanted = (0, 1) if components == 3 else (0, 2)
            if segment[15] not in wanted:
                notes.append(f"Adobe transform {segment[15]}")
                segment = segment[:15] + bytes([wanted[1]]) + segment[16:]
            parts.append(segment)
        elif marker == 0xDA and sof[0] in _SEQUENTIAL and segment[-3:] != b"\0\x3f\0":
            notes.append(f"scan parameters {segment[-3:].hex(' ')}")
            parts.append(segment[:-3] + b"\0\x3f\0")
        elif marker == 0xE2 and segment[4:15] == b"ICC_PROFILE":
            profile.append(segment[16:18] if len(segment) > 18 else b"")
        elif 0xE0 <= marker <= 0xEF or marker == 0xFE:
            continue
        else:
            parts.append(segment)
    # Each part of a profile has its number, and all have their count.
    if sorted(profile) != [bytes([n + 1, len(profile)]) for n in range(len(profile))]:
        notes.append("repeated, missing or empty profile segments")
    return b"".join(parts), list(dict.fromkeys(notes))


def _end_of_scan(data: bytes, colours: str) -> int | None:
    """Where the last scan ends that has bytes left over before the end mark; None if it is damaged.

    A scan in which a bit has flipped may come out too short as well. But where a scan ends, ones
    fill up its last byte (ITU T.81, F.1.2.3), and where a decoder lost its way, chance decides.
    """
    mark = len(data) - 2
    start = data.rindex(b"\xff\xda")
    low, high = start, mark
    # The least that the decoder needs: with a byte less it misses some.
    while high - low > 1:
        middle = (low + high) // 2
        missing = _decoded(data[:middle], colours) is None
        low, high = (middle, high) if missing else (low, middle)
    last = data[high - 1]
    end = high + (last == 0xFF and data[high] == 0)
    stray = data[end:mark]
    # Padding may be long. What is long and no padding is the rest of a scan that lost its way.
    if len(stray) > _MOST_STRAY and len(set(stray)) > 1:
        return None
    # Zeros are valid codes, and what is left of a sector that could not be read.
    if data.find(_LOST_SECTOR, start, end) >= 0:
        return None
    for free in range(7, 0, -1):
        mask = (1 << free) - 1
        zeros = _decoded(data[: high - 1] + bytes([last & ~mask]), colours)
        ones = _decoded(
            data[: high - 1] + bytes([last | mask]).replace(b"\xff", b"\xff\0"), colours
        )
        if zeros is not None and ones is not None and np.array_equal(zeros, ones):
            return end if last & mask == mask else None
    return end


def _decoded(scans: bytes, colours: str) -> Pixels | None:
    """The pixels of a file without its end mark; None when bytes are missing in the last scan."""
    try:
        pixels: Pixels = simplejpeg.decode_jpeg(scans + b"\xff\xd9", colours, strict=True)
        return pixels
    except ValueError as error:
        if _PREMATURE in str(error):
            return None
    # Something else is wrong: the caller's last attempt says what.
    return np.empty(0, np.uint8)
