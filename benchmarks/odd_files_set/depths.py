"""Bit depths, transparency and orientation: PNG, BMP, GIF, and JPEG, WebP, AVIF that are turned."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from odd_files_set import png
from odd_files_set.case import (
    Odd,
    Painter,
    Rgb,
    as_rgb,
    exif,
    jpeg,
    on_white,
    read,
    saved,
    turned,
)

_odd = functools.partial(Odd, group="depths")
_DRAWN = "the picture as it was drawn: nothing is lost"
_SCALED = "the samples over their largest value, times 255"
_UNREAD = ("unsupported_format",)


def cases(paint: Painter) -> Iterator[Odd]:
    yield from _pngs(paint)
    yield from _keys(paint)
    yield from _turned(paint)
    yield from _bmps(paint)


def _pngs(paint: Painter) -> Iterator[Odd]:
    for depth in (1, 2, 4, 8):
        grey = paint.grey() >> (8 - depth)
        right = as_rgb(np.asarray(grey * (255 // ((1 << depth) - 1)), np.uint8))
        for woven in (False, True):
            name = f"grey-{depth}{'-interlaced' if woven else ''}.png"
            data = png.png(grey, depth, png.GREY, interlaced=woven)
            yield _odd(name=name, data=data, right=(right,), levels=0, reference=_DRAWN)
            grey = paint.grey() >> (8 - depth)
            right = as_rgb(np.asarray(grey * (255 // ((1 << depth) - 1)), np.uint8))
        index, palette = paint.flat(1 << depth)
        data = png.png(index, depth, png.PALETTE, palette=palette, interlaced=depth == 4)
        yield _odd(
            name=f"palette-{depth}.png",
            data=data,
            right=(palette[index],),
            levels=0,
            reference=_DRAWN,
        )
    for name, colour, pick in (
        ("rgb-16.png", png.RGB, 3),
        ("rgb-16-interlaced.png", png.RGB, 3),
        ("grey-16.png", png.GREY, 1),
    ):
        wide = paint.picture().astype(np.uint16) * 257
        wide = wide[..., 0] if pick == 1 else wide
        data = png.png(wide, 16, colour, interlaced="interlaced" in name)
        right = np.asarray(wide // 257, np.uint8)
        right = as_rgb(right) if pick == 1 else right
        yield _odd(name=name, data=data, right=(right,), levels=1, reference=_SCALED)
    rgb = paint.picture()
    alpha = paint.alpha(rgb)
    right = on_white(rgb, alpha)
    data = png.png(np.dstack([rgb, alpha]), 8, png.RGB_ALPHA, interlaced=True)
    yield _odd(name="rgba-8-interlaced.png", data=data, right=(right,), levels=1, reference=_DRAWN)
    rgb = paint.picture()
    alpha = paint.alpha(rgb)
    wide = np.dstack([rgb, alpha]).astype(np.uint16) * 257
    right = on_white(rgb, alpha)
    data = png.png(wide, 16, png.RGB_ALPHA)
    yield _odd(name="rgba-16.png", data=data, right=(right,), levels=1, reference=_SCALED)
    for depth in (8, 16):
        grey = paint.grey()
        alpha = paint.alpha(as_rgb(grey))
        both = np.dstack([grey, alpha]).astype(np.uint16) * (257 if depth == 16 else 1)
        data = png.png(both, depth, png.GREY_ALPHA)
        right = on_white(as_rgb(grey), alpha)
        yield _odd(
            name=f"grey-alpha-{depth}.png", data=data, right=(right,), levels=1, reference=_SCALED
        )


def _keys(paint: Painter) -> Iterator[Odd]:
    """Transparency by tRNS: one colour, or a palette with alpha."""
    grey = paint.grey()
    key = int(np.bincount(grey[grey < 250].ravel()).argmax())
    right = as_rgb(np.where(grey == key, 255, grey).astype(np.uint8))
    data = png.png(grey, 8, png.GREY, before=[(b"tRNS", struct.pack(">H", key))])
    yield _odd(name="key-grey-8.png", data=data, right=(right,), levels=0, reference=_DRAWN)
    # Half of the pixels share the high byte of the key, and are not the key.
    grey = paint.grey()
    common = int(np.bincount(grey[grey < 200].ravel()).argmax())
    wide = grey.astype(np.uint16) * 257
    hit = (grey == common) & (paint.rng.random(grey.shape) < 0.5)
    key = common * 256 + (common + 1) % 256
    wide[hit] = key
    right = as_rgb(np.where(hit, 255, grey).astype(np.uint8))
    data = png.png(wide, 16, png.GREY, before=[(b"tRNS", struct.pack(">H", key))])
    yield _odd(name="key-grey-16.png", data=data, right=(right,), levels=1, reference=_SCALED)
    for depth in (8, 16):
        rgb = paint.picture()
        rgb[80:160, 60:200] = (12, 200, 34)
        rgb[160:200, 60:200] = (12, 200, 34)
        wide = rgb.astype(np.uint16) * (257 if depth == 16 else 1)
        if depth == 16:  # the lower part differs from the key in its low bytes alone
            wide[160:200, 60:200] ^= 1
        top = 257 if depth == 16 else 1
        body = struct.pack(">HHH", 12 * top, 200 * top, 34 * top)
        data = png.png(wide, depth, png.RGB, before=[(b"tRNS", body)])
        key_at = (wide == np.array([12, 200, 34]) * top).all(axis=2)
        right = np.where(key_at[..., None], 255, rgb).astype(np.uint8)
        yield _odd(
            name=f"key-rgb-{depth}.png",
            data=data,
            right=(right,),
            levels=1 if depth == 16 else 0,
            reference=_DRAWN,
        )
    index, palette = paint.flat(16)
    alphas = np.linspace(0, 255, 16).astype(np.uint8)
    before = [(b"tRNS", alphas.tobytes())]
    data = png.png(index, 4, png.PALETTE, palette=palette, before=before)
    right = on_white(palette[index], alphas[index])
    yield _odd(name="palette-alpha.png", data=data, right=(right,), levels=1, reference=_DRAWN)
    index, palette = paint.flat(32)
    before = [(b"tRNS", bytes([255, 0, 255, 0]))]  # fewer than colours: the rest is opaque
    data = png.png(index, 8, png.PALETTE, palette=palette, before=before)
    right = palette.copy()
    right[[1, 3]] = 255
    yield _odd(
        name="palette-alpha-short.png", data=data, right=(right[index],), levels=0, reference=_DRAWN
    )
    grey = paint.grey() >> 6
    data = png.png(grey, 2, png.GREY, before=[(b"tRNS", struct.pack(">H", 1))])
    right = as_rgb(np.where(grey == 1, 255, grey * 85).astype(np.uint8))
    yield _odd(name="key-grey-2.png", data=data, right=(right,), levels=0, reference=_DRAWN)
    # GIF: transparent on white, interlaced, and a frame smaller than the canvas.
    index, palette = paint.flat(32)
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    data = saved(image, "GIF", transparency=5, interlace=1)
    right = palette.copy()
    right[5] = 255
    yield _odd(
        name="transparent-interlaced.gif",
        data=data,
        right=(right[index],),
        levels=0,
        reference=_DRAWN,
    )


def _turned(paint: Painter) -> Iterator[Odd]:
    how = "the stored pixels turned by Pillow as EXIF 2.3 says"
    for way in range(2, 9):
        data = jpeg(paint.picture(300, 270), exif=b"Exif\0\0" + exif(way, "<" if way % 2 else ">"))
        yield _odd(
            name=f"turned-{way}.jpg",
            data=data,
            right=(turned(read(data), way),),
            levels=1,
            reference=how,
        )
    for way, late in ((6, False), (3, True)):
        rgb = paint.picture(320, 272)
        chunks = [(b"eXIf", exif(way))]
        data = png.png(rgb, after=chunks) if late else png.png(rgb, before=chunks)
        name = f"turned-{way}-exif-{'last' if late else 'first'}.png"
        yield _odd(name=name, data=data, right=(turned(rgb, way),), levels=0, reference=how)
    rgb = paint.picture(320, 272)
    block = b"Exif\0\0" + exif(6)
    text = b"\nexif\n%8d\n" % len(block) + block.hex().encode() + b"\n"
    body = b"Raw profile type exif\0\0" + zlib.compress(text)
    yield _odd(
        name="turned-6-raw-profile.png",
        data=png.png(rgb, before=[(b"zTXt", body)]),
        right=(turned(rgb, 6), rgb),
        levels=None,
        reference=how,
        why="an old custom of ImageMagick; Pillow and exiftool follow it, browsers do not",
    )
    for way, options in ((6, {"quality": 92}), (8, {"lossless": True})):
        block = exif(way) if way == 6 else b"Exif\0\0" + exif(way)
        data = saved(paint.picture(320, 272), "WEBP", exif=block, **options)
        right = turned(read(data), way)
        yield _odd(name=f"turned-{way}.webp", data=data, right=(right,), levels=1, reference=how)
    for way in (3, 5, 6, 7):
        block = Image.Exif()
        block[0x0112] = way
        # Pillow turns the orientation into the boxes irot and imir.
        data = saved(paint.picture(320, 272), "AVIF", quality=92, exif=block)
        yield _odd(
            name=f"turned-{way}-irot-imir.avif",
            data=data,
            right=(turned(read(data), way),),
            most=1.5,
            reference=how,
        )


def _bmps(paint: Painter) -> Iterator[Odd]:
    rgb = paint.picture()
    data = saved(rgb, "BMP")
    yield _odd(name="rgb-24.bmp", data=data, right=(rgb,), levels=0, reference=_DRAWN)
    rgb = paint.picture()
    height, width = rgb.shape[:2]
    rows = np.pad(rgb[:, :, ::-1].reshape(height, -1), ((0, 0), (0, -3 * width % 4))).tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, width, -height, 1, 24, 0, 0, 0, 0, 0, 0)
    data = _bmp(head, b"", rows)
    yield _odd(name="top-down.bmp", data=data, right=(rgb,), levels=0, reference=_DRAWN)
    rgb = paint.picture()
    data = saved(rgb, "BMP")
    data = data[:2] + bytes(4) + data[6:]
    yield _odd(name="size-field-0.bmp", data=data, right=(rgb,), levels=0, reference=_DRAWN)
    for bits in (1, 4, 8):
        index, palette = paint.flat(1 << bits)
        index = index[:, : len(index[0]) // 32 * 32]
        loose = np.unpackbits(index[::-1, :, None], axis=2)[:, :, 8 - bits :]
        rows = np.packbits(loose.reshape(len(index), -1), axis=1).tobytes()
        head = struct.pack(
            "<IiiHHIIiiII",
            40,
            index.shape[1],
            len(index),
            1,
            bits,
            0,
            len(rows),
            0,
            0,
            1 << bits,
            0,
        )
        colours = np.pad(palette[:, ::-1], ((0, 0), (0, 1))).tobytes()
        data = _bmp(head, colours, rows)
        yield _odd(
            name=f"palette-{bits}.bmp",
            data=data,
            right=(palette[index],),
            levels=0,
            reference=_DRAWN,
        )
    index, palette = paint.flat(8)
    body = b"".join(_rle8(row) for row in index[::-1]) + b"\0\1"
    head = struct.pack(
        "<IiiHHIIiiII", 40, index.shape[1], len(index), 1, 8, 1, len(body), 0, 0, 8, 0
    )
    data = _bmp(head, np.pad(palette[:, ::-1], ((0, 0), (0, 1))).tobytes(), body)
    yield _odd(name="rle8.bmp", data=data, right=(palette[index],), levels=0, reference=_DRAWN)
    rgb = paint.picture(320, 272)
    five = np.rint(rgb / 255 * (31, 63, 31)).astype(np.uint16)
    words = (five[..., 0] << 11 | five[..., 1] << 5 | five[..., 2])[::-1].astype("<u2").tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, 320, 272, 1, 16, 3, len(words), 0, 0, 0, 0)
    data = _bmp(head, struct.pack("<III", 0xF800, 0x07E0, 0x001F), words)
    right = np.rint(five / (31, 63, 31) * 255).astype(np.uint8)
    yield _odd(name="rgb-565.bmp", data=data, right=(right,), most=1, reference=_SCALED)
    rgb = paint.picture(320, 272)
    words = np.pad(rgb[::-1, :, ::-1], ((0, 0), (0, 0), (0, 1))).tobytes()
    head = struct.pack("<IiiHHIIiiII", 40, 320, 272, 1, 32, 0, len(words), 0, 0, 0, 0)
    data = _bmp(head, b"", words)
    yield _odd(name="rgb-32-no-alpha.bmp", data=data, right=(rgb,), levels=0, reference=_DRAWN)


def _bmp(head: bytes, colours: bytes, rows: bytes) -> bytes:
    start = 14 + len(head) + len(colours)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + head + colours + rows


def _rle8(row: Rgb) -> bytes:
    found, at = bytearray(), 0
    while at < len(row):
        run = 1
        while run < 255 and at + run < len(row) and row[at + run] == row[at]:
            run += 1
        found += bytes([run, row[at]])
        at += run
    return bytes(found) + b"\0\0"
