"""Colour that is declared without a profile: PNG chunks, AVIF's nclx, and high dynamic range."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import numpy as np

from odd_files_set import icc, png
from odd_files_set.case import Odd, Painter, Rgb, read, saved

_odd = functools.partial(Odd, group="colour")
_SPEC = "own arithmetic of what the chunks say (PNG third edition, 4.3 and 11.3.2)"
_PLAIN = "the numbers as they stand"


def cases(paint: Painter) -> Iterator[Odd]:
    srgb = (b"sRGB", b"\0")
    adobe = png.chrm(icc.ADOBE.white, icc.ADOBE.primaries)
    p3 = png.chrm(icc.P3.white, icc.P3.primaries)
    same = png.chrm((0.3127, 0.329), ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06)))
    g22 = png.gama(1 / 2.2)
    untouched = {
        "png-srgb": [srgb],
        "png-srgb-gama-chrm": [srgb, g22, same],
        "png-gama-srgb-like": [g22],
        "png-gama-chrm-srgb-like": [g22, same],
        "png-srgb-over-other-chrm": [srgb, png.gama(1.0), p3],
        "png-cicp-709": [png.cicp(1, 13)],
    }
    for name, chunks in untouched.items():
        rgb = paint.picture()
        data = png.png(rgb, before=chunks)
        # Gamma 2.2 is taken for sRGB's own curve by all browsers; by the letter it differs a bit.
        loose = "gama" in name and "srgb-gama" not in name
        right = (rgb, _by_gamma(rgb, 2.2)) if loose else (rgb,)
        yield _odd(
            name=f"{name}.png",
            data=data,
            right=right,
            levels=None if loose else 0,
            reference=_PLAIN,
        )
    declared = {
        "png-gama-chrm-adobergb": ([png.gama(1 / 2.19921875), adobe], icc.ADOBE),
        "png-gama-linear": ([png.gama(1.0)], icc.LINEAR),
        "png-gama-chrm-p3-linear": ([png.gama(1.0), p3], icc.P3_LINEAR),
        "png-cicp-p3": ([png.cicp(12, 13)], icc.P3),
        "png-cicp-p3-over-iccp": ([png.cicp(12, 13), png.iccp(icc.PROPHOTO.profile())], icc.P3),
        "png-iccp-over-gama": ([png.gama(1.0), p3, png.iccp(icc.ADOBE.profile())], icc.ADOBE),
        "png-cicp-linear": ([png.cicp(1, 8)], icc.LINEAR),
    }
    for name, (chunks, space) in declared.items():
        rgb = paint.picture()
        data = png.png(rgb, before=chunks)
        yield _odd(name=f"{name}.png", data=data, right=(space.to_srgb(rgb),), reference=_SPEC)
    rgb = paint.picture()
    right = _by_gamma(rgb, 1.8)
    data = png.png(rgb, before=[png.gama(1 / 1.8)])
    yield _odd(name="png-gama-18.png", data=data, right=(right,), reference=_SPEC)
    rgb = paint.picture()
    right = icc.srgb_of(icc.srgb_decode(rgb / 255) @ icc.P3.matrix.T)
    yield _odd(
        name="png-chrm-only-p3.png",
        data=png.png(rgb, before=[p3]),
        right=(right, rgb),
        reference=_SPEC,
        why="primaries without a curve: browsers ignore them",
    )
    rgb = paint.picture()
    yield _odd(
        name="png-gama-0.png",
        data=png.png(rgb, before=[png.gama(0)]),
        right=(rgb,),
        levels=0,
        reference=f"{_PLAIN}: a gamma of 0 is an error that the standard says to ignore",
    )
    for name, transfer, encode in (("pq", 16, _pq), ("hlg", 18, _hlg)):
        rgb = paint.picture()
        data = png.png(encode(rgb), 16, before=[png.cicp(9, transfer)])
        yield _hdr(f"png-cicp-{name}.png", data, rgb)
        image = np.asarray(np.rint(encode(paint.picture()) / 257), np.uint8)
        data = _nclx(saved(image, "AVIF", quality=95, subsampling="4:4:4"), 9, transfer)
        yield _odd(
            name=f"avif-nclx-{name}.avif",
            data=data,
            says=("unsupported_format",),
            reference="none",
            why="high dynamic range has no one right rendering: not to be kept as plain numbers",
        )
    for name, primaries, transfer, space in (
        ("avif-nclx-p3", 12, 13, icc.P3),
        ("avif-nclx-linear", 1, 8, icc.LINEAR),
        ("avif-nclx-p3-linear", 12, 8, icc.P3_LINEAR),
    ):
        data = saved(paint.picture(), "AVIF", quality=92, subsampling="4:4:4")
        right = space.to_srgb(read(data))
        yield _odd(
            name=f"{name}.avif",
            data=_nclx(data, primaries, transfer),
            right=(right,),
            most=1.5,
            reference="own arithmetic of ITU-T H.273 code points",
        )
    for name, codes in (("srgb", (1, 13)), ("bt709", (1, 1)), ("unspecified", (2, 2))):
        data = saved(paint.picture(), "AVIF", quality=92, subsampling="4:4:4")
        data = _nclx(data, *codes)
        yield _odd(
            name=f"avif-nclx-{name}.avif",
            data=data,
            right=(read(data),),
            most=1.5,
            reference=f"{_PLAIN}, as browsers take all three for sRGB",
        )
    for space in (icc.ADOBE, icc.P3):
        data = saved(paint.picture(), "AVIF", quality=92, icc_profile=space.profile())
        yield _odd(
            name=f"avif-icc-{space.name}.avif",
            data=data,
            right=(space.to_srgb(read(data)),),
            most=1.5,
            reference="own arithmetic (ICC.1)",
        )


def _hdr(name: str, data: bytes, rgb: Rgb) -> Odd:
    return Odd(
        name=name,
        group="colour",
        data=data,
        right=(rgb,),
        says=("unsupported_format",),
        most=5,
        reference="the sRGB picture that was put at 203 cd/m2 (ITU-R BT.2408)",
        why="high dynamic range has no one right rendering, but this one holds no highlights",
    )


def _by_gamma(rgb: Rgb, gamma: float) -> Rgb:
    return np.asarray(np.rint(icc.srgb_encode((rgb / 255) ** gamma) * 255), np.uint8)


def _light_2020(rgb: Rgb) -> np.ndarray:
    linear = icc.srgb_decode(rgb / 255)
    to_2020 = np.linalg.inv(icc.REC2020.matrix) @ icc.LINEAR.matrix
    return np.clip(linear @ to_2020.T, 0, 1)


def _pq(rgb: Rgb) -> np.ndarray:
    """uint16: SMPTE ST 2084 with white at 203 cd/m2."""
    y = (_light_2020(rgb) * 203 / 10000) ** 0.1593017578125
    coded = ((0.8359375 + 18.8515625 * y) / (1 + 18.6875 * y)) ** 78.84375
    return np.asarray(np.rint(coded * 65535), np.uint16)


def _hlg(rgb: Rgb) -> np.ndarray:
    """uint16: ARIB STD-B67 with white at 75 %."""
    light = _light_2020(rgb)
    # The display applies a system gamma of 1.2 to luminance; 203 of 1000 cd/m2 is white.
    luma = np.maximum(light @ np.array([0.2627, 0.678, 0.0593]), 1e-6)[..., None] * 0.203
    scene = light * 0.203 * luma ** (1 / 1.2 - 1)
    a, b, c = 0.17883277, 0.28466892, 0.55991073
    low = np.sqrt(3 * scene)
    high = a * np.log(np.maximum(12 * scene - b, 1e-9)) + c
    return np.asarray(
        np.rint(np.clip(np.where(scene <= 1 / 12, low, high), 0, 1) * 65535), np.uint16
    )


def _nclx(data: bytes, primaries: int, transfer: int) -> bytes:
    """Other code points in the box that goes before those of the coded pictures."""
    at = data.index(b"colrnclx") + 8
    return data[:at] + bytes([0, primaries, 0, transfer]) + data[at + 4 :]
