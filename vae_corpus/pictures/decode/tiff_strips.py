"""The strips and tiles of a TIFF: each must be there, and end as its compression ends.

libtiff reads a strip until it has the rows and stops: it never comes to the checksum of Deflate,
and of JPEG and fax it repairs in silence what is missing or wrong.
"""

from __future__ import annotations

import lzma
import re
import zlib
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import TiffImagePlugin

from vae_corpus.pictures.decode.fault import Limits, Refused
from vae_corpus.pictures.decode.jpeg import read_header
from vae_corpus.pictures.decode.jpeg_oddities import decode_strictly

_WIDTH, _HEIGHT, _BITS, _COMPRESSION, _FILL_ORDER = 256, 257, 258, 259, 266
_SAMPLES, _STEP, _PLANAR, _TILE_WIDTH, _TILE_HEIGHT = 277, 278, 284, 322, 323
_JPEG_TABLES = 347
_SEPARATE = 2
_STRIPS, _TILES = (273, 279), (324, 325)
_NONE, _FAX_ROWS, _FAX_3, _FAX_4, _JPEG = 1, 2, 3, 4, 7
_DEFLATE, _LZMA, _ZSTD = (8, 32946), 34925, 50000
# Bytes at a time, and what a strip may hold beyond twice its rows: writers fill up blocks of
# samples, and more would cost hours in many small strips.
_PIECE_BYTES = 1 << 16
_SPARE_BYTES, _SPARE_ROWS = 4096, 64
# Strips may share what is blank, but not so that a small file is read over and over.
_MAX_SHARED, _ALWAYS_BYTES = 2, 1 << 20
# Those of real files have less than two kilobytes.
_MAX_TABLES_BYTES = 1 << 16
_LZMA_BYTES = 256 << 20
# The end of a line of fax, which no code of pixels holds; a block ends in two of them, and in what
# fills up its last bytes.
_END_OF_LINE = re.compile(b"0{11}1")
_END_OF_FAX = re.compile(b"(0{11}1){2}(0{0,39}|1{0,7})$")
_REVERSED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_END_OF_JPEG = b"\xff\xd9"


class _Most(NamedTuple):
    """The most that a strip may hold: else a small file of many strips costs hours."""

    bytes: int
    pixels: int


