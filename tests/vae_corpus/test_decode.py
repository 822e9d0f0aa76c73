from __future__ import annotations

import io
import struct
import tracemalloc
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
import simplejpeg
from PIL import Image, ImageOps

from tests.pictures import Rgb, encoded, jpeg, scene
from tests.vae_corpus.decoding import good, saved, slug
from vae_corpus.pictures.decode import (
    SLUGS,
    Decoded,
    DecodedLuma,
    Fault,
    Limits,
    Opened,
    decode,
    decode_luma,
    open_image,
    sniff,
    to_luma,
)

RGB = scene(90, 60)
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF")


def png(width: int, height: int, rows: bytes, *, depth: int = 8, colour: int = 0) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + chunks


@pytest.mark.parametrize("form", FORMATS)
def test_colours_come_in_the_other_order_when_asked_for(form: str) -> None:
    data = saved(RGB, form)
    found = decode(data, bgr=True)
    assert isinstance(found, Decoded) and found.rgb.flags.c_contiguous
    assert np.array_equal(found.rgb[:, :, ::-1], good(data).rgb)


def opened(data: bytes, room_bytes: int = RGB.size, **options: Any) -> Rgb | str:
    """The pixels that come in two steps, or the slug of the fault."""
    scratch = np.full(room_bytes, 7, dtype=np.uint8)
    found = open_image(data, scratch, **options)
    fault = found if isinstance(found, Fault) else found.decode()
    if fault is not None:
        return fault.slug
    assert isinstance(found, Opened)
    return found.pixels.copy()


@pytest.mark.parametrize("bgr", [False, True])
@pytest.mark.parametrize("form", [*FORMATS, "grey", "turned", "ink", "progressive"])
def test_two_steps_give_the_same_pixels(form: str, bgr: bool) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    special = {
        "grey": lambda: saved(Image.fromarray(RGB).convert("L"), "JPEG"),
        "turned": lambda: saved(RGB, "JPEG", exif=exif),
        "ink": lambda: saved(Image.fromarray(RGB).convert("CMYK"), "JPEG"),
        "progressive": lambda: saved(RGB, "JPEG", progressive=True),
    }
    data = special[form]() if form in special else saved(RGB, form)
    whole = decode(data, bgr=bgr)
    assert isinstance(whole, Decoded)
    for room_bytes in (RGB.size + 5, RGB.size - 1):
        assert np.array_equal(opened(data, room_bytes, bgr=bgr), whole.rgb)


def test_two_steps_tell_the_same_faults() -> None:
    data = jpeg(RGB)
    rotten = bytearray(data)
    rotten[len(data) // 2 : len(data) // 2 + 40] = bytes(range(40))
    cut = data[: len(data) // 2]
    for bad in (b"", b"no image", data[:100], cut, bytes(rotten), png(4, 4, b"")):
        assert opened(bad) == slug(bad)


def test_a_file_of_two_steps_waits_for_its_turn() -> None:
    """Files that share a scratch are opened together and decoded one after the other."""
    scratch = np.zeros(RGB.size, dtype=np.uint8)
    pictures = [RGB, RGB[:40, :30]]
    for found, picture in [(open_image(jpeg(p), scratch), p) for p in pictures]:
        assert isinstance(found, Opened) and found.decode() is None
        assert np.array_equal(found.pixels, good(jpeg(picture)).rgb)


def test_ink_comes_in_the_other_order_too() -> None:
    data = saved(Image.fromarray(RGB).convert("CMYK"), "JPEG")
    found = decode(data, bgr=True)
    assert isinstance(found, Decoded)
    assert np.array_equal(found.rgb[:, :, ::-1], good(data).rgb)


@pytest.mark.parametrize("form", ("PNG", "BMP", "TIFF"))
def test_lossless_formats_give_the_same_pixels(form: str) -> None:
    found = good(saved(RGB, form))
    assert found.format == form.lower() and found.jpeg_quality is None
    np.testing.assert_array_equal(found.rgb, RGB)


def test_webp_lossless_and_gif() -> None:
    np.testing.assert_array_equal(good(saved(RGB, "WEBP", lossless=True)).rgb, RGB)
    assert np.abs(good(saved(RGB, "GIF")).rgb.astype(int) - RGB).mean() < 12


@pytest.mark.parametrize("progressive", (False, True))
def test_jpeg_is_what_simplejpeg_gives(progressive: bool) -> None:
    data = saved(RGB, "JPEG", quality=83, progressive=progressive)
    found = good(data)
    np.testing.assert_array_equal(found.rgb, simplejpeg.decode_jpeg(data))
    assert found.jpeg_quality == 83


@pytest.mark.parametrize("quality", (1, 10, 30, 49, 50, 75, 95, 100))
def test_jpeg_quality_is_exact_for_ijg_encoders(quality: int) -> None:
    assert good(jpeg(RGB, quality)).jpeg_quality == quality


@pytest.mark.parametrize("form", ("JPEG", "PNG", "WEBP", "TIFF"))
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied(form: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    data = saved(RGB, form, exif=exif, **({"lossless": True} if form == "WEBP" else {}))
    upright = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(data))).convert("RGB"))
    found = good(data).rgb
    assert found.shape == upright.shape
    assert np.abs(found.astype(int) - upright).max() <= 2
    grey = decode_luma(data)
    assert isinstance(grey, DecodedLuma)
    # Strong colours are clipped on the way; a picture turned the wrong way is off by far more.
    assert np.abs(grey.luma.astype(int) - to_luma(found)).mean() < 3


