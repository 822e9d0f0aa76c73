"""Small files that would cost hours or gigabytes, and what real files do that looks like them."""

from __future__ import annotations

import struct
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.pictures import jpeg, scene
from tests.vae_corpus.decoding import good, saved, slug
from vae_corpus.pictures.decode import png as png_door

_MOST_S = 3.0


def chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def test_a_png_has_so_many_chunks_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(png_door, "_MAX_CHUNKS", 100)
    whole = saved(scene(40, 30), "PNG")
    at = whole.index(b"IEND") - 4
    for count, fits in ((50, True), (200, False)):
        data = whole[:at] + chunk(b"IDAT", b"") * count + whole[at:]
        if fits:
            assert np.array_equal(good(data).rgb, scene(40, 30))
        else:
            assert slug(data) == "corrupt"


def test_fill_bytes_of_a_jpeg_are_passed_at_once() -> None:
    whole = jpeg(scene(40, 30))
    filled = whole[:2] + b"\xff" * 30_000_000 + whole[2:]
    begun = time.process_time()
    assert np.array_equal(good(filled).rgb, good(whole).rgb)
    assert time.process_time() - begun < _MOST_S


def test_comments_of_a_gif_are_not_gathered() -> None:
    image = Image.fromarray(scene(40, 30)).quantize(16)
    whole = saved(image, "GIF", transparency=3)
    comment = b"!\xfe" + b"\1x" * 1_000_000 + b"\0"
    at = whole.index(b"!\xf9")
    begun = time.process_time()
    assert np.array_equal(good(whole[:at] + comment + whole[at:]).rgb, good(whole).rgb)
    assert time.process_time() - begun < _MOST_S
    # What makes a colour transparent is no comment.
    opaque = good(saved(image, "GIF")).rgb
    assert (good(whole).rgb == 255).all(axis=2).sum() > (opaque == 255).all(axis=2).sum()


def tiff(entries: dict[int, tuple[int, list[int]]], body: bytes) -> bytes:
    """A grey picture of 16 px across, whose strips are all at byte 8."""
    data, placed = bytearray(b"II*\0\0\0\0\0" + body), []
    for tag, (kind, values) in sorted(entries.items()):
        raw = struct.pack(f"<{len(values)}{ {3: 'H', 4: 'I', 7: 'B'}[kind] }", *values)
        if len(raw) > 4:
            data += bytes(len(data) % 2)
            place = struct.pack("<I", len(data))
            data += raw
        else:
            place = raw.ljust(4, b"\0")
        placed.append(struct.pack("<HHI", tag, kind, len(values)) + place)
    data += bytes(len(data) % 2)
    data[4:8] = struct.pack("<I", len(data))
    return bytes(data) + struct.pack("<H", len(placed)) + b"".join(placed) + bytes(4)


def strips(count: int, strip: bytes, more: dict[int, tuple[int, list[int]]] | None = None) -> bytes:
    """Rows of which each is a strip, all of them the same bytes, packed with Deflate."""
    sizes: dict[int, tuple[int, list[int]]] = {256: (4, [16]), 257: (4, [count]), 258: (3, [8])}
    sizes |= {259: (3, [8]), 262: (3, [1]), 277: (3, [1]), 278: (4, [1])}
    places = {273: (4, [8] * count), 279: (4, [len(strip)] * count)}
    return tiff(sizes | places | (more or {}), strip)


def test_strips_of_a_tiff_hold_their_rows_and_little_else() -> None:
    assert (good(strips(100, zlib.compress(bytes(16)))).rgb == 0).all()
    assert (good(strips(100, zlib.compress(bytes(32)))).rgb == 0).all()
    assert slug(strips(100, zlib.compress(bytes(60_000)))) == "corrupt"


def test_strips_of_a_tiff_do_not_lie_one_over_the_other() -> None:
    # Blocks of nothing: many bytes to read, and no more pixels.
    empty = b"\x78\x9c" + b"\0\0\0\xff\xff" * 4000 + zlib.compress(bytes(16))[2:]
    assert (good(strips(20, empty)).rgb == 0).all()
    assert slug(strips(4000, empty)) == "corrupt"


def test_tables_of_jpeg_strips_are_small() -> None:
    tables = [0xFF, 0xD8, *[0xFF, 0xFE, 0xFF, 0xFF, *[0] * 65533] * 2]
    strip = jpeg(np.zeros((1, 16, 3), np.uint8))
    data = strips(50, strip, {259: (3, [7]), 347: (7, tables)})
    assert slug(data) == "corrupt"


def test_directories_of_a_tiff_do_not_lie_one_over_the_other() -> None:
    count, rings = 20_000, 1000
    data = bytearray(b"II*\0\x08\0\0\0" + bytes(12 * count + 8 * rings))
    for number in range(rings):
        at = 8 + 4 * number
        struct.pack_into("<H", data, at, count)
        struct.pack_into("<I", data, at + 2 + 12 * count, at + 4)
    begun = time.process_time()
    assert slug(bytes(data)) in ("corrupt", "animated", "unsupported_format")
    assert time.process_time() - begun < _MOST_S


def test_pages_of_a_tiff_may_be_many(tmp_path: Path) -> None:
    page = Image.fromarray(scene(16, 16))
    page.save(tmp_path / "x.tif", save_all=True, append_images=[page] * 50)
    assert slug((tmp_path / "x.tif").read_bytes()) == "animated"