def check_strips(data: bytes, image: TiffImagePlugin.TiffImageFile, limits: Limits) -> None:
    """Refused when strips or tiles are missing, end beyond the file, or are damaged.

    Pillow leaves what is missing black. Damage is not seen in fax, beyond a lost end, and in what
    has no checksum.
    """
    width, height = value_of(image, _WIDTH, 0), value_of(image, _HEIGHT, 0)
    samples, planar = value_of(image, _SAMPLES, 1), value_of(image, _PLANAR, 1) == _SEPARATE
    planes = samples if planar else 1
    if _TILES[0] in image.tag_v2:
        across, down = value_of(image, _TILE_WIDTH, width), value_of(image, _TILE_HEIGHT, height)
        columns, rows = -(-width // across), [down] * -(-height // down)
        places = _TILES
    else:
        across, columns, places = width, 1, _STRIPS
        down = min(value_of(image, _STEP, height), height)
        rows = [min(down, height - top) for top in range(0, height, down)]
    starts, lengths = values_of(image, places[0]), values_of(image, places[1])
    wanted = columns * len(rows) * planes
    if len(starts) < wanted:
        raise Refused("truncated", f"{len(starts)} of {wanted} strips or tiles")
    row_bytes = (across * value_of(image, _BITS, 1) * (samples // planes) + 7) // 8
    compression = value_of(image, _COMPRESSION, 1)
    for i, (start, length) in enumerate(zip(starts, lengths, strict=False)):
        least = row_bytes * rows[i // columns % len(rows)] if compression == _NONE else 0
        if start + length > len(data) or length < least:
            raise Refused("truncated", f"the strip at byte {start} has {length} bytes")
    if compression != _NONE and sum(lengths) > _ALWAYS_BYTES + _MAX_SHARED * len(data):
        raise Refused("corrupt", "its strips lie one over the other")
    tables = image.tag_v2.get(_JPEG_TABLES, b"") if compression == _JPEG else b""
    if len(tables) > _MAX_TABLES_BYTES:
        raise Refused("corrupt", f"JPEG tables of {len(tables)} bytes")
    # The last strip of a picture may have more rows than are left.
    most = _Most(2 * row_bytes * down + _SPARE_BYTES, across * (down + _SPARE_ROWS))
    reverse = value_of(image, _FILL_ORDER, 1) == 2 and compression != _JPEG
    for i, (start, length) in enumerate(zip(starts[:wanted], lengths, strict=False)):
        strip = data[start : start + length]
        if reverse:
            strip = strip.translate(_REVERSED)
        if compression == _FAX_3:
            why = _damaged_lines(strip, rows[i // columns % len(rows)])
        else:
            why = _damage(strip, compression, tables, most, limits)
        if why:
            raise Refused("corrupt", f"the strip at byte {start}: {why}")


def value_of(image: TiffImagePlugin.TiffImageFile, number: int, otherwise: int) -> int:
    return (values_of(image, number) or (otherwise,))[0]


def values_of(image: TiffImagePlugin.TiffImageFile, number: int) -> tuple[int, ...]:
    values = image.tag_v2.get(number, ())
    return tuple(values) if isinstance(values, tuple) else (int(values),)


def _damage(strip: bytes, compression: int, tables: bytes, most: _Most, limits: Limits) -> str:
    """What is wrong with a strip; empty where nothing is."""
    if compression == _FAX_ROWS:
        # Nothing in them tells whole rows from damaged ones, which libtiff fills up.
        raise Refused("unsupported_format", "fax rows, in which damage cannot be told")
    if compression == _FAX_4:
        return "" if _END_OF_FAX.search(_bits(strip[-16:])) else "no end of block"
    if compression == _JPEG:
        return _damaged_jpeg(strip, tables, most.pixels, limits)
    if compression in _DEFLATE:
        return _damaged_stream(strip, zlib.decompressobj(), most.bytes)
    if compression == _LZMA:
        return _damaged_stream(strip, lzma.LZMADecompressor(memlimit=_LZMA_BYTES), most.bytes)
    return _damaged_zstd(strip, most.bytes) if compression == _ZSTD else ""


def _damaged_lines(strip: bytes, rows: int) -> str:
    """As `_damage`, of fax in which each line has an end."""
    # As the standard has it an end stands before each line; some writers put it behind, or between.
    lines = len(_END_OF_LINE.findall(_bits(strip)))
    return f"{lines} lines of {rows}" if lines < rows - 1 else ""


def _bits(data: bytes) -> bytes:
    """The bits as digits, b"0" and b"1"."""
    return (np.unpackbits(np.frombuffer(data, np.uint8)) + ord("0")).tobytes()


def _damaged_jpeg(strip: bytes, tables: bytes, most: int, limits: Limits) -> str:
    whole = tables.removesuffix(_END_OF_JPEG) + strip[2:] if tables else strip
    try:
        header = read_header(whole, limits)
        if header.width * header.height > most:
            return f"a JPEG of {header.width} x {header.height} px"
        colours = "CMYK" if header.components == 4 else "GRAY"
        decode_strictly(whole, colours, (header.height, header.width))
    except Refused as refused:
        # A variant that the strict decoder does not know: what is left to see is the end.
        if refused.fault.slug != "unsupported_format":
            raise
        return "" if _END_OF_JPEG in strip[-_PIECE_BYTES:] else "no end of its JPEG"
    return ""


def _damaged_stream(strip: bytes, inflater: Any, most: int) -> str:
    """As `_damage`, of a format that ends in a checksum; its decoder raises where that differs."""
    given = 0
    for at in range(0, len(strip), _PIECE_BYTES):
        piece = strip[at : at + _PIECE_BYTES]
        while piece or not getattr(inflater, "needs_input", True):
            given += len(inflater.decompress(piece, _PIECE_BYTES))
            if given > most:
                return "more than its rows take"
            if inflater.eof:
                return ""
            piece = getattr(inflater, "unconsumed_tail", b"")
    return "its stream has no end"


def _damaged_zstd(strip: bytes, most: int) -> str:
    given = 0
    with pa.CompressedInputStream(pa.BufferReader(strip), "zstd") as stream:
        while size := len(stream.read(_PIECE_BYTES)):
            given += size
            if given > most:
                return "more than its rows take"
    return ""