@pytest.mark.parametrize("mode", ("L", "CMYK", "RGB"))
def test_luma_alone_is_the_luma_of_the_colours(mode: str) -> None:
    data = saved(Image.fromarray(RGB).convert(mode), "JPEG", quality=95)
    grey = decode_luma(data)
    assert isinstance(grey, DecodedLuma) and grey.format == "jpeg"
    assert grey.jpeg_quality == good(data).jpeg_quality
    assert np.abs(grey.luma.astype(int) - to_luma(good(data).rgb)).mean() < 1


def test_luma_alone_is_as_strict() -> None:
    for data in (b"", b"no picture", saved(RGB, "JPEG")[:-20], saved(RGB, "PNG")[:-20]):
        assert decode_luma(data) == decode(data)


@pytest.mark.parametrize("mode", ("1", "L", "LA", "P", "RGBA"))
@pytest.mark.parametrize("form", ("PNG", "TIFF"))
def test_every_mode_becomes_rgb(mode: str, form: str) -> None:
    image = Image.fromarray(RGB).convert(mode)
    expected = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(good(saved(image, form)).rgb, expected)


def test_transparency_is_white() -> None:
    layer = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    layer[:30, :, 3] = 255
    for form in ("PNG", "TIFF", "WEBP"):
        options = {"lossless": True, "exact": True} if form == "WEBP" else {}
        found = good(saved(Image.fromarray(layer), form, **options)).rgb
        np.testing.assert_array_equal(found[:30], RGB[:30])
        assert (found[30:] == 255).all()


