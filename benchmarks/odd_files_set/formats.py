"""Formats refused by name, several frames, sizes at the edges, and what is no picture at all."""

from __future__ import annotations

import functools
import io
import struct
import zipfile
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

from odd_files_set import png, tiff
from odd_files_set.case import DAMAGED, Odd, Painter, as_rgb, jpeg, read, saved

_odd = functools.partial(Odd, group="formats")
_DRAWN = "the picture as it was drawn"
_UNREAD = ("unsupported_format",)
_NOTHING = ("not_an_image", "unsupported_format")


def cases(paint: Painter) -> Iterator[Odd]:
    yield from _unread(paint)
    yield from _animated(paint)
    yield from _sizes(paint)
    yield from _no_pictures(paint)


def _unread(paint: Painter) -> Iterator[Odd]:
    why = "read or refused by name: both are right"
    for name, kind, options in (
        ("picture.jp2", "JPEG2000", {}),
        ("codestream.j2k", "JPEG2000", {"no_jp2": True}),
        ("picture.ppm", "PPM", {}),
        ("picture.tga", "TGA", {}),
        ("picture.pcx", "PCX", {}),
        ("picture.dds", "DDS", {}),
        ("picture.sgi", "SGI", {}),
        ("picture.qoi", "QOI", {}),
    ):
        rgb = paint.picture()
        try:
            data = saved(rgb, kind, **options)
        except (OSError, KeyError):
            continue
        says = _NOTHING if name in ("picture.tga", "picture.pcx", "picture.sgi") else _UNREAD
        yield _odd(
            name=name,
            data=data,
            right=(read(data),),
            says=says,
            levels=1,
            reference="Pillow",
            why=why,
        )
    grey = paint.grey()
    data = b"P2\n# by hand\n%d %d\n255\n" % grey.shape[::-1]
    data += b"\n".join(b" ".join(b"%d" % v for v in row) for row in grey) + b"\n"
    yield _odd(
        name="plain-text.pgm",
        data=data,
        right=(as_rgb(grey),),
        says=_UNREAD,
        levels=0,
        reference=_DRAWN,
        why=why,
    )
    rgb = paint.picture(256, 256)
    data = saved(Image.fromarray(rgb), "ICO", sizes=[(256, 256)])
    yield _odd(
        name="icon.ico", data=data, right=(rgb,), says=_UNREAD, levels=1, reference=_DRAWN, why=why
    )
    rgb = paint.picture()
    planes = np.moveaxis(rgb, -1, 0).tobytes()
    height, width = rgb.shape[:2]
    head = b"8BPS" + struct.pack(">H6xHIIHH", 1, 3, height, width, 8, 3) + bytes(12) + bytes(2)
    yield _odd(
        name="flat.psd",
        data=head + planes,
        right=(rgb,),
        says=_UNREAD,
        levels=1,
        reference=_DRAWN,
        why=why,
    )
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='300' height='300'><circle r='99'/></svg>"
    yield _odd(name="drawing.svg", data=svg, says=_UNREAD)
    yield _odd(
        name="drawing-xml.svg", data=b"<?xml version='1.0'?>\n<!-- x -->\n" + svg, says=_UNREAD
    )
    bom = b"\xef\xbb\xbf"
    yield _odd(name="drawing-bom.svg", data=bom + svg, says=_NOTHING)
    yield _odd(name="scene.exr", data=b"v/1\1\2\0\0\0channels\0chlist\0" + bytes(400), says=_UNREAD)
    radiance = b"#?RADIANCE\nFORMAT=32-bit_rle_rgbe\n\n-Y 9 +X 9\n" + bytes(400)
    yield _odd(name="scene.hdr", data=radiance, says=_NOTHING)
    yield _odd(name="picture.jxr", data=b"II\xbc\1" + bytes(500), says=_NOTHING)
    yield _odd(name="picture.jng", data=b"\x8bJNG\r\n\x1a\n" + bytes(500), says=_NOTHING)
    rgb = paint.picture()
    chunks = png.split(png.png(rgb))
    raw = zlib.decompress(chunks[1][1])
    packer = zlib.compressobj(wbits=-15)
    stream = packer.compress(raw) + packer.flush()
    apple = png.whole([(b"CgBI", b"\x50\0\x20\2"), chunks[0], (b"IDAT", stream), (b"IEND", b"")])
    yield _odd(
        name="apple-cgbi.png",
        data=apple,
        says=(*_UNREAD, "corrupt"),
        why="no PNG by the book: the IHDR is not first and the stream has no header",
    )
    camera = tiff.page(np.zeros((64, 96), np.uint16), 32803, bits=None)
    camera.tags |= {50706: (tiff.BYTE, [1, 4, 0, 0])}
    yield _odd(
        name="raw-photograph.dng",
        data=tiff.tiff(camera),
        says=(*_UNREAD, "too_small", "corrupt"),
        why="a colour filter array is no picture",
    )


