"""Pictures that are bombs, that lie in their headers, or that are something else as well."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import simplejpeg
from PIL import Image

from hostile_readers_set.case import FILES, KEPT, Hostile, fates, good_pictures
from hostile_readers_set.picture_parts import (
    big_rings,
    bomb_profile,
    box,
    chunk,
    icc,
    png,
    riff,
    segment,
    tiff,
    zeros,
)

_TOO_LARGE = ("side_too_long", "too_many_pixels", "too_much_memory")
_BAD = ("corrupt", "truncated", "unsupported_format", "animated", "too_many_scans", *_TOO_LARGE)
_Files = dict[str, bytes]


def cases() -> Iterator[Hostile]:
    for name, make in {
        "png_sizes_that_lie": _png_sizes,
        "jpeg_sizes_that_lie": _jpeg_sizes,
        "other_sizes_that_lie": _other_sizes,
    }.items():
        yield _pictures(name, make, *_BAD)
    for name, make in _PNG.items():
        yield _pictures(f"png_{name}", make, KEPT, *_BAD)
    for name, make in _JPEG.items():
        yield _pictures(f"jpeg_{name}", make, KEPT, *_BAD)
    for name, make in _OTHERS.items():
        yield _pictures(name, make, KEPT, *_BAD)
    yield _pictures("polyglots", _polyglots, KEPT, *_BAD, "not_an_image")
    yield _pictures("png_of_196_mp_of_nothing", _full_size, KEPT, most_mb=4300)


def _pictures(name: str, make: Callable[[], _Files], *slugs: str, **more: Any) -> Hostile:
    def fill(folder: Path) -> None:
        files = make() | {f"good{n}.jpg": data for n, data in enumerate(good_pictures()[:2])}
        for file, data in files.items():
            (folder / file).write_bytes(data)

    slugs_ = fates(*slugs)
    return Hostile(name=name, reader="folder", make=fill, fates=slugs_, rows=FILES, **more)


def _png_sizes() -> _Files:
    sizes = [(65_500, 65_500), (2**31 - 1, 1), (2**32 - 1, 2**32 - 1), (0, 5), (1, 2**31)]
    return {f"{w}x{h}.png": png(w, h, [chunk(b"IDAT", zeros(1))]) for w, h in sizes}


def _jpeg_sizes() -> _Files:
    data = good_pictures()[0]
    at = data.index(b"\xff\xc0") + 5
    sizes = [(65_500, 65_500), (65_535, 65_535), (14_000, 14_000), (0, 9), (9, 0), (96, 65_000)]
    return {
        f"{w}x{h}.jpg": data[:at] + h.to_bytes(2, "big") + w.to_bytes(2, "big") + data[at + 4 :]
        for w, h in sizes
    }


def _other_sizes() -> _Files:
    vp8l = b"\x2f" + (0x3FFF | 0x3FFF << 14).to_bytes(4, "little") + bytes(20)
    vp8x = b"\x10\0\0\0" + b"\xff" * 6
    vp8 = b"\x10\0\0\x9d\x01\x2a\xff\x3f\xff\x3f" + bytes(20)
    bmp = b"BM" + (154).to_bytes(4, "little") + bytes(4) + (54).to_bytes(4, "little")
    bmp += (40).to_bytes(4, "little")

    def bitmap(width: int, height: int, bits: int = 24, packing: int = 0) -> bytes:
        sides = b"".join(n.to_bytes(4, "little", signed=True) for n in (width, height))
        rest = b"\1\0" + bits.to_bytes(2, "little") + packing.to_bytes(4, "little")
        return bmp + sides + rest + bytes(20) + bytes(100)

    still = Image.fromarray(np.zeros((64, 64, 3), np.uint8))
    avif = _saved(still, "AVIF")
    wide = avif.replace(b"ispe\0\0\0\0" + b"\0\0\0\x40" * 2, b"ispe\0\0\0\0" + b"\0\0\xff\xff" * 2)
    assert wide != avif
    return {
        "vp8l.webp": riff([(b"VP8L", vp8l)]),
        "vp8x.webp": riff([(b"VP8X", vp8x), (b"VP8L", vp8l)]),
        "vp8.webp": riff([(b"VP8 ", vp8)]),
        "a.gif": b"GIF89a" + b"\xff\xff\xff\xff\0\0\0," + bytes(8) + b"\0\2\2D\1\0;",
        "b.gif": b"GIF89a\1\0\1\0\0\0\0," + b"\xff" * 8 + b"\0\2\2D\1\0;",
        "a.bmp": bitmap(2**31 - 1, 2**31 - 1),
        "b.bmp": bitmap(65_000, -(2**31)),
        "c.bmp": bitmap(-5, 5),
        "d.bmp": bitmap(14_000, 14_000, 8, 1),
        "e.bmp": bitmap(100, 100, 65_535),
        "a.avif": wide,
        "a.jxl": b"\xff\x0a" + b"\xff" * 40,
        "b.jxl": b"\xff\x0a" + bytes(40),
        "a.tif": tiff({256: (4, [2**31]), 257: (4, [2**31])}),
        "b.tif": tiff({322: (4, [2**31 - 1]), 323: (4, [2**31 - 1]), 324: (4, [8]), 325: (4, [9])}),
        "c.tif": tiff({277: (3, [65_535])}),
        "d.tif": tiff({258: (3, [65_535])}),
        "e.tif": tiff({273: (4, [0xFFFFFFFF]), 279: (4, [0xFFFFFFFF])}),
    }


def _idats(count: int, size: int) -> bytes:
    """Rows of a small picture, then many chunks of nothing more."""
    whole = zlib.compress(bytes(65 * 64 * 3 + 64))
    return chunk(b"IDAT", whole) + chunk(b"IDAT", bytes(size)) * count


_PNG: dict[str, Callable[[], _Files]] = {
    "profile_bomb": lambda: {
        "a.png": png(64, 64, [chunk(b"iCCP", b"x\0\0" + zeros(10_000)), _idats(0, 0)])
    },
    "text_bomb": lambda: {
        "a.png": png(
            64, 64, [chunk(b"zTXt", b"XML:com.adobe.xmp\0\0" + zeros(10_000)), _idats(0, 0)]
        )
    },
    "exif_bomb": lambda: {
        "a.png": png(
            64, 64, [chunk(b"zTXt", b"Raw profile type exif\0\0" + zeros(10_000)), _idats(0, 0)]
        ),
        "b.png": png(
            64, 64, [chunk(b"eXIf", b"II*\0\10\0\0\0" + b"\xff" * 50_000_000), _idats(0, 0)]
        ),
    },
    "rows_bomb": lambda: {"a.png": png(64, 64, [chunk(b"IDAT", zeros(10_000))])},
    "interlaced_rows_bomb": lambda: {
        "a.png": png(64, 64, [chunk(b"IDAT", zeros(10_000))], interlaced=True)
    },
    "3000000_empty_chunks": lambda: {"a.png": png(64, 64, [_idats(3_000_000, 0)])},
    "3000000_unknown_chunks": lambda: {
        "a.png": png(64, 64, [_idats(0, 0), chunk(b"teSt", b"") * 3_000_000])
    },
    "100000_texts": lambda: {
        "a.png": png(64, 64, [_idats(0, 0), chunk(b"tEXt", b"a\0b") * 100_000])
    },
    "animated_of_100000_frames": lambda: {
        "a.png": png(64, 64, [chunk(b"acTL", b"\0\1\x86\xa0" + bytes(4)), _idats(0, 0)])
    },
    "chunk_of_2_gb": lambda: {"a.png": png(64, 64, [b"\x7f\xff\xff\xffIDAT" + bytes(99)])},
}


def _with(*segments: bytes) -> bytes:
    data = good_pictures()[0]
    return data[:2] + b"".join(segments) + data[2:]


def _large(**options: Any) -> bytes:
    rng = np.random.default_rng(1)
    tile = rng.integers(0, 255, (500, 500, 3), np.uint8)
    return _saved(Image.fromarray(np.tile(tile, (12, 14, 1))), "JPEG", quality=70, **options)


def _scans() -> _Files:
    """A picture of 64 MP and 98 passes, of which all but the first are the same and empty."""
    data = _saved(Image.new("L", (8000, 8000)), "JPEG", progressive=True)
    last = data.rindex(b"\xff\xda")
    return {"a.jpg": data[:-2] + data[last:-2] * 80 + data[-2:]}


_JPEG: dict[str, Callable[[], _Files]] = {
    "60_mb_of_fill_bytes": lambda: {
        "a.jpg": b"\xff\xd8" + b"\xff" * 60_000_000 + good_pictures()[0][2:]
    },
    "60_mb_of_zeros_before": lambda: {"a.jpg": b"\xff\xd8\xff" + bytes(60_000_000)},
    "500000_segments": lambda: {"a.jpg": _with(segment(0xFE, b"") * 500_000)},
    "500000_restart_marks": lambda: {"a.jpg": _with(b"\xff\xd0" * 500_000)},
    "5000000_scan_marks": lambda: {"a.jpg": _with() + b"\xff\xda" * 5_000_000},
    "exif_that_points_to_itself": lambda: {
        "a.jpg": _with(
            segment(0xE1, b"Exif\0\0II*\0\10\0\0\0" + b"\xff\xff" + b"\x12\1\3\0" * 9000)
        )
    },
    "xmp_of_60_mb": lambda: {
        "a.jpg": _with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + b"<x>" * 21_000) * 950)
    },
    "xmp_billion_laughs": lambda: {
        "a.jpg": _with(segment(0xE1, b"http://ns.adobe.com/xap/1.0/\0" + _LAUGHS))
    },
    "profile_of_255_parts": lambda: {
        "a.jpg": _with(
            *(
                segment(0xE2, b"ICC_PROFILE\0" + bytes([n, 255]) + bytes(65_000))
                for n in range(1, 256)
            )
        )
    },
    "profiles_that_lie": lambda: {
        f"{name}.jpg": _with(segment(0xE2, b"ICC_PROFILE\0\1\1" + profile))
        for name, profile in icc().items()
    },
    "profile_of_many_elements": lambda: {
        "a.jpg": _with(
            *(
                segment(0xE2, b"ICC_PROFILE\0" + bytes([n + 1, 200]) + part)
                for n, part in enumerate(bomb_profile(200))
            )
        )
    },
    "64_mp_in_98_passes": _scans,
    "42_mp_with_stray_bytes": lambda: {
        "a.jpg": (data := _large())[:-2] + b"\x12\x34\x56\x78" * 4 + data[-2:]
    },
    "42_mp_cut": lambda: {"a.jpg": (data := _large())[: len(data) // 2]},
    "42_mp_progressive_cut": lambda: {
        "a.jpg": (data := _large(progressive=True))[: len(data) // 2]
    },
    "previews_in_previews": lambda: {"a.jpg": _with(segment(0xE1, b"Exif\0\0" + _with()[:60_000]))},
}

_LAUGHS = b"<!DOCTYPE x [<!ENTITY a 'ha'>" + b"".join(
    b"<!ENTITY %c '%b'>" % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(12)
)
_LAUGHS += b"]><x>&m;</x>"


def _gif(frames: int) -> bytes:
    frame = b",\0\0\0\0\1\0\1\0\0\2\2D\1\0"
    return b"GIF89a\1\0\1\0\x80\0\0" + bytes(6) + frame * frames + b";"


_OTHERS: dict[str, Callable[[], _Files]] = {
    "gif_of_100000_frames": lambda: {"a.gif": _gif(100_000)},
    "gif_of_20000000_blocks": lambda: {
        "a.gif": b"GIF89a\1\0\1\0\0\0\0!\xfe" + b"\1x" * 20_000_000 + b"\0" + _gif(1)[19:]
    },
    "gif_without_end": lambda: {"a.gif": _gif(1)[:-1] + b"!\xfe\0" * 10_000_000},
    "webp_of_100000_frames": lambda: {
        "a.webp": riff(
            [(b"VP8X", b"\2\0\0\0" + bytes(6)), (b"ANIM", bytes(6))]
            + [(b"ANMF", bytes(16))] * 100_000
        )
    },
    "webp_of_1000000_chunks": lambda: {
        "a.webp": riff(
            [(b"VP8X", b"\x08\0\0\0" + bytes(6))] + [(b"EXIF", b"II*\0\10\0\0\0")] * 1_000_000
        )
    },
    "tiff_of_10000_overlapping_directories": lambda: {"a.tif": big_rings()},
    "tiff_that_points_to_itself": lambda: {"a.tif": tiff({}, following=8)},
    "tiff_of_60000_strips_in_one_place": lambda: _strips(8, zlib.compress(bytes(65_000))),
    "tiff_of_60000_lzma_strips": lambda: _strips(34925, _lzma(bytes(65_000))),
    "tiff_of_20000_jpeg_strips": lambda: _strips(7, _tiny_jpeg(), 20_000),
    "tiff_of_huge_jpeg_tables": lambda: _strips(
        7, _tiny_jpeg(), 20_000, {347: (7, b"\xff\xd8" + segment(0xFE, bytes(60_000)) * 80)}
    ),
    "avif_of_1000000_boxes": lambda: {
        "a.avif": box(b"ftyp", b"avif" + bytes(4) + b"avif") + box(b"free", b"") * 1_000_000
    },
    "avif_boxes_100000_deep": lambda: {"a.avif": _nested()},
    "avif_of_100000_items": lambda: {"a.avif": _items()},
    "jxl_of_1000000_boxes": lambda: {
        "a.jxl": b"\0\0\0\x0cJXL \r\n\x87\n" + box(b"jxlp", b"\0\0\0\0\xff\x0a") * 1_000_000
    },
    "what_is_not_read_here": lambda: {
        "a.svg": b"<svg xmlns='x'>" + _LAUGHS,
        "a.pdf": b"%PDF-1.7\n" + bytes(100),
        "a.psd": b"8BPS" + b"\xff" * 100,
        "a.ico": b"\0\0\1\0\xff\xff" + bytes(100),
        "a.jp2": b"\0\0\0\x0cjP  \r\n\x87\n" + bytes(100),
        "a.exr": b"v/1\1" + b"\xff" * 100,
        "a.ppm": b"P6 65500 65500 255\n" + bytes(100),
        "a.eps": b"P7\n" + bytes(10),
    },
}


def _strips(
    compression: int, strip: bytes, count: int = 60_000, more: dict[int, Any] | None = None
) -> _Files:
    """One strip of bytes that is every row of a tall picture."""
    entries = {
        256: (4, [16]),
        257: (4, [count]),
        258: (3, [8]),
        259: (3, [compression]),
        277: (3, [1]),
        278: (4, [1]),
        273: (4, [8] * count),
        279: (4, [len(strip)] * count),
    }
    return {"a.tif": tiff(entries | (more or {}), body=strip)}


def _lzma(data: bytes) -> bytes:
    import lzma

    return lzma.compress(data)


def _tiny_jpeg() -> bytes:
    data: bytes = simplejpeg.encode_jpeg(np.zeros((1, 16, 1), np.uint8), 50, colorspace="GRAY")
    return data


def _nested() -> bytes:
    data = b""
    for _ in range(100_000):
        data = (len(data) + 12).to_bytes(4, "big") + b"meta" + bytes(4) + data
        if len(data) > 1_000_000:
            break
    return box(b"ftyp", b"avif" + bytes(4) + b"avif") + data


def _items() -> bytes:
    entry = box(b"infe", b"\2\0\0\0\0\1\0\0av01\0")
    items = box(b"iinf", bytes(4) + (50_000).to_bytes(2, "big") + entry * 50_000)
    return box(b"ftyp", b"avif" + bytes(4) + b"avif") + box(b"meta", bytes(4) + items)


def _full_size() -> _Files:
    return {"a.png": _saved(Image.new("1", (14_000, 14_000)), "PNG")}


def _polyglots() -> _Files:
    jpeg = good_pictures()[3]
    zipped = io.BytesIO()
    with zipfile.ZipFile(zipped, "w") as archive:
        archive.writestr("../../owned.txt", "owned")
    html = b"<html><script>alert(1)</script>"
    script = b"GIF89a/*\1\0\0\0*/=1;alert(1);"
    flat = Image.new("RGB", (64, 64))
    return {
        "zip.jpg": jpeg + zipped.getvalue(),
        "html.png": _saved(flat, "PNG") + html,
        "html_in_text.png": png(64, 64, [chunk(b"tEXt", b"a\0" + html), _idats(0, 0)]),
        "script.gif": script,
        "pdf.jpg": b"%PDF-1.4\n" + jpeg,
        "jpeg_in_pdf.jpg": _with(segment(0xFE, b"%PDF-1.4\n1 0 obj<<>>endobj")),
        "two.jpg": jpeg + jpeg,
        "php.jpg": _with(segment(0xFE, b"<?php system($_GET['c']); ?>")),
        "tar.jpg": bytes(257) + b"ustar\0" + b"00" + bytes(247) + jpeg,
        "elf.jpg": b"\x7fELF" + jpeg,
        "rar.png": _saved(flat, "PNG") + b"Rar!\x1a\7\0" + bytes(99),
        "jpeg.png": jpeg,
        "text.png": html,
    }


def _saved(image: Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **options)
    return file.getvalue()
