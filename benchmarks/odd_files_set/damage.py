"""Files that have lost something of the picture: none may be kept."""

from __future__ import annotations

import functools
import struct
import zlib
from collections.abc import Iterator

import numpy as np
import simplejpeg

from odd_files_set import jpg, png, tiff
from odd_files_set.case import DAMAGED, Odd, Painter, jpeg, read, saved

_odd = functools.partial(Odd, group="damage", says=DAMAGED, intact=False)


def cases(paint: Painter) -> Iterator[Odd]:
    yield from _cut(paint)
    yield from _jpegs(paint)
    yield from _pngs(paint)
    yield from _tiffs(paint)
    yield from _others(paint)


def _cut(paint: Painter) -> Iterator[Odd]:
    ways = {
        "baseline.jpg": ("JPEG", {"quality": 92}),
        "progressive.jpg": ("JPEG", {"quality": 92, "progressive": True}),
        "rgb.png": ("PNG", {}),
        "lossy.webp": ("WEBP", {"quality": 92}),
        "lossless.webp": ("WEBP", {"lossless": True}),
        "palette.gif": ("GIF", {}),
        "plain.tif": ("TIFF", {}),
        "lzw.tif": ("TIFF", {"compression": "tiff_lzw"}),
        "rgb.bmp": ("BMP", {}),
        "colour.avif": ("AVIF", {"quality": 90}),
    }
    for name, (kind, options) in ways.items():
        for share in (5, 60, 97):
            data = saved(paint.picture(), kind, **options)
            says = DAMAGED if share > 5 else (*DAMAGED, "not_an_image", "unsupported_format")
            part = data[: len(data) * share // 100]
            yield _odd(name=f"cut-at-{share}-{name}", data=part, says=says)
    # A size field that was mended after the cut hides it from those who only compare sizes.
    data = saved(paint.picture(), "WEBP", quality=92)
    half = data[: len(data) // 2 // 2 * 2]
    half = half[:4] + struct.pack("<I", len(half) - 8) + half[8:]
    yield _odd(name="cut-riff-size-mended.webp", data=half)
    half = half[:16] + struct.pack("<I", len(half) - 20) + half[20:]
    yield _odd(name="cut-all-sizes-mended.webp", data=half)
    data = saved(paint.picture(), "BMP")
    half = data[: len(data) // 2]
    yield _odd(name="cut-size-mended.bmp", data=half[:2] + struct.pack("<I", len(half)) + half[6:])
    data = saved(paint.picture(), "GIF")
    yield _odd(name="cut-with-end-mark.gif", data=data[: len(data) // 2] + b"\0;")
    data = jpeg(paint.picture())
    yield _odd(name="cut-with-eoi.jpg", data=data[: len(data) // 2] + jpg.EOI)
    data = jpeg(paint.picture())
    yield _odd(name="cut-last-rows-with-eoi.jpg", data=data[: len(data) * 95 // 100] + jpg.EOI)


def _jpegs(paint: Painter) -> Iterator[Odd]:
    rng = paint.rng
    for name, options in (
        ("baseline", {}),
        ("420", {"subsampling": 2}),
        ("progressive", {"progressive": True}),
        ("restarts", {"restart_marker_rows": 1}),
    ):
        data = jpeg(paint.picture(), **options)
        start, end = jpg.scans(data)[-1]
        # Huffman codes fall into step again: of 64 random bytes libjpeg misses a tenth with restart
        # marks, half in colours of half size. It is fair to ask for what it does notice.
        noticed, missed = b"", b""
        while not (noticed and missed):
            at = int(rng.integers(start + 64, end - 128))
            rot = bytes(rng.integers(0, 255, 64).astype(np.uint8))
            rotten = data[:at] + rot + data[at + 64 :]
            if _libjpeg_warns(rotten):
                noticed = rotten
            else:
                missed = rotten
        yield _odd(name=f"bit-rot-{name}.jpg", data=noticed)
        data = jpeg(paint.picture(), **options)
        yield _odd(
            name=f"bit-rot-missed-{name}.jpg",
            data=missed,
            right=(read(missed),),
            why="the codes fall into step again, and libjpeg says nothing: refusing needs more",
        )
        data = jpeg(paint.picture(), **options)
        at = len(data) // 2 // 512 * 512
        yield _odd(
            name=f"sector-of-zeros-{name}.jpg", data=data[:at] + bytes(4096) + data[at + 4096 :]
        )
        data = jpeg(paint.picture(), **options)
        at = len(data) * 7 // 10
        yield _odd(name=f"zero-tail-{name}.jpg", data=data[:at] + bytes(len(data) - at))
    data = jpeg(paint.picture())
    at = len(data) * 7 // 10
    yield _odd(name="ff-tail.jpg", data=data[:at] + b"\xff" * (len(data) - at))
    data = jpeg(paint.picture())
    start, end = jpg.find(data, 0xC4, 1)
    wrong = bytes(rng.integers(0, 256, end - start - 21).astype(np.uint8))
    yield _odd(name="huffman-garbled.jpg", data=data[: start + 21] + wrong + data[end:])
    data = jpeg(paint.picture())
    start, end = jpg.find(data, 0xC4, 1)
    yield _odd(
        name="huffman-impossible.jpg", data=data[: start + 5] + b"\xff" * 16 + data[start + 21 :]
    )
    for name, marker in (("huffman", 0xC4), ("quantisation", 0xDB), ("frame", 0xC0)):
        data = jpeg(paint.picture(), optimize=True)
        start, end = jpg.find(data, marker)
        yield _odd(name=f"no-{name}.jpg", data=data[:start] + data[end:])
    data = jpeg(paint.picture())
    start, end = jpg.find(data, 0xDA)
    yield _odd(name="no-sos.jpg", data=data[:start] + data[end:])
    yield _odd(name="headers-and-eoi.jpg", data=data[:start] + jpg.EOI)
    planes = jpg.ycc(paint.picture())
    for lost in (1, 2):
        data = jpg.encode(planes, scans=[[0], [1], [2]])
        start, end = jpg.scans(data)[lost]
        yield _odd(name=f"scan-{lost + 1}-of-3-missing.jpg", data=data[:start] + data[end:])
        planes = jpg.ycc(paint.picture())
    data = jpeg(paint.picture(), progressive=True)
    first, second = jpg.scans(data)[:2]
    yield _odd(
        name="progressive-first-scan-only.jpg",
        data=data[: first[1]] + jpg.EOI,
        right=(read(data[: first[1]] + jpg.EOI),),
        why="no rule says how many scans there must be, and so few leave a blurred picture",
    )
    data = jpeg(paint.picture(), progressive=True)
    first, second = jpg.scans(data)[:2]
    yield _odd(name="progressive-dc-missing.jpg", data=data[: first[0]] + data[first[1] :])
    data = jpeg(paint.picture(), restart_marker_rows=1)
    at = data.index(b"\xff\xd3")
    after = data.index(b"\xff\xd5", at)
    yield _odd(name="restart-intervals-lost.jpg", data=data[:at] + data[after:])
    data = jpeg(paint.picture(320, 272))
    start, _ = jpg.find(data, 0xC0)
    taller = data[: start + 5] + struct.pack(">H", 544) + data[start + 7 :]
    yield _odd(name="height-doubled.jpg", data=taller)
    # The front of one picture and the rest of another, as a broken card gives it.
    one, two = jpeg(paint.picture()), jpeg(paint.picture())
    yield _odd(name="two-halves.jpg", data=one[: len(one) // 2] + two[len(two) // 2 :])
    one, two = jpeg(paint.picture()), jpeg(paint.picture())
    yield _odd(name="overwritten-by-another.jpg", data=one[: len(one) // 2] + two)
    data = jpeg(paint.picture())
    yield _odd(name="line-ends-changed.jpg", data=data.replace(b"\n", b"\r\n"))
    text = jpeg(paint.picture()).decode("utf-8", "replace").encode()
    yield _odd(name="read-as-text.jpg", data=text, says=(*DAMAGED, "not_an_image"))


def _libjpeg_warns(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(data, strict=True)
    except ValueError:
        return True
    return False


def _pngs(paint: Painter) -> Iterator[Odd]:
    rng = paint.rng
    data = bytearray(png.png(paint.picture()))
    data[len(data) // 2] ^= 0x10
    yield _odd(name="idat-wrong-crc.png", data=bytes(data))
    data = bytearray(png.png(paint.picture()))
    at = data.index(b"IDAT") + 4 + struct.unpack(">I", data[data.index(b"IDAT") - 4 :][:4])[0]
    data[at] ^= 1  # the checksum itself
    yield _odd(name="idat-crc-garbled.png", data=bytes(data))
    chunks = png.split(png.png(paint.picture(), parts=8))
    kept = [c for i, c in enumerate(chunks) if i != 4]
    yield _odd(name="idat-one-of-8-missing.png", data=png.whole(kept))
    chunks = png.split(png.png(paint.picture(), parts=8))
    chunks[3], chunks[4] = chunks[4], chunks[3]
    yield _odd(name="idat-swapped.png", data=png.whole(chunks))
    chunks = png.split(png.png(paint.picture(), parts=8))
    yield _odd(name="idat-last-4-missing.png", data=png.whole([*chunks[:5], chunks[-1]]))
    # A whole zlib stream that holds too few rows.
    for name, woven in (("", False), ("-interlaced", True)):
        rgb = paint.picture()
        rows = png.rows_of(rgb, 8, interlaced=woven)
        header = png.split(png.png(rgb, interlaced=woven))[0]
        stream = zlib.compress(rows[: len(rows) * 6 // 10])
        data = png.whole([header, (b"IDAT", stream), (b"IEND", b"")])
        yield _odd(name=f"rows-missing{name}.png", data=data)
    rgb = paint.picture()
    rows = bytearray(png.rows_of(rgb, 8))
    rows[(3 * rgb.shape[1] + 1) * 100] = 9
    header = png.split(png.png(rgb))[0]
    data = png.whole([header, (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b"")])
    yield _odd(name="filter-9.png", data=data)
    chunks = png.split(png.png(paint.picture()))
    stream = bytearray(chunks[1][1])
    middle = len(stream) // 2
    stream[middle : middle + 32] = rng.bytes(32)
    yield _odd(
        name="zlib-rot-crc-mended.png",
        data=png.whole([chunks[0], (b"IDAT", bytes(stream)), chunks[2]]),
    )
    chunks = png.split(png.png(paint.picture()))
    stream = bytearray(chunks[1][1])
    stream[-3] ^= 0x55  # the Adler checksum over all rows
    yield _odd(
        name="zlib-checksum-wrong.png",
        data=png.whole([chunks[0], (b"IDAT", bytes(stream)), chunks[2]]),
    )
    data = png.png(paint.picture())
    at = len(data) // 2
    yield _odd(name="zero-tail.png", data=data[:at] + bytes(len(data) - at))
    chunks = png.split(png.png(paint.picture()))
    yield _odd(name="no-idat.png", data=png.whole([chunks[0], chunks[2]]))
    index, palette = paint.flat(16)
    chunks = png.split(png.png(index, 8, png.PALETTE, palette=palette))
    yield _odd(name="no-palette.png", data=png.whole([c for c in chunks if c[0] != b"PLTE"]))
    chunks = png.split(png.png(paint.picture()))
    header = chunks[0][1][:9] + b"\5" + chunks[0][1][10:]
    yield _odd(
        name="colour-type-5.png",
        data=png.whole([(b"IHDR", header), *chunks[1:]]),
        says=(*DAMAGED, "unsupported_format"),
    )
    data = png.png(paint.picture())
    data = data.replace(b"\r\n\x1a\n", b"\n\x1a\n", 1)
    yield _odd(name="line-ends-changed.png", data=data, says=(*DAMAGED, "not_an_image"))


def _tiffs(paint: Painter) -> Iterator[Odd]:
    page = tiff.page(paint.picture(), tiff.RGB)
    data = bytearray(tiff.tiff(page))
    last = struct.pack("<I", sum(len(s) + len(s) % 2 for s in page.segments[:-1]) + 8)
    at = data.rindex(last)
    data[at : at + 4] = struct.pack("<I", len(data) + 1000)
    yield _odd(name="strip-beyond-end.tif", data=bytes(data))
    page = tiff.page(paint.picture(), tiff.RGB, tile=(64, 64))
    data = bytearray(tiff.tiff(page))
    last = struct.pack("<I", sum(len(s) for s in page.segments[:-1]) + 8)
    at = data.rindex(last)
    data[at : at + 4] = struct.pack("<I", len(data) + 1000)
    yield _odd(name="tile-beyond-end.tif", data=bytes(data))
    page = tiff.page(paint.picture(), tiff.RGB)
    page.segments[2] = page.segments[2][:100]
    yield _odd(name="strip-too-short.tif", data=tiff.tiff(page))
    page = tiff.page(paint.picture(), tiff.RGB)
    page.segments = page.segments[:-2]
    yield _odd(name="strips-missing.tif", data=tiff.tiff(page))
    for compression in ("lzw", "deflate"):
        page = tiff.page(paint.picture(), tiff.RGB, compression=compression)
        good = page.segments[1]
        page.segments[1] = good[:1000] + paint.rng.bytes(64) + good[1064:]
        yield _odd(name=f"{compression}-rot.tif", data=tiff.tiff(page))
        page = tiff.page(paint.picture(), tiff.RGB, compression=compression)
        page.segments[1] = page.segments[1][: len(page.segments[1]) // 2]
        yield _odd(name=f"{compression}-strip-cut.tif", data=tiff.tiff(page))
    page = tiff.page(paint.picture(), tiff.RGB)
    del page.tags[256]
    yield _odd(name="no-width.tif", data=tiff.tiff(page), says=(*DAMAGED, "unsupported_format"))


def _noticed_webp(data: bytes, paint: Painter) -> bytes:
    """Rotten bytes that libwebp notices, as it does in a third to two thirds of such files."""
    while True:
        at = int(paint.rng.integers(200, len(data) - 500))
        rot = data[:at] + paint.rng.bytes(400) + data[at + 400 :]
        try:
            read(rot)
        except OSError:
            return rot


def _others(paint: Painter) -> Iterator[Odd]:
    data = bytearray(saved(paint.picture(), "GIF"))
    middle = len(data) // 2
    data[middle : middle + 200] = bytes(200)
    yield _odd(name="zeros-in-the-middle.gif", data=bytes(data))
    for name, options in (("lossless", {"lossless": True}), ("lossy", {"quality": 92})):
        data = saved(paint.picture(), "WEBP", **options)
        yield _odd(name=f"bit-rot-{name}.webp", data=_noticed_webp(data, paint))
    data = saved(paint.picture(), "WEBP", quality=92)
    yield _odd(name="no-picture-chunk.webp", data=b"RIFF\x04\0\0\0WEBP" + bytes(len(data) // 99))