def _animated(paint: Painter) -> Iterator[Odd]:
    frames = [Image.fromarray(paint.picture(280, 272)) for _ in range(3)]
    for name, kind in (("frames.gif", "GIF"), ("frames.webp", "WEBP"), ("frames.png", "PNG")):
        data = saved(frames[0], kind, save_all=True, append_images=frames[1:], duration=100)
        yield _odd(name=name, data=data, says=("animated",))
    rgb = paint.picture()
    chunks = png.split(png.png(rgb))
    height, width = rgb.shape[:2]
    control = struct.pack(">IIIIIHHBB", 0, width, height, 0, 0, 1, 1, 0, 0)
    one = [chunks[0], (b"acTL", struct.pack(">II", 1, 0)), (b"fcTL", control), *chunks[1:]]
    yield _odd(name="one-frame.apng", data=png.whole(one), right=(rgb,), levels=0, reference=_DRAWN)
    rgb = paint.picture()
    image = Image.fromarray(rgb)
    data = saved(image, "WEBP", lossless=True, save_all=True, append_images=[])
    yield _odd(name="one-frame.webp", data=data, right=(rgb,), levels=0, reference=_DRAWN)
    index, palette = paint.flat(32)
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    data = saved(image, "GIF", loop=0, duration=100, comment=b"x" * 700)
    yield _odd(
        name="one-frame-loop.gif", data=data, right=(palette[index],), levels=0, reference=_DRAWN
    )
    # A frame that covers a part of the canvas: the rest is transparent, so white.
    index, palette = paint.flat(32, 264, 264)
    image = Image.fromarray(index, "P")
    image.putpalette(palette.tobytes())
    data = bytearray(saved(image, "GIF"))
    data[6:10] = struct.pack("<HH", 300, 290)
    at = data.index(b",\0\0\0\0" + struct.pack("<HH", 264, 264)) if b"," in data else 0
    data[at + 1 : at + 5] = struct.pack("<HH", 20, 10)
    canvas = np.full((290, 300, 3), 255, np.uint8)
    canvas[10:274, 20:284] = palette[index]
    ground = canvas.copy()
    ground[:] = palette[0]
    ground[10:274, 20:284] = palette[index]
    black = np.where((canvas == 255).all(axis=2, keepdims=True), 0, canvas)
    black[10:274, 20:284] = palette[index]
    yield _odd(
        name="frame-in-canvas.gif",
        data=bytes(data),
        right=(canvas, ground, black.astype(np.uint8)),
        says=_UNREAD,
        levels=None,
        reference="the frame on white, on the palette's first colour, or on black",
        why="browsers leave the rest transparent, older readers fill it with the background",
    )


