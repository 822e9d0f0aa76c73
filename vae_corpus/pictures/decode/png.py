"""PNG: every checksum, the end mark and the last row are checked, because Pillow forgives them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from PIL import Image, PngImagePlugin

from vae_corpus.pictures.decode.colour import MAX_PROFILE_BYTES
from vae_corpus.pictures.decode.exif import exif_orientation
from vae_corpus.pictures.decode.fault import PILLOW_BYTES_PER_PX, Limits, Refused, check_size
from vae_corpus.pictures.decode.icc import HDR_CURVES, SRGB_PRIMARIES, Described, code_points
from vae_corpus.pictures.decode.pixels import Picture, to_picture, upright

# Twice what a gigabyte has in chunks of 8 KiB, the usual size. Each of them takes memory and time.
_MAX_CHUNKS = 1 << 18
# Inflated at a time, when rows are only counted.
_INFLATE_BYTES = 1 << 20

# What Pillow needs for the pixels. All else stays outside: texts and profiles may be bombs
# themselves, and are inflated here, to a limit.
_PNG_KEPT = (b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND")
_COLOURS = (b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"cICP")
_TEXTS = (b"tEXt", b"zTXt", b"iTXt")
_PALETTE = 3
_RAW_EXIF = b"Raw profile type exif\0"
# As digits, 64 KiB of EXIF, which is the most that a JPEG holds, and its lines.
_MAX_EXIF_DIGITS = 140_000


def decode_png(data: bytes, limits: Limits) -> Picture:
    if data[12:16] != b"IHDR" or len(data) < 33:
        raise Refused("truncated" if len(data) < 33 else "corrupt", "no image header")
    width, height = struct.unpack(">II", data[16:24])
    check_size(width, height, PILLOW_BYTES_PER_PX, limits)
    parts, stream, notes = [data[:8]], [], []
    colours: dict[bytes, bytes] = {}
    exif, raw_exif = b"", None
    for kind, start, end, whole in _png_chunks(data):
        body = (start + 8, end - 4)
        if not whole:
            notes.append(f"wrong checksum of chunk {kind.decode('latin-1')}")
            continue
        if kind == b"acTL" and int.from_bytes(data[start + 8 : start + 12], "big") > 1:
            raise Refused("animated", "an animated PNG")
        if kind == b"eXIf":
            exif = data[slice(*body)]
        elif kind in _TEXTS and raw_exif is None and data.startswith(_RAW_EXIF, body[0]):
            # The first alone: a file may be full of others, and each takes time.
            raw_exif = _raw_exif(kind, data[slice(*body)])
        elif kind in _COLOURS:
            colours.setdefault(kind, data[slice(*body)])
        if kind == b"IDAT":
            stream.append(body)
        if kind in _PNG_KEPT:
            parts.append(data[start:end])
    if data[25] == _PALETTE and not any(part[4:8] == b"PLTE" for part in parts):
        raise Refused("corrupt", "a palette picture without a palette")
    image: Image.Image = PngImagePlugin.PngImageFile(io.BytesIO(b"".join(parts)))
    image.load()
    # Rows that never came are zeros. Rows that are zeros may also be black: then count.
    bottom = image.crop((0, height - 1, width, height))
    if data[28] or not np.asarray(bottom).any():
        _check_all_rows(data, stream)
    if "transparency" in image.info and data[25] != _PALETTE:
        image = _with_alpha(image, data[24], parts)
    picture = to_picture(image, _profile(colours), "; ".join(notes))
    return picture._replace(
        pixels=upright(picture.pixels, exif_orientation(exif or raw_exif or b""))
    )


def _with_alpha(image: Image.Image, depth: int, parts: list[bytes]) -> Image.Image:
    """A picture of which one colour is transparent, with the alpha that this means.

    Pillow compares the colour's own number with pixels that it has scaled to 8 bits.
    """
    key = image.info.pop("transparency")
    if image.mode == "RGB" and depth == 16:
        opaque = [part for part in parts if part[4:8] != b"tRNS"]
        coded = np.frombuffer(b"".join(opaque), np.uint8)
        wide = cv2.cvtColor(cv2.imdecode(coded, cv2.IMREAD_UNCHANGED), cv2.COLOR_BGR2RGB)
        alpha = (wide != np.array(key, np.uint16)).any(axis=2)
    elif image.mode == "RGB":
        alpha = (np.asarray(image) != np.array(key)).any(axis=2)
    else:
        scale = 255 // ((1 << depth) - 1) if depth < 8 else 1
        alpha = np.asarray(image.convert("L") if depth == 1 else image) != key * scale
        if depth == 16:
            image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    layer = image.convert("LA" if image.mode in ("1", "L") else "RGBA")
    layer.putalpha(Image.fromarray(alpha * np.uint8(255)))
    return layer


def _profile(colours: dict[bytes, bytes]) -> bytes | Described | str | None:
    """What the chunks say of colours, in the order of precedence of PNG's third edition."""
    if len(points := colours.get(b"cICP", b"")) == 4:
        if points[1] in HDR_CURVES:
            raise Refused("unsupported_format", f"{HDR_CURVES[points[1]]}: HDR has no sRGB")
        described = code_points(points[0], points[1])
        # Numbers of a video's range or matrix are no RGB that anybody writes into a PNG.
        if described is not None and points[2:] == b"\0\1":
            return described
    if b"iCCP" in colours:
        return _icc(colours[b"iCCP"])
    if b"sRGB" in colours or len(colours.get(b"gAMA", b"")) != 4:
        return None
    (gamma,) = struct.unpack(">I", colours[b"gAMA"])
    # 0.1 to 10: what lies beyond is a slip of an encoder and would leave nothing of the picture.
    if not 10_000 <= gamma <= 1_000_000:
        return f"a gamma of {gamma / 1e5:g}"
    primaries = SRGB_PRIMARIES
    if len(chunk := colours.get(b"cHRM", b"")) == 32:
        white_x, white_y, *rest = (v / 1e5 for v in struct.unpack(">8I", chunk))
        primaries = (*rest, white_x, white_y)
    return Described(f"PNG gamma {1e5 / gamma:.2f}", primaries, 1e5 / gamma)


