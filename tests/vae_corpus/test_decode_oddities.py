"""Odd and whole, or damaged: headers may be strange, entropy-coded data may not."""

from __future__ import annotations

import struct
import zlib

import numpy as np
import pytest
import simplejpeg
from PIL import Image, PngImagePlugin

from tests.pictures import jpeg, scene
from tests.vae_corpus.decoding import good, saved, slug
from vae_corpus.pictures.decode import Decoded, Fault, Limits, Opened, decode, open_image
from vae_corpus.pictures.decode.fault import Refused
from vae_corpus.pictures.decode.jpeg_oddities import count_scans, decode_strictly

RGB = scene(160, 120, 5)
DATA = jpeg(RGB, 90)
STRAY = bytes(range(1, 40))


def place(marker: bytes, data: bytes = DATA) -> int:
    return data.index(marker)


def put(at: int, *extra: bytes, skip: int = 0) -> bytes:
    return DATA[:at] + b"".join(extra) + DATA[at + skip :]


def segment(marker: int, body: bytes) -> bytes:
    return b"\xff" + bytes([marker]) + struct.pack(">H", len(body) + 2) + body


_SCAN = (
    place(b"\xff\xda")
    + 2
    + int.from_bytes(DATA[place(b"\xff\xda") + 2 : place(b"\xff\xda") + 4], "big")
)
ODD = {
    "scan parameters": put(_SCAN - 3, b"\0\0\0", skip=3),
    "JFIF version": put(place(b"JFIF") + 5, b"\5\1", skip=2),
    "stray bytes in the header": put(place(b"\xff\xdb"), STRAY),
    "stray bytes before the end": put(len(DATA) - 2, STRAY),
    "zeros before the end": put(len(DATA) - 2, bytes(4000)),
    "Adobe transform": put(2, segment(0xEE, b"Adobe\0\x64\0\0\0\0\7")),
    "repeated profile": put(2, *[segment(0xE2, b"ICC_PROFILE\0\1\1" + bytes(200))] * 2),
    "a marker without a length": put(place(b"\xff\xdb"), b"\xff\x01\xff\xd0"),
    "fill bytes": put(place(b"\xff\xdb"), b"\xff\xff\xff"),
    "trailer": DATA + STRAY * 100,
    "long comments": put(2, *[segment(0xFE, bytes(65_533))] * 3),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_header_keeps_its_pixels(name: str) -> None:
    found = good(ODD[name])
    assert np.array_equal(found.rgb, simplejpeg.decode_jpeg(DATA))


@pytest.mark.parametrize("name", ["scan parameters", "JFIF version", "stray bytes before the end"])
def test_what_is_odd_is_told(name: str) -> None:
    assert name in good(ODD[name]).note


@pytest.mark.parametrize("name", ODD)
def test_a_loader_reads_odd_files_too(name: str) -> None:
    opened = open_image(ODD[name], np.zeros(RGB.size, np.uint8))
    assert isinstance(opened, Opened) and opened.decode() is None
    assert np.array_equal(opened.pixels, simplejpeg.decode_jpeg(DATA))


def test_all_oddities_at_once() -> None:
    data = DATA[:-2] + STRAY + DATA[-2:] + STRAY
    for name, at, new in (("JFIF", 5, b"\5\1"),):
        start = data.index(name.encode()) + at
        data = data[:start] + new + data[start + len(new) :]
    dqt = data.index(b"\xff\xdb")
    data = data[:dqt] + STRAY + data[dqt:]
    assert np.array_equal(good(data).rgb, simplejpeg.decode_jpeg(DATA))


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0"])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("quality", [40, 75, 97])
def test_stray_bytes_before_the_end_of_any_encoding(
    subsampling: str, progressive: bool, quality: int
) -> None:
    image = Image.fromarray(RGB)
    data = saved(image, "JPEG", quality=quality, subsampling=subsampling, progressive=progressive)
    found = good(data[:-2] + STRAY + data[-2:])
    assert np.array_equal(found.rgb, good(data).rgb)


def test_damage_is_seldom_taken_for_stray_bytes() -> None:
    """Of garbled scans that the decoder finds too short, few end where ones fill up a byte."""
    rng = np.random.default_rng(0)
    data = jpeg(scene(600, 400, 1), 90)
    start, kept, total = data.index(b"\xff\xda") + 14, 0, 150
    for _ in range(total):
        bad = bytearray(data)
        at = int(rng.integers(start, len(bad) - 60))
        bad[at : at + 40] = rng.integers(0, 256, 40, np.uint8).tobytes()
        found = decode(bytes(bad))
        kept += isinstance(found, Decoded) and bool(found.note)
    assert kept <= total // 12


def test_a_sector_of_zeros_is_damage() -> None:
    data = jpeg(scene(600, 400, 1), 90)
    start = data.index(b"\xff\xda") + 14
    for at in range(start, len(data) - 600, (len(data) - start) // 40):
        bad = data[:at] + bytes(512) + data[at + 512 :]
        found = decode(bad)
        assert isinstance(found, Fault) or not found.note


@pytest.mark.parametrize(
    "bad",
    [
        DATA[:-2],
        DATA[: len(DATA) // 2],
        DATA[: len(DATA) // 2] + b"\xff\xd9",
        DATA[: len(DATA) // 2] + bytes(len(DATA) - len(DATA) // 2 - 2) + b"\xff\xd9",
        put(place(b"\xff\xc4") + 4, bytes(60), skip=60),
        DATA[: place(b"\xff\xda")] + DATA[-2:],
    ],
)
def test_damaged_data_are_refused(bad: bytes) -> None:
    assert slug(bad) in ("truncated", "corrupt")


def test_scans_are_counted_up_to_the_end_mark() -> None:
    data = saved(Image.fromarray(RGB), "JPEG", progressive=True)
    trailer = b"\xff\xda\0\x08" * 50_000
    assert np.array_equal(good(data + trailer).rgb, good(data).rgb)
    preview = segment(0xE1, b"\xff\xda\0\x08" * 5_000)
    assert np.array_equal(good(data[:2] + preview + data[2:]).rgb, good(data).rgb)


def hiding(width: int, height: int, marker: bytes) -> bytes:
    """A progressive header of this size, in what is no segment; then a small picture."""
    data = saved(Image.new("RGB", (64, 64)), "JPEG", progressive=True)
    at = data.index(b"\xff\xc2") + 5
    large = data[:at] + struct.pack(">HH", height, width) + data[at + 4 : -2]
    # Whoever takes the marker for a segment goes on behind it.
    hidden = (marker + large[2:]).ljust(2 + int.from_bytes(large[2:4], "big"), b"\0")
    return b"\xff\xd8" + hidden + DATA[2:]


@pytest.mark.parametrize("marker", [b"\xff\x01", b"\xff\xd0", b"\xff\xd7"])
def test_a_marker_without_a_length_hides_no_size(marker: bytes) -> None:
    data = hiding(30_000, 30_000, marker)
    assert slug(data) == "too_many_pixels"
    opened = open_image(data, np.zeros(RGB.size, np.uint8))
    assert isinstance(opened, Fault) and opened.slug == "too_many_pixels"


def test_a_size_that_the_decoder_reads_in_another_way_is_refused() -> None:
    with pytest.raises(Refused, match="the decoder finds"):
        decode_strictly(DATA, "RGB", (RGB.shape[0], RGB.shape[1] + 1))


def test_a_sampling_without_a_name_is_read() -> None:
    grey = saved(Image.new("RGB", (64, 64), (90, 90, 90)), "JPEG", subsampling="4:2:0")
    at = grey.index(b"\xff\xc0") + 11
    # Colours four times as high as luma has them; of one colour all blocks are alike.
    assert (good(grey[:at] + b"\x14" + grey[at + 1 :]).rgb == 90).all()


def test_a_marker_without_a_length_hides_no_scans() -> None:
    data = saved(Image.fromarray(RGB), "JPEG", progressive=True)
    first = data.index(b"\xff\xda")
    at = data.index(b"\xff\xc4", first)
    assert count_scans(data[:at] + b"\xff\x01" + data[at:]) == count_scans(data) > 1


def scans_apart(wanted: int, again: int = 1) -> bytes:
    """A baseline picture whose colours come one after the other, with so many of its scans.

    All of them may come again.
    """
    grey = saved(Image.fromarray(RGB).convert("L"), "JPEG", quality=90)
    start = grey.index(b"\xff\xda")
    frame = grey.index(b"\xff\xc0")
    size = grey[frame + 5 : frame + 9]
    sof = segment(0xC0, b"\x08" + size + b"\3\1\x11\0\2\x11\0\3\x11\0")
    body = grey[start + 10 : -2]
    parts = [segment(0xDA, bytes([1, n, 0, 0, 63, 0])) + body for n in range(1, wanted + 1)]
    end = frame + 2 + int.from_bytes(grey[frame + 2 : frame + 4], "big")
    return grey[:frame] + sof + grey[end:start] + b"".join(parts * again) + b"\xff\xd9"


def test_colours_one_after_the_other_have_the_limits_of_passes() -> None:
    assert slug(scans_apart(3, again=40)) == "too_many_scans"
    # The coefficients of three components besides the pixels.
    assert slug(scans_apart(3), Limits(max_bytes=10 * RGB.size // 3)) == "too_much_memory"


def test_a_scan_that_never_came_is_missed() -> None:
    assert good(scans_apart(3)).rgb.shape == RGB.shape
    assert [slug(scans_apart(n)) for n in (1, 2)] == ["truncated", "truncated"]


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
def test_a_progressive_picture_has_all_its_passes(mode: str) -> None:
    picture = Image.fromarray(RGB).convert(mode)
    data = saved(picture, "JPEG", progressive=True)
    scans = [at for at in range(len(data)) if data[at : at + 2] == b"\xff\xda"]
    assert isinstance(decode(data), Decoded) and len(scans) > 5
    for before, scan in zip(scans, scans[1:], strict=False):
        # Tables of the next pass stand before it.
        end = data.find(b"\xff\xc4", before, scan)
        cut = data[: scan if end < 0 else end] + b"\xff\xd9"
        assert slug(cut) == "truncated"
        opened = open_image(cut, np.zeros(RGB.size, np.uint8))
        assert isinstance(opened, Fault) and opened.slug == "truncated"


def test_a_rare_subsampling_is_a_variant() -> None:
    at = place(b"\xff\xc0") + 11
    assert slug(put(at, b"\x42", skip=1)) == "unsupported_format"


def test_a_height_that_comes_later_is_a_variant() -> None:
    at = place(b"\xff\xc0")
    assert slug(put(at + 5, b"\0\0", skip=2)) == "unsupported_format"


def raw_profile(exif: bytes) -> str:
    digits = exif.hex()
    lines = "\n".join(digits[at : at + 72] for at in range(0, len(digits), 72))
    return f"\nexif\n{len(exif):8d}\n{lines}\n"


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("head", [b"", b"Exif\0\0"])
def test_orientation_in_a_text_of_a_png(packed: bool, head: bytes) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    texts = PngImagePlugin.PngInfo()
    block = head + exif.tobytes().removeprefix(b"Exif\0\0")
    texts.add_text("Raw profile type exif", raw_profile(block), zip=packed)
    found = good(saved(Image.fromarray(RGB), "PNG", pnginfo=texts))
    assert np.array_equal(found.rgb, np.rot90(RGB, -1))


@pytest.mark.parametrize("packed", [False, True])
def test_of_such_texts_the_first_alone_is_looked_at(packed: bool) -> None:
    exif = Image.Exif()
    exif[0x112] = 6
    # As much as fits into a JPEG.
    turned = raw_profile(exif.tobytes().ljust(65_500, b"\0"))
    for first, others, turns in (("x " * 100, turned, 0), (turned, "x " * 100, -1)):
        texts = PngImagePlugin.PngInfo()
        for text in (first, others):
            texts.add_text("Raw profile type exif", text, zip=packed)
        found = good(saved(Image.fromarray(RGB), "PNG", pnginfo=texts))
        assert np.array_equal(found.rgb, np.rot90(RGB, turns))


def test_a_wrong_checksum_of_a_text_is_no_damage() -> None:
    def chunk(kind: bytes, body: bytes, wrong: int = 0) -> bytes:
        crc = zlib.crc32(kind + body) ^ wrong
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    data = saved(Image.fromarray(RGB), "PNG")
    found = good(data[:33] + chunk(b"tEXt", b"a\0b", wrong=1) + data[33:])
    assert np.array_equal(found.rgb, RGB) and "tEXt" in found.note
    assert slug(data[:33] + chunk(b"tRNS", b"\0\0\0\0\0\0", wrong=1) + data[33:]) == "corrupt"