def _sizes(paint: Painter) -> Iterator[Odd]:
    small = ("too_small", "too_elongated")
    for width, height in ((1, 1), (1, 500), (500, 1), (3, 3), (64, 64), (255, 255)):
        rgb = paint.rng.integers(0, 256, (height, width, 3)).astype(np.uint8)
        for kind in ("png", "jpg", "webp", "gif", "bmp", "tif"):
            if kind not in ("png", "jpg") and (width, height) != (1, 1):
                continue
            form = {"jpg": "JPEG", "tif": "TIFF"}.get(kind, kind.upper())
            data = saved(rgb, form)
            yield _odd(name=f"{width}x{height}.{kind}", data=data, says=small)
    rgb = paint.picture(1200, 264)
    yield _odd(name="panorama.png", data=png.png(rgb), says=("too_elongated",))
    large = ("too_many_pixels", "side_too_long", "too_much_memory")
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0)
    stream = zlib.compress(bytes(50_000_000))
    data = png.whole([(b"IHDR", header), (b"IDAT", stream), (b"IEND", b"")])
    yield _odd(name="bomb-60000.png", data=data, says=large)
    header = struct.pack(">IIBBBBB", 2**31 - 1, 2**31 - 1, 8, 2, 0, 0, 0)
    data = png.whole([(b"IHDR", header), (b"IDAT", b"x"), (b"IEND", b"")])
    yield _odd(name="bomb-2-31.png", data=data, says=(*large, "corrupt"))
    header = struct.pack(">IIBBBBB", 0, 300, 8, 2, 0, 0, 0)
    data = png.whole([(b"IHDR", header), (b"IDAT", b"x"), (b"IEND", b"")])
    yield _odd(name="width-0.png", data=data, says=("corrupt",), intact=False)
    data = bytearray(jpeg(paint.picture()))
    at = data.index(b"\xff\xc0") + 5
    data[at : at + 4] = struct.pack(">HH", 65500, 65500)
    yield _odd(name="bomb-65500.jpg", data=bytes(data), says=large)
    data = saved(paint.picture(), "WEBP", lossless=True)
    bits = int.from_bytes(data[21:25], "little") | 0x0FFFFFFF
    data = data[:21] + struct.pack("<I", bits) + data[25:]
    yield _odd(name="bomb-16384.webp", data=data, says=large)
    data = bytearray(saved(paint.picture(), "GIF"))
    data[6:10] = struct.pack("<HH", 65535, 65535)
    yield _odd(name="bomb-65535.gif", data=bytes(data), says=large)
    page = tiff.page(paint.picture(), tiff.RGB)
    page.tags |= {256: (tiff.LONG, [100_000]), 257: (tiff.LONG, [100_000])}
    yield _odd(name="bomb-100000.tif", data=tiff.tiff(page), says=(*large, *DAMAGED))
    data = bytearray(saved(paint.picture(), "BMP"))
    data[18:26] = struct.pack("<ii", 50000, 50000)
    yield _odd(name="bomb-50000.bmp", data=bytes(data), says=(*large, *DAMAGED))
    data = bytearray(saved(paint.picture(), "AVIF"))
    at = data.index(b"ispe") + 8
    data[at : at + 8] = struct.pack(">II", 60000, 60000)
    yield _odd(name="bomb-60000.avif", data=bytes(data), says=(*large, *DAMAGED))


def _no_pictures(paint: Painter) -> Iterator[Odd]:
    page = (
        b"<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body>404</body></html>"
    )
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr(zipfile.ZipInfo("a.jpg"), jpeg(paint.picture()))
    film = b"\0\0\0\x20ftypisom\0\0\2\0isomiso2avc1mp41" + paint.rng.bytes(5000)
    quick = b"\0\0\0\x14ftypqt  \0\0\2\0qt  " + paint.rng.bytes(5000)
    pdf = b"%PDF-1.4\n1 0 obj<</Type/Catalog>>endobj\ntrailer<</Root 1 0 R>>\n%%EOF\n"
    files = {
        "page-not-found.jpg": (page, ("not_an_image",)),
        "page-with-inline-svg.jpg": (page.replace(b"404</b", b"<svg></svg></b"), ("not_an_image",)),
        "a-document.jpg": (pdf, _NOTHING),
        "empty.jpg": (b"", ("empty",)),
        "one-byte.png": (b"\x89", _NOTHING),
        "two-bytes.jpg": (b"\xff\xd8", (*DAMAGED, "not_an_image")),
        "signature-only.png": (png.SIGNATURE, DAMAGED),
        "riff-only.webp": (b"RIFF", ("not_an_image",)),
        "notes.txt": (b"some words\n" * 40, ("not_an_image",)),
        "labels.json": (b'{"caption": "a picture"}', ("not_an_image",)),
        "photos.zip": (zipped.getvalue(), ("not_an_image",)),
        "film.mp4": (film, _NOTHING),
        "film.mov": (quick, _NOTHING),
        "sound.wav": (b"RIFF\x24\x10\0\0WAVEfmt " + bytes(4096), ("not_an_image",)),
        "film.avi": (b"RIFF\x24\x10\0\0AVI LIST" + bytes(4096), ("not_an_image",)),
        "zeros.jpg": (bytes(20000), ("not_an_image",)),
        "noise.jpg": (b"\1" + paint.rng.bytes(20000), ("not_an_image",)),
        "large-file-pointer.jpg": (
            b"version https://git-lfs.example/spec/v1\nsize 12345\n",
            ("not_an_image",),
        ),
        "base64.jpg": (b"/9j/4AAQSkZJRgABAQAAAQABAAD/2wBDAAMCAgMCAgMDAwM=", ("not_an_image",)),
        "bm-text.bmp": (b"BMW is a maker of cars. " * 30, (*_NOTHING, "corrupt")),
    }
    for name, (data, says) in files.items():
        yield Odd(name=name, group="no picture", data=data, says=says, intact=False)
