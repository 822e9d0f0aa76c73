"""Pixels mean sRGB: profiles, chunks, code points and marks that say otherwise are honoured."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from tests.pictures import Rgb, scene
from tests.vae_corpus.decoding import good, saved
from vae_corpus.pictures.decode import Decoded, DecodedLuma, Fault, decode, decode_luma, to_luma
from vae_corpus.pictures.decode.icc import (
    ADOBE_RGB,
    SRGB_PRIMARIES,
    Described,
    code_points,
    make_profile,
)

RGB = scene(96, 64, 3)
P3 = code_points(12, 13)
PROPHOTO = Described(
    "ProPhoto", (0.7347, 0.2653, 0.1596, 0.8404, 0.0366, 0.0001, 0.3457, 0.3585), 1.8
)
SRGB = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))


def icc(described: Described | None) -> bytes:
    assert described is not None
    return make_profile(described)


def converted(profile: bytes, image: Image.Image) -> Rgb:
    """What LittleCMS makes of the stored numbers."""
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    to_rgb = ImageCms.buildTransform(source, SRGB, image.mode, "RGB")
    return np.asarray(ImageCms.applyTransform(image, to_rgb))


def distance(a: Rgb, b: Rgb) -> float:
    return float(np.abs(a.astype(int) - b).mean())


def grey_profile(gamma: float) -> bytes:
    """A version 2 grey profile with a plain gamma."""
    d50 = struct.pack(">3i", 63190, 65536, 54061)
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", 5) + b"grey\0" + bytes(78),
        b"wtpt": b"XYZ \0\0\0\0" + d50,
        b"kTRC": b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0",
    }
    at, table, body = 132 + 12 * len(tags), struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        table += name + struct.pack(">II", at + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    head = struct.pack(">II", at + len(body), 0) + b"\2\0\0\0mntrGRAYXYZ "
    head += bytes(12) + b"acsp" + bytes(28) + d50
    return head.ljust(128, b"\0") + table + body


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("space", [ADOBE_RGB, P3, PROPHOTO])
def test_a_profile_is_honoured_in_every_format(form: str, space: Described) -> None:
    lossless = {"WEBP": {"lossless": True}, "AVIF": {"quality": 100, "subsampling": "4:4:4"}}
    data = saved(RGB, form, icc_profile=icc(space), **lossless.get(form, {"quality": 95}))
    plain = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    found = good(data)
    assert distance(found.rgb, converted(icc(space), Image.fromarray(plain))) < 0.5
    assert distance(found.rgb, plain) > 2
    assert found.colour_converted and found.colour_space == space.name


def test_adobe_rgb_reads_as_the_colour_that_was_meant() -> None:
    stored = np.full((64, 64, 3), (173, 62, 45), np.uint8)
    found = good(saved(stored, "PNG", icc_profile=icc(ADOBE_RGB)))
    assert np.abs(found.rgb.astype(int) - (200, 60, 40)).max() <= 1


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
@pytest.mark.parametrize(
    "profile",
    [
        SRGB.tobytes(),
        make_profile(Described("sRGB built-in", SRGB_PRIMARIES, None)),
        # Tables instead of a formula, and a name that says nothing.
        make_profile(Described("c2", (0.6401, 0.33, 0.3, 0.6001, 0.15, 0.06, 0.3127, 0.329), None)),
    ],
)
def test_srgb_by_any_name_is_untouched(form: str, profile: bytes) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    plain = good(saved(RGB, form, **options))
    found = good(saved(RGB, form, icc_profile=profile, **options))
    assert np.array_equal(found.rgb, plain.rgb)
    assert (found.colour_space, found.colour_converted, found.note) == ("srgb", False, "")


def test_luma_and_blue_first_are_those_of_the_converted_picture() -> None:
    data = saved(RGB, "JPEG", icc_profile=icc(PROPHOTO))
    rgb, luma, bgr = good(data).rgb, decode_luma(data), decode(data, bgr=True)
    assert isinstance(luma, DecodedLuma) and np.array_equal(luma.luma, to_luma(rgb))
    assert isinstance(bgr, Decoded) and np.array_equal(bgr.rgb[:, :, ::-1], rgb)


def test_grey_profiles() -> None:
    image = Image.fromarray(RGB).convert("L")
    for form in ("JPEG", "PNG", "TIFF"):
        found = good(saved(image, form, icc_profile=grey_profile(1.0)))
        plain = good(saved(image, form)).rgb
        right = converted(grey_profile(1.0), Image.fromarray(plain[:, :, 0].copy()))
        assert distance(found.rgb, right) < 0.5 and found.colour_converted


def test_grey_with_the_profile_of_srgb_is_grey() -> None:
    found = good(saved(Image.fromarray(RGB).convert("L"), "JPEG", icc_profile=SRGB.tobytes()))
    assert (found.colour_space, found.note) == ("srgb", "")


def test_ink_is_always_converted() -> None:
    found = good(saved(Image.fromarray(RGB).convert("CMYK"), "JPEG", quality=95))
    assert found.colour_space == "cmyk" and found.colour_converted
    assert distance(found.rgb, RGB) < 4


def test_lab_is_converted() -> None:
    lab = ImageCms.applyTransform(
        Image.fromarray(RGB),
        ImageCms.buildTransform(SRGB, ImageCms.createProfile("LAB"), "RGB", "LAB"),
    )
    assert lab is not None
    found = good(saved(lab, "TIFF"))
    assert found.colour_space == "lab" and distance(found.rgb, RGB) < 4


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (icc(P3)[:200], "200 of"),
        (b"no profile at all" * 20, "bytes"),
        (icc(P3)[:128] + bytes(400), ""),
        (icc(P3).replace(b"mntrRGB ", b"mntrCMYK"), "CMYK"),
        (icc(P3).replace(b"mntr", b"link"), "link"),
    ],
)
@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_a_broken_profile_leaves_the_numbers_and_says_so(
    form: str, profile: bytes, said: str
) -> None:
    options = {"lossless": True} if form == "WEBP" else {}
    found = good(saved(RGB, form, icc_profile=profile, **options))
    assert np.array_equal(found.rgb, good(saved(RGB, form, **options)).rgb)
    assert found.colour_space == "broken" and not found.colour_converted
    assert "profile" in found.note and said in found.note


def segments(parts: dict[int, bytes], count: int) -> bytes:
    """A JPEG with a profile in numbered segments."""
    data = saved(RGB, "JPEG")
    packed = b""
    for number, part in parts.items():
        body = b"ICC_PROFILE\0" + bytes([number, count]) + part
        packed += b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body
    return data[:2] + packed + data[2:]


def test_a_profile_in_several_segments() -> None:
    profile = icc(P3)
    third = len(profile) // 3
    parts = {1: profile[:third], 2: profile[third : 2 * third], 3: profile[2 * third :]}
    right = good(saved(RGB, "JPEG", icc_profile=profile)).rgb
    turned = {number: parts[number] for number in (3, 1, 2)}
    for given in (parts, turned):
        assert np.array_equal(good(segments(given, 3)).rgb, right)
    lost = good(segments({1: parts[1], 3: parts[3]}, 3))
    assert lost.colour_space == "broken" and "part 2 of 3" in lost.note


def with_chunks(*chunks: tuple[bytes, bytes], picture: Rgb | Image.Image = RGB) -> bytes:
    data = saved(picture, "PNG")
    packed = b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )
    return data[:33] + packed + data[33:]


def chrm(described: Described) -> bytes:
    *primaries, x, y = described.primaries
    return struct.pack(">8I", *(round(v * 1e5) for v in (x, y, *primaries)))


GAMMA = (b"gAMA", struct.pack(">I", round(1e5 / ADOBE_RGB.gamma)))  # type: ignore[operator]
ADOBE_CHUNKS = (GAMMA, (b"cHRM", chrm(ADOBE_RGB)))


def test_png_gamma_and_chromaticities() -> None:
    found = good(with_chunks(*ADOBE_CHUNKS))
    right = converted(icc(ADOBE_RGB), Image.fromarray(RGB))
    assert distance(found.rgb, right) < 0.5 and found.colour_converted


def test_png_gamma_of_srgb_is_srgb() -> None:
    srgb = Described("", SRGB_PRIMARIES, 2.2)
    found = good(with_chunks((b"gAMA", struct.pack(">I", 45455)), (b"cHRM", chrm(srgb))))
    assert np.array_equal(found.rgb, RGB) and not found.colour_converted


def test_png_gamma_of_a_grey_picture() -> None:
    grey = Image.fromarray(RGB).convert("L")
    found = good(with_chunks((b"gAMA", struct.pack(">I", 100_000)), picture=grey))
    # Linear light of half the range is 188 of 255 in sRGB.
    middle = np.asarray(grey) == 128
    assert found.colour_converted
    assert not middle.any() or abs(int(found.rgb[middle][0, 0]) - 188) <= 1
    assert found.rgb.mean() > np.asarray(grey).mean() + 20


def test_png_chunks_in_their_order_of_precedence() -> None:
    srgb_wins = good(with_chunks((b"sRGB", b"\0"), *ADOBE_CHUNKS))
    assert np.array_equal(srgb_wins.rgb, RGB)
    cicp_wins = good(with_chunks((b"cICP", bytes([12, 13, 0, 1])), (b"sRGB", b"\0")))
    assert cicp_wins.colour_space == "Display P3"
    assert distance(cicp_wins.rgb, converted(icc(P3), Image.fromarray(RGB))) < 0.5


@pytest.mark.parametrize("curve", [16, 18])
def test_hdr_is_refused_by_name(curve: int) -> None:
    found = decode(with_chunks((b"cICP", bytes([9, curve, 0, 1]))))
    assert isinstance(found, Fault) and found.slug == "unsupported_format" and "HDR" in found.why


def test_avif_code_points() -> None:
    data = saved(RGB, "AVIF", quality=100, subsampling="4:4:4")
    at = data.index(b"nclx")
    p3 = data[: at + 4] + struct.pack(">HH", 12, 13) + data[at + 8 :]
    plain = good(data)
    found = good(p3)
    assert found.colour_space == "Display P3" and not plain.colour_converted
    assert distance(found.rgb, converted(icc(P3), Image.fromarray(plain.rgb))) < 0.5
    hdr = decode(data[: at + 4] + struct.pack(">HH", 9, 16) + data[at + 8 :])
    assert isinstance(hdr, Fault) and hdr.slug == "unsupported_format"


def exif(space: int, index: bytes) -> bytes:
    """EXIF with a colour space and an interoperability index, as cameras write them."""
    first = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    second = struct.pack("<HHHIHHHHIII", 2, 0xA001, 3, 1, space, 0, 0xA005, 4, 1, 56, 0)
    third = struct.pack("<HHHI", 1, 1, 2, 4) + index + struct.pack("<I", 0)
    return b"Exif\0\0II*\0\x08\0\0\0" + first + second + third


def test_a_camera_may_say_adobe_rgb_in_exif_alone() -> None:
    right = good(saved(RGB, "JPEG", icc_profile=icc(ADOBE_RGB))).rgb
    found = good(saved(RGB, "JPEG", exif=exif(0xFFFF, b"R03\0")))
    assert found.colour_space == "Adobe RGB (1998)" and np.array_equal(found.rgb, right)
    for space, index in ((1, b"R03\0"), (0xFFFF, b"R98\0"), (1, b"R98\0")):
        assert not good(saved(RGB, "JPEG", exif=exif(space, index))).colour_converted


def test_alpha_is_laid_on_white_after_the_conversion() -> None:
    layer = np.dstack([RGB, np.full(RGB.shape[:2], 128, np.uint8)])
    found = good(saved(Image.fromarray(layer), "PNG", icc_profile=icc(PROPHOTO))).rgb
    right = converted(icc(PROPHOTO), Image.fromarray(RGB)).astype(int) * 128 / 255 + 127
    assert np.abs(found - right).max() <= 2
