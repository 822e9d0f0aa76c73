"""TIFF holds anything: odd samples, previews, masks, pages."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

from tests.pictures import encoded, scene
from tests.vae_corpus.decoding import good, saved
from vae_corpus.pictures.decode import Fault, decode

RGB = scene(96, 64, 7)
GREY = cv2.cvtColor(RGB, cv2.COLOR_RGB2GRAY)
WHITE_IS_ZERO, BLACK_IS_ZERO = 0, 1


def fault(data: bytes) -> tuple[str, str]:
    found = decode(data)
    assert isinstance(found, Fault), "decoded"
    return found.slug, found.why


def tiff(
    *pages: tuple[dict[int, int], bytes | list[bytes]], order: str = "<", big: bool = False
) -> bytes:
    """A TIFF out of tags (numbers) and pixels: a strip or several a page."""
    mark = b"II" if order == "<" else b"MM"
    pointer, count, entry = ("Q", "Q", "HHQQ") if big else ("I", "H", "HHII")
    head = struct.pack(order + "HHH", 43, 8, 0) if big else struct.pack(order + "H", 42)
    data = mark + head + struct.pack(order + pointer, 0)
    link = len(data) - struct.calcsize(pointer)
    for tags, pixels in pages:
        strips = pixels if isinstance(pixels, list) else [pixels]
        starts, lengths = [], [len(strip) for strip in strips]
        for strip in strips:
            starts.append(len(data))
            data += strip + bytes(-len(strip) % 2)
        whole = tags | {273: starts[0], 279: lengths[0]}
        if len(strips) > 1:
            whole |= {273: len(data), 279: len(data) + 4 * len(strips)}
            data += struct.pack(f"{order}{2 * len(strips)}I", *starts, *lengths)
        whole = dict(sorted(whole.items()))
        at = len(data)
        data = data[:link] + struct.pack(order + pointer, at) + data[link + len(_zero(pointer)) :]
        data += struct.pack(order + count, len(whole))
        for tag, value in whole.items():
            many = len(strips) if tag in (273, 279) else 1
            data += struct.pack(order + entry, tag, 4, many, value)
        link = len(data)
        data += _zero(pointer)
    return data


def _zero(form: str) -> bytes:
    return bytes(struct.calcsize("=" + form))


def tags(
    grey: NDArray[Any], bits: int, photometric: int = BLACK_IS_ZERO, **more: int
) -> dict[int, int]:
    height, width = grey.shape
    plain = {256: width, 257: height, 258: bits, 259: 1, 262: photometric, 277: 1, 278: height}
    return plain | {int(name[1:]): value for name, value in more.items()}


def packed_12_bits(grey: NDArray[np.uint8]) -> bytes:
    """Rows of 12-bit samples, as microscopes write them."""
    wide = grey.astype(np.uint16) << 4 | grey >> 4
    first, second = wide[:, ::2], wide[:, 1::2]
    parts = [first >> 4, (first & 15) << 4 | second >> 8, second & 255]
    return np.stack(parts, axis=-1).astype(np.uint8).tobytes()


def test_twelve_bits_are_as_bright_as_eight() -> None:
    data = tiff((tags(GREY, 12), packed_12_bits(GREY)))
    assert np.array_equal(good(data).rgb[:, :, 0], GREY)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("bits", [8, 16])
def test_zero_may_be_white(order: str, photometric: int, bits: int) -> None:
    stored = 255 - GREY if photometric == WHITE_IS_ZERO else GREY
    wide = (stored.astype(np.uint16) * 257).astype(order + "u2") if bits == 16 else stored
    data = tiff((tags(GREY, bits, photometric), wide.tobytes()), order=order)
    assert np.array_equal(good(data).rgb[:, :, 0], GREY)


def test_a_preview_or_a_mask_is_no_second_page() -> None:
    page = (tags(GREY, 8), GREY.tobytes())
    small = GREY[::4, ::4]
    for aside in ({"t254": 1}, {"t254": 4}, {"t255": 2}):
        preview = (tags(small, 8, **aside), small.tobytes())
        for pages in ((page, preview), (preview, page)):
            found = good(tiff(*pages))
            assert np.array_equal(found.rgb[:, :, 0], GREY)
    slug, why = fault(tiff(page, page))
    assert slug == "animated" and "2 pages" in why


def test_large_files_have_wider_addresses() -> None:
    data = tiff((tags(GREY, 8), GREY.tobytes()), big=True)
    assert np.array_equal(good(data).rgb[:, :, 0], GREY)


@pytest.mark.parametrize(
    ("bits", "more", "dtype"),
    [
        (16, {"t339": 2}, np.int16),
        (8, {"t339": 2}, np.int8),
        (32, {"t339": 3}, np.float32),
        (32, {"t339": 1}, np.uint32),
        (24, {}, np.uint8),
    ],
)
def test_samples_without_a_known_range_are_a_variant(
    bits: int, more: dict[str, int], dtype: Any
) -> None:
    pixels = np.zeros((64, 96 * bits // (8 * np.dtype(dtype).itemsize)), dtype)
    assert fault(tiff((tags(GREY, bits, **more), pixels.tobytes())))[0] == "unsupported_format"


def test_a_camera_keeps_its_raw_data_behind_a_preview() -> None:
    raw = tiff((tags(GREY, 8, t254=1, t330=8), GREY.tobytes()))
    slug, why = fault(raw)
    assert slug == "unsupported_format" and "camera" in why


def test_a_cut_file_is_truncated_wherever_it_ends() -> None:
    for big in (False, True):
        data = tiff((tags(GREY, 8), GREY.tobytes()), big=big)
        for size in (7, 20, len(data) // 2, len(data) - 1):
            assert fault(data[:size])[0] == "truncated"


def test_strips_that_are_short_or_missing() -> None:
    for page in (
        (tags(GREY, 8), GREY.tobytes()[: GREY.size // 2]),
        (tags(GREY, 8) | {278: 32}, GREY.tobytes()),
    ):
        assert fault(tiff(page))[0] == "truncated"


def packed(compression: str, mode: str = "RGB", rows: int = 64, **more: int) -> bytes:
    """The picture as libtiff writes it, in strips of so many rows."""
    options: dict[int, int] = {278: rows} | {int(name[1:]): n for name, n in more.items()}
    return saved(
        Image.fromarray(RGB).convert(mode), "TIFF", compression=compression, tiffinfo=options
    )


@pytest.mark.parametrize("rows", [64, 40, 16])
@pytest.mark.parametrize("mode", ["L", "RGB", "CMYK"])
@pytest.mark.parametrize(
    "compression", ["tiff_lzw", "tiff_adobe_deflate", "packbits", "jpeg", "zstd", "lzma"]
)
def test_compressed_tiffs(compression: str, mode: str, rows: int) -> None:
    plain = good(packed("raw", mode)).rgb
    limit = 8 if compression == "jpeg" else 0
    found = good(packed(compression, mode, rows)).rgb
    assert np.abs(found.astype(int) - plain).mean() <= limit


@pytest.mark.parametrize("rows", [64, 10])
@pytest.mark.parametrize("group", ["group3", "group4"])
def test_fax(group: str, rows: int) -> None:
    assert np.array_equal(good(packed(group, "1", rows)).rgb, good(packed("raw", "1")).rgb)


@pytest.mark.parametrize("options", [{"t317": 2}, {"t266": 2}])
def test_differences_and_turned_bits_are_no_damage(options: dict[str, int]) -> None:
    turned = packed("tiff_adobe_deflate", "L", **options)
    assert np.array_equal(good(turned).rgb, good(packed("raw", "L")).rgb)


def with_lost_half(data: bytes, way: str) -> bytes:
    """A file of one strip, of which the second half is zeros, or not counted."""
    page = TiffImagePlugin.TiffImageFile(io.BytesIO(data)).tag_v2
    (start,), (size,) = page[273], page[279]
    if way == "zeros":
        return data[: start + size // 2] + bytes(size - size // 2) + data[start + size :]
    (at,) = struct.unpack_from("<I", data, 4)
    (count,) = struct.unpack_from("<H", data, at)
    entries = range(at + 2, at + 2 + 12 * count, 12)
    (entry,) = (e for e in entries if struct.unpack_from("<H", data, e)[0] == 279)
    return data[: entry + 8] + struct.pack("<I", size // 2) + data[entry + 12 :]


@pytest.mark.parametrize("way", ["zeros", "cut"])
@pytest.mark.parametrize(
    ("compression", "mode"),
    [
        ("tiff_adobe_deflate", "RGB"),
        ("tiff_adobe_deflate", "L"),
        ("jpeg", "RGB"),
        ("jpeg", "L"),
        ("jpeg", "CMYK"),
        ("group3", "1"),
        ("group4", "1"),
        ("lzma", "RGB"),
        ("zstd", "RGB"),
    ],
)
def test_half_a_strip_is_no_picture(compression: str, mode: str, way: str) -> None:
    assert fault(with_lost_half(packed(compression, mode), way))[0] in ("truncated", "corrupt")


def test_rows_of_fax_that_cannot_be_checked_are_a_variant() -> None:
    assert fault(packed("tiff_ccitt", "1"))[0] == "unsupported_format"


def test_a_strip_cannot_hold_more_than_its_rows() -> None:
    page = tags(GREY, 8) | {259: 8}
    assert fault(tiff((page, zlib.compress(bytes(9_000_000)))))[1].endswith("its rows take")
    page = tags(GREY, 8) | {259: 7}
    assert "2000 x 2000" in fault(tiff((page, saved(Image.new("L", (2000, 2000)), "JPEG"))))[1]


def test_wide_colours_are_scaled() -> None:
    wide = RGB.astype(np.uint16) * 257
    assert np.array_equal(good(encoded(wide, "tiff")).rgb, RGB)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("samples", [3, 4])
def test_planes_of_wide_samples_are_the_same_picture(order: str, samples: int) -> None:
    opaque = np.dstack([RGB, np.full(GREY.shape, 255, np.uint8)])[:, :, :samples]
    # Low bytes that are other than the high ones.
    wide = (opaque.astype(np.uint16) << 8 | 77).astype(order + "u2")
    rows = [band.tobytes() for top in (0, 32) for band in wide[top : top + 32].transpose(2, 0, 1)]
    strips = [rows[half * samples + band] for band in range(samples) for half in (0, 1)]
    alpha = {"t338": 2} if samples == 4 else {}
    page = tags(GREY, 16, 2, t277=samples, t284=2, **alpha) | {278: 32}
    assert np.array_equal(good(tiff((page, strips), order=order)).rgb, RGB)


@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_a_single_plane_is_a_picture_of_whole_pixels(photometric: int, bits: int) -> None:
    stored = 255 - GREY if photometric == WHITE_IS_ZERO else GREY
    wide = {8: stored.tobytes(), 12: packed_12_bits(stored)}
    pixels = wide.get(bits, (stored.astype("<u2") * 257).tobytes())
    found = good(tiff((tags(GREY, bits, photometric, t284=2), pixels)))
    assert np.array_equal(found.rgb[:, :, 0], GREY)


def test_planes_that_nobody_reads_are_a_variant() -> None:
    ink = np.zeros(4 * GREY.size, "<u2").tobytes()
    page = tags(GREY, 16, 5, t277=4, t284=2)
    assert fault(tiff((page, [ink[::4][: 2 * GREY.size]] * 4)))[0] == "unsupported_format"
