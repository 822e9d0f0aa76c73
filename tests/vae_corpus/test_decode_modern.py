"""AVIF, HEIC and JPEG XL are pictures."""

from __future__ import annotations

import importlib.util
import io
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.pictures import scene
from tests.vae_corpus.decoding import good
from vae_corpus.pictures import decode as door
from vae_corpus.pictures.decode import Fault, Limits, decode
from vae_corpus.pictures.decode.jxl import read_jxl_header

RGB = scene(128, 96, 2)


def avif(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "AVIF", quality=100, subsampling="4:4:4", **options)
    return file.getvalue()


def heic(rgb: Any) -> bytes:
    pillow_heif = pytest.importorskip("pillow_heif")
    file = io.BytesIO()
    pillow_heif.from_pillow(Image.fromarray(rgb)).save(file, quality=-1, chroma=444)
    return file.getvalue()


def jxl(image: Image.Image, **options: Any) -> bytes:
    pytest.importorskip("pillow_jxl")
    from pillow_jxl import JpegXLImagePlugin  # noqa: F401

    file = io.BytesIO()
    image.save(file, "JXL", lossless=True, **options)
    return file.getvalue()


def fault(data: bytes, limits: Limits | None = None) -> tuple[str, str]:
    found = decode(data, limits)
    assert isinstance(found, Fault), "decoded"
    return found.slug, found.why


def test_avif() -> None:
    found = good(avif(Image.fromarray(RGB)))
    assert found.format == "avif"
    assert np.abs(found.rgb.astype(int) - RGB).mean() < 2


def test_heic() -> None:
    found = good(heic(RGB))
    assert found.format == "heic"
    assert np.abs(found.rgb.astype(int) - RGB).mean() < 2


@pytest.mark.parametrize("container", [False, True])
def test_jpeg_xl(container: bool) -> None:
    found = good(jxl(Image.fromarray(RGB), use_container=container))
    assert found.format == "jxl" and np.array_equal(found.rgb, RGB)


@pytest.mark.parametrize("size", [(1, 1), (96, 128), (255, 40), (400, 300), (513, 512)])
def test_jpeg_xl_tells_its_size_first(size: tuple[int, int]) -> None:
    header = read_jxl_header(jxl(Image.new("RGB", size)))
    assert (header.width, header.height, header.animated) == (*size, False)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_avif_is_turned_upright(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x112] = orientation
    plain = good(avif(Image.fromarray(RGB))).rgb
    found = good(avif(Image.fromarray(RGB), exif=exif)).rgb
    right = door.pixels.upright(plain, orientation)  # type: ignore[attr-defined]
    assert np.array_equal(found, right)


def test_alpha_is_laid_on_white() -> None:
    layer = np.dstack([RGB, np.zeros(RGB.shape[:2], np.uint8)])
    assert (good(avif(Image.fromarray(layer))).rgb == 255).all()


def test_several_frames_are_animated() -> None:
    frames = [Image.fromarray(scene(64, 64, n)) for n in range(3)]
    assert fault(avif(frames[0], save_all=True, append_images=frames[1:]))[0] == "animated"


@pytest.mark.parametrize("make", [lambda: avif(Image.fromarray(RGB)), lambda: heic(RGB)])
def test_a_cut_file_is_truncated(make: Any) -> None:
    data = make()
    assert {fault(data[:size])[0] for size in (len(data) - 1, len(data) // 2)} == {"truncated"}


def test_a_cut_jpeg_xl_is_refused() -> None:
    data = jxl(Image.fromarray(RGB))
    slugs = {fault(data[:size])[0] for size in (20, len(data) // 2, len(data) - 10)}
    assert slugs <= {"truncated", "corrupt"}


def test_limits_come_before_the_pixels() -> None:
    few = Limits(max_pixels=100)
    for data in (avif(Image.fromarray(RGB)), heic(RGB), jxl(Image.fromarray(RGB))):
        assert fault(data, few)[0] == "too_many_pixels"


@pytest.mark.parametrize(("package", "make"), [("pillow_heif", heic), ("pillow_jxl", jxl)])
def test_a_missing_package_is_named(
    package: str, make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = make(RGB if package == "pillow_heif" else Image.fromarray(RGB))
    monkeypatch.setitem(sys.modules, package, None)
    slug, why = fault(data)
    assert slug == "unsupported_format" and "vae-corpus[formats]" in why


def test_what_can_be_read_here_is_part_of_every_score() -> None:
    names = ("pillow_heif", "pillow_jxl", "PIL._avif")
    have = [importlib.util.find_spec(name) is not None for name in names]
    assert len(door.optional_formats()) == sum(have)
