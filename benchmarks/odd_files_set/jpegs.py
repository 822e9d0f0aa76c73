"""JPEG files as cameras, phones and broken tools write them: whole pictures in odd wrappings."""

from __future__ import annotations

import functools
import io
import shutil
import subprocess
from collections.abc import Iterator

import numpy as np
from PIL import Image

from odd_files_set import icc, jpg
from odd_files_set.case import Odd, Painter, as_rgb, exif, jpeg, read, saved

_odd = functools.partial(Odd, group="jpeg")
_CLEAN = "Pillow (libjpeg-turbo) on the same file without the oddity"
_SAME = "Pillow (libjpeg-turbo)"
_UNREAD = ("unsupported_format",)
_EOI = jpg.EOI


def cases(paint: Painter) -> Iterator[Odd]:
    yield from _headers(paint)
    yield from _stray(paint)
    yield from _trailers(paint)
    yield from _samplings(paint)
    yield from _variants(paint)
    yield from _names(paint)


def _kept(name: str, clean: bytes, data: bytes, **more: object) -> Odd:
    return _odd(
        name=f"{name}.jpg", data=data, right=(read(clean),), levels=1, reference=_CLEAN, **more
    )


def _sos(data: bytes, parameters: bytes) -> bytes:
    _, end = jpg.find(data, 0xDA)
    return data[: end - 3] + parameters + data[end:]


