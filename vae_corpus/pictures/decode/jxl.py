"""The header of a JPEG XL file (ISO/IEC 18181-1): its size before anything is decoded."""

from __future__ import annotations

from typing import NamedTuple

from vae_corpus.pictures.decode.fault import Refused

_CONTAINER = b"\0\0\0\x0cJXL \r\n\x87\n"
# Width over height, for the ratios that have a number.
_RATIOS = ((1, 1), (12, 10), (4, 3), (3, 2), (16, 9), (5, 4), (2, 1))


class JxlHeader(NamedTuple):
    """Size in px as stored, and whether there are frames that follow each other."""

    width: int
    height: int
    animated: bool


def read_jxl_header(data: bytes) -> JxlHeader:
    """The header of a bare codestream or of one in a container; Refused when it is not there."""
    bits = _Bits(_codestream(data)[2:34])
    height, width = _size(bits)
    animated = False
    # Then the metadata: all as usual, or else fields that begin with orientation.
    if not bits.take(1) and bits.take(1):
        bits.take(3)
        if bits.take(1):
            _size(bits)
        # A preview in front of the answer is rare: such a file counts as a still picture.
        animated = not bits.take(1) and bool(bits.take(1))
    return JxlHeader(width, height, animated)


def _codestream(data: bytes) -> bytes:
    if not data.startswith(_CONTAINER):
        return data
    at, found = 0, b""
    while at + 8 <= len(data):
        size, kind, head = int.from_bytes(data[at : at + 4], "big"), data[at + 4 : at + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        end = len(data) if size == 0 else at + size
        if end > len(data) or end < at + head:
            raise Refused("truncated", f"box {kind!r} at byte {at} reaches beyond the file")
        if not found and kind in (b"jxlc", b"jxlp"):
            found = data[at + head + 4 * (kind == b"jxlp") : end]
        at = end
    if not found:
        raise Refused("corrupt", "a container without a picture")
    return found


def _size(bits: _Bits) -> tuple[int, int]:
    small = bits.take(1)
    height = _side(bits, small)
    ratio = bits.take(3)
    if ratio:
        across, down = _RATIOS[ratio - 1]
        return height, height * across // down
    return height, _side(bits, small)


def _side(bits: _Bits, small: int) -> int:
    if small:
        return 8 * (1 + bits.take(5))
    return 1 + bits.take((9, 13, 18, 30)[bits.take(2)])


class _Bits:
    """Bits of a string, the lowest of each byte first."""

    def __init__(self, data: bytes) -> None:
        self._value, self._left = int.from_bytes(data, "little"), 8 * len(data)

    def take(self, count: int) -> int:
        if count > self._left:
            raise Refused("truncated", "ends within the header")
        taken = self._value & ((1 << count) - 1)
        self._value >>= count
        self._left -= count
        return taken