def test_transparent_palette_colour_is_white() -> None:
    image = Image.fromarray(RGB).quantize(8)
    found = good(saved(image, "PNG", transparency=3)).rgb
    assert (found[np.asarray(image) == 3] == 255).all()


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_the_one_that_is_meant(depth: int) -> None:
    levels = 1 << depth
    row = np.linspace(0, levels - 1, 32).round().astype(np.uint16)
    key = int(row[20])
    bits = "".join(f"{value:0{depth}b}" for value in row)
    line = bytes([0]) + int(bits, 2).to_bytes(len(bits) // 8, "big")
    data = png(32, 8, zlib.compress(line * 8), depth=depth)
    body = b"tRNS" + struct.pack(">H", key)
    chunk = struct.pack(">I", 2) + body + struct.pack(">I", zlib.crc32(body))
    found = good(data[:33] + chunk + data[33:]).rgb[0, :, 0]
    right = np.where(row == key, 255, row.astype(np.uint32) * 255 // (levels - 1))
    assert np.abs(found.astype(int) - right).max() <= 1


def test_a_transparent_colour_of_sixteen_bits_is_compared_whole() -> None:
    colours = np.array([[[0x1234, 0x5678, 0x9ABC], [0x1235, 0x5678, 0x9ABC]]], ">u2")
    data = png(2, 1, zlib.compress(b"\0" + colours.tobytes()), depth=16, colour=2)
    body = b"tRNS" + colours[0, 0].tobytes()
    chunk = struct.pack(">I", 6) + body + struct.pack(">I", zlib.crc32(body))
    found = good(data[:33] + chunk + data[33:]).rgb
    assert found[0, 0].tolist() == [255, 255, 255] and found[0, 1].tolist() == [0x12, 0x56, 0x9A]


def test_a_palette_that_is_missing() -> None:
    assert slug(png(8, 8, zlib.compress(bytes(9 * 8)), colour=3)) == "corrupt"


@pytest.mark.parametrize("ext", ("png", "tiff"))
def test_sixteen_bits_are_scaled_not_clipped(ext: str) -> None:
    wide = RGB.astype(np.uint16) * 257
    np.testing.assert_array_equal(good(encoded(wide, ext)).rgb, RGB)
    grey = np.asarray(Image.fromarray(RGB).convert("L"))
    found = good(saved(Image.fromarray(grey.astype(np.uint16) * 257), ext.upper())).rgb
    np.testing.assert_array_equal(found, np.repeat(grey[:, :, None], 3, axis=2))


def test_cmyk_jpeg_has_the_right_colours() -> None:
    data = saved(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=100)
    assert np.abs(good(data).rgb.astype(int) - RGB).mean() < 2
    # Without Adobe's marker ink counts upwards.
    at = data.index(b"\xff\xee")
    plain = data[:at] + data[at + 2 + int.from_bytes(data[at + 2 : at + 4], "big") :]
    ink = 255 - simplejpeg.decode_jpeg(data, colorspace="CMYK").astype(int)
    expected = (255 - (255 - ink[:, :, :3])) * ink[:, :, 3:] / 255
    assert np.abs(good(plain).rgb - expected).max() <= 1


def test_grey_jpeg() -> None:
    found = good(saved(Image.fromarray(RGB).convert("L"), "JPEG")).rgb
    assert (found[:, :, 0] == found[:, :, 2]).all()


@pytest.mark.parametrize("form", FORMATS)
def test_a_cut_file_is_truncated(form: str) -> None:
    data = saved(RGB, form)
    cuts = {slug(data[:-n]) for n in (1, 2, 20, len(data) // 3, len(data) // 2)}
    assert cuts == {"truncated"}


def test_cut_compressed_tiff_and_progressive_jpeg() -> None:
    assert slug(saved(RGB, "TIFF", compression="tiff_lzw")[:-20]) == "truncated"
    assert slug(saved(RGB, "JPEG", progressive=True)[:-20]) == "truncated"


def test_png_with_rows_missing_inside_a_whole_file() -> None:
    rows = bytes([0] + [7] * 100) * 50
    assert slug(png(100, 100, zlib.compress(rows))) == "truncated"
    assert slug(png(100, 100, zlib.compress(rows * 2)[:-30])) == "truncated"
    black = good(png(100, 100, zlib.compress(bytes(101 * 100)))).rgb
    assert black.shape == (100, 100, 3) and not black.any()


def test_interlaced_png_is_counted_right() -> None:
    ok, data = cv2.imencode(".png", RGB)
    assert ok
    # A black picture of every odd size: the count of rows and bytes must fit exactly.
    for width, height in ((1, 1), (3, 5), (7, 9), (33, 20)):
        sizes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4)]
        sizes += [(1, 0, 2, 2), (0, 1, 1, 2)]
        grids = [(len(range(x, width, a)), len(range(y, height, d))) for x, y, a, d in sizes]
        total = sum(rows * (1 + columns) for columns, rows in grids if rows and columns)
        for missing, wanted in ((0, Decoded), (1, Fault)):
            plain = bytearray(png(width, height, zlib.compress(bytes(total - missing))))
            plain[28] = 1
            plain[29:33] = struct.pack(">I", zlib.crc32(plain[12:29]))
            assert isinstance(decode(bytes(plain)), wanted)


def test_bit_rot_in_png_and_jpeg_is_corrupt() -> None:
    data = bytearray(saved(RGB, "PNG"))
    data[len(data) // 2] ^= 4
    assert slug(bytes(data)) == "corrupt"
    data = bytearray(jpeg(RGB))
    data[len(data) // 2 : len(data) // 2 + 40] = b"\xff\x01" * 20
    assert slug(bytes(data)) == "corrupt"


def test_whatever_the_bytes_it_never_raises() -> None:
    rng = np.random.default_rng(0)
    for form in FORMATS:
        data = saved(scene(24, 16), form)
        for _ in range(60):
            broken = bytearray(data)
            for _ in range(int(rng.integers(1, 9))):
                broken[int(rng.integers(len(broken)))] = int(rng.integers(256))
            found = decode(bytes(broken), Limits(max_pixels=10**6))
            assert isinstance(found, Decoded) or found.slug in SLUGS


def test_no_image_at_all() -> None:
    assert slug(b"") == "empty"
    assert slug(b"<html><body>404</body></html>") == "not_an_image"
    assert slug(b"BMX and other bikes of the nineties") == "not_an_image"
    assert slug(b"\xff\xd8\xff") == "truncated"


def test_known_but_not_read() -> None:
    assert slug(b"%PDF-1.7 ...") == "unsupported_format"
    assert slug(b'<?xml version="1.0"?><svg/>') == "unsupported_format"
    assert sniff(b"\0\0\0\x20ftypavif....") == "avif"
    assert slug(b"\0\0\0\x20ftypavif....") == "truncated"
    floats = Image.fromarray(np.ones((8, 8), np.float32))
    assert slug(saved(floats, "TIFF")) == "unsupported_format"


@pytest.mark.parametrize("form", ("GIF", "WEBP", "PNG", "TIFF"))
def test_several_frames_are_animated(form: str) -> None:
    frames = [Image.fromarray(scene(40, 30, seed)) for seed in range(3)]
    assert slug(saved(frames[0], form, save_all=True, append_images=frames[1:])) == "animated"


def test_limits_on_sides() -> None:
    data = jpeg(RGB)
    assert slug(data, Limits(min_side_px=64)) == "too_small"
    assert slug(data, Limits(max_side_px=80)) == "side_too_long"
    assert slug(data, Limits(max_pixels=90 * 60 - 1)) == "too_many_pixels"
    assert slug(data, Limits(max_bytes=1000)) == "too_much_memory"
    assert isinstance(decode(data, Limits(max_pixels=90 * 60, max_side_px=90)), Decoded)


def test_bombs_cost_nothing() -> None:
    # 400 megapixels of black in some 49 kB, and headers that promise the sky.
    squeeze = zlib.compressobj(9)
    rows = b"".join(squeeze.compress(bytes(2501) * 1000) for _ in range(20)) + squeeze.flush()
    bombs = [png(20_000, 20_000, rows, depth=1)]
    assert len(bombs[0]) < 60_000
    head = bytearray(jpeg(RGB))
    at = head.index(b"\xff\xc0")
    head[at + 5 : at + 9] = struct.pack(">HH", 65_000, 65_000)
    bombs.append(bytes(head))
    webp = bytearray(saved(RGB, "WEBP"))
    at = webp.index(b"\x9d\x01\x2a")
    webp[at + 3 : at + 7] = struct.pack("<HH", 16_383, 16_383)
    bombs.append(bytes(webp))
    gif = bytearray(saved(RGB, "GIF"))
    gif[6:10] = struct.pack("<HH", 65_000, 65_000)
    bombs.append(bytes(gif))
    tracemalloc.start()
    try:
        assert {slug(bomb) for bomb in bombs} == {"too_many_pixels"}
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


def test_too_many_scans() -> None:
    data = saved(RGB, "JPEG", progressive=True)
    at = data.rindex(b"\xff\xda")
    assert slug(data[:at] + data[at:-2] * 200 + data[-2:]) == "too_many_scans"