def _icc(chunk: bytes) -> bytes | str:
    name, _, packed = chunk.partition(b"\0")
    try:
        inflater = zlib.decompressobj()
        profile = inflater.decompress(packed[1:], MAX_PROFILE_BYTES)
    except zlib.error as error:
        return str(error)
    if inflater.unconsumed_tail:
        return f"more than {MAX_PROFILE_BYTES} bytes"
    return profile


def _raw_exif(kind: bytes, chunk: bytes) -> bytes:
    """EXIF as ImageMagick hid it in texts before PNG had a chunk for it: hexadecimal."""
    text = chunk[len(_RAW_EXIF) :]
    try:
        if kind == b"zTXt":
            text = zlib.decompressobj().decompress(text[1:], _MAX_EXIF_DIGITS)
        elif kind == b"iTXt":
            packed, text = text[0], text[2:].split(b"\0", 2)[-1]
            text = zlib.decompressobj().decompress(text, _MAX_EXIF_DIGITS) if packed else text
        # A line with the name, one with the length, then the bytes.
        _, _, *digits = text.strip().split()
        return bytes.fromhex(b"".join(digits).decode("ascii")).removeprefix(b"Exif\0\0")
    except (zlib.error, ValueError, IndexError):
        return b""


def _check_all_rows(data: bytes, stream: list[tuple[int, int]]) -> None:
    """Inflate without keeping anything; Refused when it gives fewer bytes than the rows take."""
    width, height, depth, colour = struct.unpack(">IIBB", data[16:26])
    bits = depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    # Interlaced pictures come in seven passes: (first column, first row, step across, step down).
    passes = [(0, 0, 1, 1)]
    if data[28]:
        passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4)]
        passes += [(0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
    missing = 0
    for x, y, across, down in passes:
        columns, rows = -((x - width) // across), -((y - height) // down)
        missing += rows * (1 + (columns * bits + 7) // 8) if columns > 0 and rows > 0 else 0
    inflater = zlib.decompressobj()
    for start, end in stream:
        rest = data[start:end]
        while rest and missing > 0:
            missing -= len(inflater.decompress(rest, _INFLATE_BYTES))
            rest = inflater.unconsumed_tail
    if missing > 0:
        raise Refused("truncated", f"the last {missing} bytes of the rows are missing")


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, int, int, bool]]:
    """Kind, start and end of every chunk, and whether its checksum is right.

    Refuses a missing IEND, and a wrong checksum where the pixels depend on it.
    """
    at, kind, view = 8, b"", memoryview(data)
    for _ in range(_MAX_CHUNKS):
        if kind == b"IEND":
            return
        length = int.from_bytes(data[at : at + 4], "big")
        kind, end = data[at + 4 : at + 8], at + 12 + length
        if end > len(data):
            raise Refused("truncated", f"chunk at byte {at} ends {end - len(data)} bytes later")
        whole = zlib.crc32(view[at + 4 : end - 4]) == int.from_bytes(data[end - 4 : end], "big")
        # A capital letter first: no decoder can do without it. tRNS changes pixels all the same.
        if not whole and (not kind[:1].islower() or kind == b"tRNS"):
            raise Refused("corrupt", f"wrong checksum of chunk {kind!r} at byte {at}")
        yield kind, at, end, whole
        at = end
    raise Refused("corrupt", f"more than {_MAX_CHUNKS} chunks")