def _headers(paint: Painter) -> Iterator[Odd]:
    for parameters in (b"\0\0\0", b"\0\x3f\x10", b"\x3f\x3f\0", b"\1\2\3"):
        clean = jpeg(paint.picture())
        name = f"sos-{parameters.hex()}"
        yield _kept(name, clean, _sos(clean, parameters))
    clean = jpeg(paint.picture())
    at = clean.index(b"JFIF\0") + 5
    yield _kept("jfif-5.01", clean, clean[:at] + b"\5\1" + clean[at + 2 :])
    clean = jpeg(paint.picture())
    yield _kept("jfif-units-9", clean, clean[: at + 2] + b"\x09" + clean[at + 3 :])
    clean = jpeg(paint.picture())
    start, end = jpg.find(clean, 0xE0)
    yield _kept("no-jfif", clean, clean[:start] + clean[end:])
    for transform in (7, 255):
        clean = jpeg(paint.picture())
        yield _kept(
            f"adobe-transform-{transform}", clean, jpg.after_soi(clean, jpg.adobe(transform))
        )
    clean = jpeg(paint.picture())
    short = jpg.segment(0xEE, b"Adobe\0\x64")
    yield _kept("adobe-short", clean, jpg.after_soi(clean, short))
    clean = jpeg(paint.picture())
    comments = [jpg.segment(0xFE, bytes([65 + i]) * 65533) for i in range(3)]
    yield _kept("comments-64k", clean, jpg.after_soi(clean, *comments))
    clean = jpeg(paint.picture())
    marks = jpg.segment(0xFE, b"\xff\xd8\xff\xda\xff\xd9\xff\xda" * 200)
    yield _kept("comment-of-markers", clean, jpg.after_soi(clean, marks))
    clean = jpeg(paint.picture())
    unknown = [jpg.segment(0xE0 + i, b"x" * (i + 1)) for i in range(3, 13)]
    yield _kept("all-app-segments", clean, jpg.after_soi(clean, *unknown))
    clean = jpeg(paint.picture())
    yield _kept("app-of-length-2", clean, jpg.after_soi(clean, jpg.segment(0xEB, b"")))
    # A thumbnail of 60 kB inside the EXIF segment, with markers of its own.
    small = jpeg(paint.rng.integers(0, 256, (128, 160, 3)).astype(np.uint8), quality=93)[:60000]
    clean = jpeg(paint.picture())
    block = jpg.segment(0xE1, b"Exif\0\0" + exif(1) + small)
    yield _kept("exif-thumbnail-60k", clean, jpg.after_soi(clean, block))
    clean = jpeg(paint.picture())
    block = jpg.segment(0xE1, b"Exif\0\0" + paint.rng.bytes(500))
    yield _kept("exif-garbage", clean, jpg.after_soi(clean, block))
    clean = jpeg(paint.picture())
    block = jpg.segment(0xE1, b"Exif\0\0II*\0\xff\xff\xff\x7f" + bytes(20))
    yield _kept("exif-offset-beyond", clean, jpg.after_soi(clean, block))
    clean = jpeg(paint.picture())
    block = jpg.segment(0xE1, b"Exif\0\0" + exif(9))
    yield _kept("exif-orientation-9", clean, jpg.after_soi(clean, block))
    clean = jpeg(paint.picture())
    xmp = [jpg.segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0<x/>" + b" " * 60000)] * 3
    yield _kept("xmp-180k", clean, jpg.after_soi(clean, *xmp))
    clean = jpeg(paint.picture())
    _, end = jpg.find(clean, 0xDB, 1)
    odd = jpg.segment(0xDC, b"\1\x10")  # DNL before the frame: some scanners
    yield _kept("dnl-in-header", clean, clean[:end] + odd + clean[end:])
    clean = jpeg(paint.picture())
    start, end = jpg.find(clean, 0xDB)
    yield _kept("tables-twice", clean, clean[:end] + clean[start:end] + clean[end:])


def _stray(paint: Painter) -> Iterator[Odd]:
    for count in (1, 2, 16):
        clean = jpeg(paint.picture())
        yield _kept(f"stray-{count}-before-eoi", clean, clean[:-2] + bytes(count) + _EOI)
    clean = jpeg(paint.picture())
    yield _kept("stray-text-before-eoi", clean, clean[:-2] + b"made by a camera" + _EOI)
    for name, marker in (("dqt", 0xDB), ("sof", 0xC0), ("dht", 0xC4), ("sos", 0xDA)):
        clean = jpeg(paint.picture())
        start, _ = jpg.find(clean, marker)
        yield _kept(f"stray-before-{name}", clean, clean[:start] + b"\0\x2a\0" + clean[start:])
        clean = jpeg(paint.picture())
        start, _ = jpg.find(clean, marker)
        yield _kept(f"fill-before-{name}", clean, clean[:start] + b"\xff" * 5 + clean[start:])
    clean = jpeg(paint.picture())
    yield _kept("fill-before-eoi", clean, clean[:-2] + b"\xff\xff\xff" + _EOI)
    clean = jpeg(paint.picture())
    yield _kept(
        "leading-newline",
        clean,
        b"\r\n" + clean,
        says=("not_an_image",),
        why="not a JPEG by its first bytes; written by broken web scripts",
    )
    clean = jpeg(paint.picture())
    yield _kept(
        "no-eoi",
        clean,
        clean[:-2],
        says=("truncated",),
        why="every row is there, and the mark of the end is not: it may have been cut",
    )


def _trailers(paint: Painter) -> Iterator[Odd]:
    clean = jpeg(paint.picture())
    yield _kept("trailer-zeros", clean, clean + bytes(5000))
    clean = jpeg(paint.picture())
    yield _kept("trailer-garbage", clean, clean + paint.rng.bytes(5000))
    clean = jpeg(paint.picture())
    yield _kept(
        "trailer-samsung", clean, clean + b"\0\0\1\n\x0e\0\0\0Image_UTC_Data15SEFHe\0\0\0SEFT"
    )
    clean = jpeg(paint.picture())
    yield _kept("trailer-second-jpeg", clean, clean + jpeg(paint.picture()))
    # A motion photograph: random bytes look like some 140 marks of a scan.
    clean = jpeg(paint.picture(), progressive=True)
    film = b"\0\0\0\x18ftypmp42" + paint.rng.bytes(9_000_000)
    yield _kept("trailer-9-mb-progressive", clean, clean + film)
    clean = jpeg(paint.picture())
    yield _kept("trailer-9-mb-baseline", clean, clean + film)
    first, second = (Image.fromarray(paint.picture(320, 272)) for _ in range(2))
    data = saved(first, "MPO", save_all=True, append_images=[second], quality=92)
    how = f"{_SAME}, the first picture: all viewers show that one"
    yield _odd(name="two-pictures.mpo", data=data, right=(read(data),), levels=1, reference=how)
    # A gain map after the picture, as phones write it: the base alone is a whole sRGB picture.
    clean = jpeg(paint.picture(320, 272), icc_profile=icc.P3.profile())
    xmp = b"http://ns.adobe.com/xap/1.0/\0<x hdrgm:Version='1.0'/>"
    data = jpg.after_soi(clean, jpg.segment(0xE1, xmp)) + jpeg(paint.grey(160, 136))
    yield _odd(
        name="gain-map-p3.jpg",
        data=data,
        right=(icc.P3.to_srgb(read(clean)),),
        reference="own arithmetic (ICC.1) on the base picture",
    )


def _samplings(paint: Painter) -> Iterator[Odd]:
    ways = {
        "411": [(4, 1), (1, 1), (1, 1)],
        "440": [(1, 2), (1, 1), (1, 1)],
        "441": [(1, 4), (1, 1), (1, 1)],
        "410": [(4, 2), (1, 1), (1, 1)],
        "mixed": [(2, 2), (1, 2), (2, 1)],
        "luma-small": [(1, 1), (2, 2), (2, 2)],
        "444-as-2x2": [(2, 2), (2, 2), (2, 2)],
    }
    # TurboJPEG, the strict decoder, does not know all of these.
    rare = ("410", "luma-small", "mixed", "444-as-2x2")
    for name, sampling in ways.items():
        planes = jpg.ycc(paint.picture())
        sampling = sampling if name != "444-as-2x2" else [(2, 1)] * 3
        data = jpg.encode(planes, sampling=sampling)
        yield _odd(
            name=f"sampling-{name}.jpg",
            data=data,
            right=(read(data),),
            says=_UNREAD if name in rare else (),
            levels=1,
            reference=_SAME,
            why="hardly any encoder writes it" if name in rare else "",
        )
    planes = jpg.ycc(paint.picture())
    data = jpg.encode(planes, scans=[[0], [1], [2]], sampling=[(2, 2), (1, 1), (1, 1)])
    yield _odd(name="three-scans.jpg", data=data, right=(read(data),), levels=1, reference=_SAME)
    for name, options in (
        ("restarts-row", {"restart_marker_rows": 1}),
        ("restarts-3-blocks", {"restart_marker_blocks": 3}),
        ("restarts-progressive", {"restart_marker_rows": 1, "progressive": True}),
        ("optimised-420", {"optimize": True, "subsampling": 2}),
        ("progressive-422", {"progressive": True, "subsampling": 1}),
        ("quality-100", {"quality": 100}),
        ("quality-1", {"quality": 1, "subsampling": 2}),
    ):
        data = jpeg(paint.picture(), **options)
        yield _odd(name=f"{name}.jpg", data=data, right=(read(data),), levels=1, reference=_SAME)
    data = jpeg(paint.grey())
    start, _ = jpg.find(data, 0xC0)
    # One component with a sampling of 2 x 2: legal, and it means nothing.
    data = data[: start + 11] + b"\x22" + data[start + 12 :]
    yield _odd(name="grey-2x2.jpg", data=data, right=(read(data),), levels=1, reference=_SAME)


def _variants(paint: Painter) -> Iterator[Odd]:
    rgb = paint.picture()
    bands = [rgb[..., i] for i in range(3)]
    data = jpg.encode(bands, ids=b"RGB", step=2)
    yield _odd(name="rgb-by-ids.jpg", data=data, right=(read(data),), levels=1, reference=_SAME)
    rgb = paint.picture()
    data = jpeg(rgb, keep_rgb=True)
    yield _odd(name="rgb-by-adobe-0.jpg", data=data, right=(read(data),), levels=1, reference=_SAME)
    data = jpg.encode(jpg.ycc(paint.picture()), ids=(0, 1, 2))
    yield _odd(name="ids-from-0.jpg", data=data, right=(read(data),), levels=1, reference=_SAME)
    data = jpg.encode(jpg.ycc(paint.picture()), ids=(34, 35, 36))
    yield _odd(name="ids-strange.jpg", data=data, right=(read(data),), levels=1, reference=_SAME)
    rgb = paint.picture()
    data = jpg.lossless([rgb[..., i] for i in range(3)])
    yield _odd(
        name="lossless-sof3.jpg",
        data=data,
        right=(rgb,),
        says=_UNREAD,
        levels=0,
        reference="the picture as it was drawn",
        why="a variant of medical archives",
    )
    rgb = paint.picture()
    yield _odd(
        name="twelve-bits.jpg",
        data=jpg.encode([plane * 16 for plane in jpg.ycc(rgb)], bits=12, step=16),
        right=(rgb,),
        says=_UNREAD,
        reference="the picture as it was drawn",
        why="a variant of medical archives",
    )
    grey = paint.grey()
    other = paint.grey(grey.shape[1], grey.shape[0])
    yield _odd(
        name="two-components.jpg",
        data=jpg.encode([grey, other], step=2),
        right=(as_rgb(grey),),
        says=_UNREAD,
        reference="the first component as grey",
        why="no standard says what two components are",
    )
    rgb = paint.picture()
    yield _odd(
        name="height-0-dnl.jpg",
        data=jpg.encode(jpg.ycc(rgb), height_in_header=0, dnl=True),
        right=(rgb,),
        says=_UNREAD,
        reference="the picture as it was drawn",
        why="legal, but libjpeg does not read it",
    )
    jpegtran = shutil.which("jpegtran")
    if jpegtran:
        clean = jpeg(paint.picture())
        data = subprocess.run(
            [jpegtran, "-arithmetic"], input=clean, capture_output=True, check=True
        ).stdout
        yield _odd(
            name="arithmetic.jpg",
            data=data,
            right=(read(clean),),
            says=_UNREAD,
            levels=1,
            reference="Pillow on the same coefficients in Huffman codes",
            why="not in every libjpeg",
        )


def _names(paint: Painter) -> Iterator[Odd]:
    """Names that lie: only the bytes count."""
    for name, kind in (
        ("a-png.jpg", "PNG"),
        ("a-jpeg.png", "JPEG"),
        ("a-webp.jpg", "WEBP"),
        ("a-gif.jpg", "GIF"),
        ("a-tiff.png", "TIFF"),
        ("a-bmp.jpeg", "BMP"),
        ("a-jpeg-without-extension", "JPEG"),
        ("a jpeg ünd 中文.JPG", "JPEG"),
    ):
        data = saved(paint.picture(), kind)
        with Image.open(io.BytesIO(data)):
            yield _odd(name=name, data=data, right=(read(data),), levels=1, reference=_SAME)
