"""Whole pictures in wrappings that are not as they should be: every viewer shows all pixels."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from odd_files_set import jpg, png, tiff
from odd_files_set.case import DAMAGED, Odd, Painter, jpeg, read, saved


def cases(paint: Painter) -> Iterator[Odd]:
    yield from _pngs(paint)
    yield from _tiffs(paint)
    yield from _others(paint)


def _pngs(paint: Painter) -> Iterator[Odd]:
    kept = functools.partial(
        Odd, group="png", levels=0, reference="the picture as it was drawn", intact=True
    )
    rgb = paint.picture()
    data = bytearray(png.png(rgb, before=[(b"tEXt", b"Comment\0hello")]))
    data[data.index(b"hello") + 6] ^= 1
    yield kept(name="text-wrong-crc.png", data=bytes(data), right=(rgb,))
    rgb = paint.picture()
    yield kept(name="bytes-after-iend.png", data=png.png(rgb) + paint.rng.bytes(3000), right=(rgb,))
    rgb = paint.picture()
    yield kept(
        name="no-iend.png",
        data=png.png(rgb)[:-12],
        right=(rgb,),
        says=("truncated",),
        why="every row is there, and the mark of the end is not",
    )
    rgb = paint.picture()
    yield kept(name="idat-in-300-parts.png", data=png.png(rgb, parts=300), right=(rgb,))
    rgb = paint.picture()
    chunks = png.split(png.png(rgb))
    data = png.whole([chunks[0], (b"IDAT", b""), chunks[1], (b"IDAT", b""), chunks[2]])
    yield kept(name="idat-empty-parts.png", data=data, right=(rgb,))
    rgb = paint.picture()
    chunks = png.split(png.png(rgb))
    data = png.whole([chunks[0], (b"IDAT", chunks[1][1] + b"more"), chunks[2]])
    yield kept(name="idat-bytes-after-stream.png", data=data, right=(rgb,))
    rgb = paint.picture()
    unknown = [(b"prVt", b"private"), (b"tIME", b"\7\xd0\1\1\0\0\0"), (b"pHYs", bytes(9))]
    yield kept(name="unknown-chunks.png", data=png.png(rgb, before=unknown), right=(rgb,))
    rgb = paint.picture()
    bomb = (b"zTXt", b"Comment\0\0" + zlib.compress(bytes(200_000_000)))
    yield kept(name="text-bomb-200-mb.png", data=png.png(rgb, before=[bomb]), right=(rgb,))
    index, palette = paint.flat(16)
    data = png.png(index, 8, png.PALETTE, palette=palette[:12])
    short = np.zeros((16, 3), np.uint8)
    short[:12] = palette[:12]
    yield kept(
        name="palette-too-short.png",
        data=data,
        right=(short[index],),
        says=DAMAGED,
        why="colours that are not in the palette: viewers show black, the standard says error",
    )


def _tiffs(paint: Painter) -> Iterator[Odd]:
    rgb = paint.picture()
    data = bytearray(tiff.tiff(tiff.page(rgb, tiff.RGB)))
    data[-4:] = data[4:8]  # the next directory is this one
    yield Odd(
        name="directory-loop.tif",
        group="tiff",
        data=bytes(data),
        right=(rgb,),
        says=(*DAMAGED, "animated"),
        levels=0,
        reference="the picture as it was drawn",
        why="a broken link after a whole picture: what counts is that it ends",
    )
    rgb = paint.picture()
    data = bytearray(tiff.tiff(tiff.page(rgb, tiff.RGB)))
    data[-4:] = struct.pack("<I", len(data) + 5000)
    yield Odd(
        name="next-directory-beyond-end.tif",
        group="tiff",
        data=bytes(data),
        right=(rgb,),
        says=DAMAGED,
        levels=0,
        reference="the picture as it was drawn",
        why="a broken link after a whole picture, or a second page that was cut off",
    )


def _others(paint: Painter) -> Iterator[Odd]:
    clean = data = jpeg(paint.picture())
    for _ in range(4):
        start, end = jpg.find(data, 0xC4)
        data = data[:start] + data[end:]
    yield Odd(
        name="motion-jpeg-frame.jpg",
        group="jpeg",
        data=data,
        right=(read(clean),),
        says=(*DAMAGED, "unsupported_format"),
        levels=1,
        reference="Pillow on the same file with the tables",
        why="frames of films leave out the tables of the standard, which libjpeg fills in",
    )
    index, palette = paint.flat(32)
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    whole = saved(image, "GIF")
    yield Odd(
        name="no-end-mark.gif",
        group="gif",
        data=whole[:-1],
        right=(palette[index],),
        says=("truncated",),
        levels=0,
        reference="the picture as it was drawn",
        why="every row is there, and the mark of the end is not",
    )
    index, palette = paint.flat(32)
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    yield Odd(
        name="bytes-after-end.gif",
        group="gif",
        data=saved(image, "GIF") + bytes(2000),
        right=(palette[index],),
        levels=0,
        reference="the picture as it was drawn",
    )
    rgb = paint.picture()
    data = saved(rgb, "WEBP", lossless=True)
    yield Odd(
        name="bytes-after-riff.webp",
        group="webp",
        data=data + bytes(3000),
        right=(rgb,),
        levels=0,
        reference="the picture as it was drawn",
    )
