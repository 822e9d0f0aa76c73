"""Files whose numbers are not sRGB, or only seem not to be: profiles, chunks, tags, inks."""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image, ImageCms

from odd_files_set import icc, jpg, png, tiff
from odd_files_set.case import Odd, Painter, Rgb, as_rgb, jpeg, on_white, read, saved

_odd = functools.partial(Odd, group="colour")
_OURS = "own arithmetic (ICC.1 matrix and curve, D50, clipped); LittleCMS agrees to 1 level"
_PLAIN = "the numbers as they stand"
_BROKEN = f"{_PLAIN}: a broken or unfit profile says nothing"


def cases(paint: Painter) -> Iterator[Odd]:
    yield from _primaries(paint)
    yield from _tables(paint)
    yield from _grey(paint)
    yield from _inks(paint)
    yield from _split(paint)
    yield from _broken(paint)
    yield from _srgb(paint)


def _with(data: bytes, *segments: bytes) -> bytes:
    return jpg.after_soi(data, *segments)


def _primaries(paint: Painter) -> Iterator[Odd]:
    spaces = (icc.ADOBE, icc.P3, icc.P3_TABLE, icc.PROPHOTO, icc.REC2020, icc.LINEAR, icc.APPLE)
    for space in spaces:
        data = jpeg(paint.picture(), icc_profile=space.profile())
        right = space.to_srgb(read(data))
        yield _odd(name=f"{space.name}.jpg", data=data, right=(right,), reference=_OURS)
    data = jpeg(paint.picture(), icc_profile=icc.ADOBE.profile(), progressive=True, subsampling=2)
    right = icc.ADOBE.to_srgb(read(data))
    yield _odd(name="adobergb-420-progressive.jpg", data=data, right=(right,), reference=_OURS)
    for space in (icc.ADOBE, icc.PROPHOTO):
        rgb = paint.picture()
        data = png.png(rgb, before=[png.iccp(space.profile())])
        right = space.to_srgb(rgb)
        yield _odd(name=f"{space.name}.png", data=data, right=(right,), reference=_OURS)
    for space in (icc.LINEAR, icc.PROPHOTO):
        wide = _sixteen(paint)
        data = png.png(wide, 16, before=[png.iccp(space.profile())])
        right = space.to_srgb(wide, 65535)
        yield _odd(name=f"{space.name}-16.png", data=data, right=(right,), reference=_OURS)
    rgb = paint.picture()
    alpha = paint.alpha(rgb)
    both = np.dstack([rgb, alpha])
    right = on_white(icc.P3.to_srgb(rgb), alpha)
    data = png.png(both, 8, png.RGB_ALPHA, before=[png.iccp(icc.P3.profile())])
    how = f"{_OURS}, then on white"
    yield _odd(name="display-p3-alpha.png", data=data, right=(right,), reference=how)
    index, palette = paint.flat(40)
    data = png.png(index, 8, png.PALETTE, palette=palette, before=[png.iccp(icc.ADOBE.profile())])
    right = icc.ADOBE.to_srgb(palette[index])
    yield _odd(name="adobergb-palette.png", data=data, right=(right,), reference=_OURS)
    for name, space, options in (
        ("display-p3-lossy.webp", icc.P3, {"quality": 90}),
        ("adobergb-lossless.webp", icc.ADOBE, {"lossless": True}),
    ):
        data = saved(paint.picture(), "WEBP", icc_profile=space.profile(), **options)
        yield _odd(name=name, data=data, right=(space.to_srgb(read(data)),), reference=_OURS)
    rgb = paint.picture()
    alpha = paint.alpha(rgb)
    both = np.dstack([rgb, alpha])
    data = saved(both, "WEBP", icc_profile=icc.P3.profile(), lossless=True, exact=True)
    right = on_white(icc.P3.to_srgb(rgb), alpha)
    yield _odd(name="display-p3-alpha.webp", data=data, right=(right,), reference=_OURS)
    rgb = paint.picture()
    data = tiff.tiff(tiff.page(rgb, tiff.RGB, profile=icc.ADOBE.profile()))
    yield _odd(name="adobergb.tif", data=data, right=(icc.ADOBE.to_srgb(rgb),), reference=_OURS)
    wide = _sixteen(paint)
    data = tiff.tiff(tiff.page(wide, tiff.RGB, profile=icc.PROPHOTO.profile()))
    right = icc.PROPHOTO.to_srgb(wide, 65535)
    yield _odd(name="prophoto-16.tif", data=data, right=(right,), reference=_OURS)
    rgb = paint.picture()
    yield _odd(
        name="bmp-v5-display-p3.bmp",
        data=_bmp_v5(rgb, icc.P3.profile()),
        right=(icc.P3.to_srgb(rgb), rgb),
        reference=_OURS,
        why="few readers look for a profile in a bitmap",
    )
    rgb = paint.picture()
    data = jpeg(rgb, exif=_exif_r03())
    right = read(data)
    yield _odd(
        name="exif-r03-adobergb.jpg",
        data=data,
        right=(icc.ADOBE.to_srgb(right), right),
        reference=_OURS,
        why="no profile, but EXIF says uncalibrated and R03: cameras mean AdobeRGB",
    )
    data = jpeg(paint.picture(), exif=_exif_r03(b"R98\0", 1))
    yield _odd(name="exif-r98-srgb.jpg", data=data, right=(read(data),), levels=1, reference=_PLAIN)


def _tables(paint: Painter) -> Iterator[Odd]:
    lut = icc.swapped_lut_profile()
    how = "own arithmetic of the function that fills the table; LittleCMS agrees"
    data = jpeg(paint.picture(), icc_profile=lut)
    yield _odd(
        name="lut-4-segments.jpg", data=data, right=(read(data)[..., [1, 2, 0]],), reference=how
    )
    rgb = paint.picture()
    data = png.png(rgb, before=[png.iccp(lut)])
    yield _odd(name="lut.png", data=data, right=(rgb[..., [1, 2, 0]],), reference=how)
    planes = [np.ascontiguousarray(p) for p in np.moveaxis(icc.xyb_of(paint.picture()), -1, 0)]
    segments = b"".join(jpg.icc_segments(icc.xyb_profile()))
    for name, sampling in (
        ("xyb.jpg", [(1, 1)] * 3),
        ("xyb-small-b.jpg", [(2, 2), (2, 2), (1, 1)]),
    ):
        data = jpg.encode(planes, ids=b"RGB", sampling=sampling, step=2, before=segments)
        yield _odd(
            name=name,
            data=data,
            right=(icc.xyb_to_srgb(read(data)),),
            says=() if name == "xyb.jpg" else ("unsupported_format",),
            most=1.5,
            why="" if name == "xyb.jpg" else "full red and green, small blue: a rare sampling",
            reference="own arithmetic; LittleCMS agrees to 0.01 without, to 0.9 with its shortcuts",
        )
        planes = [np.ascontiguousarray(p) for p in np.moveaxis(icc.xyb_of(paint.picture()), -1, 0)]


def _grey(paint: Painter) -> Iterator[Odd]:
    curve = icc.table_curve(icc.dot_gain(np.linspace(0, 1, 256)))
    curves = {
        "grey-gamma18": (icc.gamma_curve(1.8), lambda v: v**1.80078125),
        "grey-gamma22": (icc.gamma_curve(2.2), lambda v: v**2.19921875),
        "grey-dot-gain-20": (curve, icc.dot_gain),
    }
    for name, (tag, decode) in curves.items():
        profile = icc.grey_profile(tag)
        data = jpeg(paint.grey(), icc_profile=profile)
        right = icc.grey_to_srgb(read(data)[..., 0], decode)
        yield _odd(name=f"{name}.jpg", data=data, right=(right,), reference=_OURS)
        grey = paint.grey()
        data = png.png(grey, 8, png.GREY, before=[png.iccp(profile)])
        right = icc.grey_to_srgb(grey, decode)
        yield _odd(name=f"{name}.png", data=data, right=(right,), reference=_OURS)
    profile = icc.grey_profile(icc.gamma_curve(1.8))
    decode = curves["grey-gamma18"][1]
    grey = paint.grey()
    alpha = paint.alpha(as_rgb(grey))
    both = np.dstack([grey, alpha])
    data = png.png(both, 8, png.GREY_ALPHA, before=[png.iccp(profile)])
    right = on_white(icc.grey_to_srgb(grey, decode), alpha)
    yield _odd(name="grey-gamma18-alpha.png", data=data, right=(right,), reference=_OURS)
    wide = _sixteen(paint)[..., 0]
    data = png.png(wide, 16, png.GREY, before=[png.iccp(profile)])
    right = icc.grey_to_srgb(wide, decode, 65535)
    yield _odd(name="grey-gamma18-16.png", data=data, right=(right,), reference=_OURS)
    grey = paint.grey()
    data = tiff.tiff(tiff.page(grey, tiff.BLACK_IS_ZERO, profile=profile))
    right = icc.grey_to_srgb(grey, decode)
    yield _odd(name="grey-gamma18.tif", data=data, right=(right,), reference=_OURS)
    grey = paint.grey()
    data = tiff.tiff(tiff.page(255 - grey, tiff.WHITE_IS_ZERO, profile=profile))
    right = icc.grey_to_srgb(grey, decode)
    yield _odd(name="grey-gamma18-min-is-white.tif", data=data, right=(right,), reference=_OURS)


def _inks(paint: Painter) -> Iterator[Odd]:
    press = icc.ink_profile()
    by_press = "own arithmetic, or LittleCMS relative with black point compensation, or perceptual"
    by_product = "ink times black, as Pillow and libjpeg users do without a profile"
    for profile in (press, None):
        part = "press" if profile else "bare"
        how = by_press if profile else by_product
        icc_part = {"icc_profile": profile} if profile else {}
        segments = jpg.icc_segments(profile) if profile else []

        # Pillow writes ink upside down and an Adobe mark, as Photoshop does.
        data = jpeg(Image.fromarray(icc.inks_of(paint.picture()), "CMYK"), **icc_part)
        right = icc.ink_to_srgb(_inks_in(data), profile)
        yield _odd(name=f"cmyk-adobe-{part}.jpg", data=data, right=right, reference=how)

        ink = icc.inks_of(paint.picture())
        # YCCK is the YCC of 255 - C, 255 - M, 255 - Y, and with ink upside down that is the ink.
        planes = [*jpg.ycc(ink[..., :3]), 255.0 - ink[..., 3]]
        data = _with(
            jpg.encode(planes, sampling=[(2, 2), (1, 1), (1, 1), (2, 2)]), *segments, jpg.adobe(2)
        )
        right = icc.ink_to_srgb(_inks_in(data), profile)
        yield _odd(name=f"ycck-adobe-{part}.jpg", data=data, right=right, reference=how)

        ink = icc.inks_of(paint.picture())
        data = tiff.tiff(tiff.page(ink, tiff.INKS, profile=profile))
        yield _odd(
            name=f"cmyk-{part}.tif", data=data, right=icc.ink_to_srgb(ink, profile), reference=how
        )
    ink = icc.inks_of(paint.picture())
    data = jpg.encode([np.ascontiguousarray(ink[..., i]) for i in range(4)])
    found = 255 - _inks_in(data)  # Pillow takes all inks for inverted ones
    yield _odd(
        name="cmyk-no-adobe.jpg",
        data=data,
        right=(*icc.ink_to_srgb(found, None), *icc.ink_to_srgb(255 - found, None)),
        reference=by_product,
        why="without the Adobe mark 0 is no ink by the book, but Pillow inverts all the same",
    )
    ink = icc.inks_of(paint.picture())
    data = tiff.tiff(tiff.page(ink, tiff.INKS, planar=2, compression="lzw"))
    yield _odd(
        name="cmyk-planar.tif", data=data, right=icc.ink_to_srgb(ink, None), reference=by_product
    )
    ink = icc.inks_of(paint.picture())
    data = tiff.tiff(tiff.page(ink.astype(np.uint16) * 257, tiff.INKS))
    yield _odd(
        name="cmyk-16.tif",
        data=data,
        right=icc.ink_to_srgb(ink, None),
        says=("unsupported_format",),
        reference=by_product,
        why="rare: saying that it is not read is as good",
    )


def _inks_in(data: bytes) -> Rgb:
    with Image.open(io.BytesIO(data)) as image:
        return np.array(image)


def _split(paint: Painter) -> Iterator[Odd]:
    space, how = icc.ADOBE, f"{_OURS}; parts joined by their numbers"
    parts = jpg.icc_segments(space.profile(), 3)
    comment = jpg.segment(0xFE, b"between the parts")
    orders = {
        "icc-3-parts.jpg": parts,
        "icc-3-parts-out-of-order.jpg": [parts[2], parts[0], parts[1]],
        "icc-3-parts-apart.jpg": [parts[0], comment, parts[1], comment, parts[2]],
    }
    for name, segments in orders.items():
        data = _with(jpeg(paint.picture()), *segments)
        yield _odd(name=name, data=data, right=(space.to_srgb(read(data)),), reference=how)
    data = _with(jpeg(paint.picture()), parts[0], parts[2])
    yield _odd(
        name="icc-part-missing.jpg", data=data, right=(read(data),), levels=1, reference=_BROKEN
    )
    doubtful = {
        "icc-repeated.jpg": jpg.icc_segments(space.profile()) * 2,
        "icc-3-parts-repeated.jpg": parts * 2,
        "icc-numbered-from-0.jpg": [s[:16] + bytes([i]) + s[17:] for i, s in enumerate(parts)],
        "icc-wrong-count.jpg": [s[:17] + b"\5" + s[18:] for s in parts],
    }
    for name, segments in doubtful.items():
        data = _with(jpeg(paint.picture()), *segments)
        plain = read(data)
        yield _odd(
            name=name,
            data=data,
            right=(space.to_srgb(plain), plain),
            reference=how,
            why="readers disagree whether such a profile is broken",
        )


def _broken(paint: Painter) -> Iterator[Odd]:
    good = icc.PROPHOTO.profile()
    profiles = {
        "half": good[: len(good) // 2],
        "garbage": paint.rng.bytes(600),
        "empty": b"",
        "no-tags": good[:128] + bytes(4),
        "no-acsp": good[:36] + b"junk" + good[40:],
        "no-curves": icc.PROPHOTO.profile(rTRC=b"junk" + bytes(8)),
    }
    for name, profile in profiles.items():
        data = _with(jpeg(paint.picture()), *jpg.icc_segments(profile))
        yield _odd(
            name=f"icc-{name}.jpg", data=data, right=(read(data),), levels=1, reference=_BROKEN
        )
    for name in ("half", "garbage"):
        rgb = paint.picture()
        data = png.png(rgb, before=[png.iccp(profiles[name])])
        yield _odd(name=f"icc-{name}.png", data=data, right=(rgb,), levels=0, reference=_BROKEN)
        data = saved(paint.picture(), "WEBP", icc_profile=profiles[name], quality=90)
        yield _odd(
            name=f"icc-{name}.webp", data=data, right=(read(data),), levels=1, reference=_BROKEN
        )
        rgb = paint.picture()
        data = tiff.tiff(tiff.page(rgb, tiff.RGB, profile=profiles[name]))
        yield _odd(name=f"icc-{name}.tif", data=data, right=(rgb,), levels=0, reference=_BROKEN)
    rgb = paint.picture()
    data = png.png(rgb, before=[(b"iCCP", b"icc\0\0" + paint.rng.bytes(300))])
    yield _odd(name="icc-no-zlib.png", data=data, right=(rgb,), levels=0, reference=_BROKEN)
    rgb = paint.picture()
    data = png.png(rgb, before=[png.iccp(bytes(400_000_000))])
    yield _odd(name="icc-bomb-400-mb.png", data=data, right=(rgb,), levels=0, reference=_BROKEN)
    for name, profile, picture in (
        ("grey-profile-in-rgb.jpg", icc.grey_profile(icc.gamma_curve(1.8)), paint.picture()),
        ("ink-profile-in-rgb.jpg", icc.ink_profile(), paint.picture()),
    ):
        data = jpeg(picture, icc_profile=profile)
        yield _odd(name=name, data=data, right=(read(data),), levels=1, reference=_BROKEN)
    ink = icc.inks_of(paint.picture())
    data = jpeg(Image.fromarray(ink, "CMYK"), icc_profile=icc.ADOBE.profile())
    right = icc.ink_to_srgb(_inks_in(data), None)
    yield _odd(name="rgb-profile-in-cmyk.jpg", data=data, right=right, reference=_BROKEN)
    data = jpeg(paint.grey(), icc_profile=icc.PROPHOTO.profile())
    plain = read(data)
    yield _odd(
        name="rgb-profile-in-grey.jpg",
        data=data,
        right=(plain, icc.PROPHOTO.to_srgb(plain)),
        reference=_BROKEN,
        why="some browsers read grey as R = G = B of the profile",
    )
    grey = paint.grey()
    data = png.png(grey, 8, png.GREY, before=[png.iccp(icc.PROPHOTO.profile())])
    plain = as_rgb(grey)
    yield _odd(
        name="rgb-profile-in-grey.png",
        data=data,
        right=(plain, icc.PROPHOTO.to_srgb(plain)),
        reference=_BROKEN,
        why="some browsers read grey as R = G = B of the profile",
    )


def _srgb(paint: Painter) -> Iterator[Odd]:
    made = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    profiles = {
        "srgb-iec": icc.SRGB.profile(),
        "srgb-v4": icc.SRGB_V4.profile(),
        "srgb-lcms": made,
        "srgb-gimp": icc.SRGB_V4.profile("GIMP built-in sRGB"),
        "srgb-short": icc.SRGB_V4.profile("c2ci"),
        "srgb-google": icc.SRGB_V4.profile("sRGB built-in"),
        "srgb-table-256": _table_srgb(256),
        "srgb-table-4096": _table_srgb(4096),
    }
    for name, profile in profiles.items():
        data = jpeg(paint.picture(), icc_profile=profile)
        yield _odd(name=f"{name}.jpg", data=data, right=(read(data),), levels=1, reference=_PLAIN)
    for name in ("srgb-iec", "srgb-v4", "srgb-lcms"):
        rgb = paint.picture()
        data = png.png(rgb, before=[png.iccp(profiles[name])])
        yield _odd(name=f"{name}.png", data=data, right=(rgb,), levels=0, reference=_PLAIN)
    rgb = paint.picture()
    data = saved(rgb, "WEBP", icc_profile=profiles["srgb-iec"], lossless=True)
    yield _odd(name="srgb-iec.webp", data=data, right=(rgb,), levels=0, reference=_PLAIN)
    rgb = paint.picture()
    data = tiff.tiff(tiff.page(rgb, tiff.RGB, profile=profiles["srgb-iec"]))
    yield _odd(name="srgb-iec.tif", data=data, right=(rgb,), levels=0, reference=_PLAIN)
    data = jpeg(paint.grey(), icc_profile=profiles["srgb-iec"])
    yield _odd(name="srgb-in-grey.jpg", data=data, right=(read(data),), levels=1, reference=_PLAIN)
    grey = paint.grey()
    data = png.png(grey, 8, png.GREY, before=[png.iccp(profiles["srgb-iec"])])
    yield _odd(
        name="srgb-in-grey.png", data=data, right=(as_rgb(grey),), levels=0, reference=_PLAIN
    )


def _table_srgb(size: int) -> bytes:
    curve = icc.table_curve(icc.srgb_decode(np.linspace(0, 1, size)))
    return icc.SRGB.profile("sRGB", **{f"{c}TRC": curve for c in "rgb"})


def _sixteen(paint: Painter) -> np.ndarray:
    rgb = paint.picture().astype(np.uint16) * 257
    return rgb ^ paint.rng.integers(0, 64, rgb.shape).astype(np.uint16)


def _exif_r03(index: bytes = b"R03\0", colour_space: int = 0xFFFF) -> bytes:
    """EXIF as cameras write it: ColorSpace in the EXIF directory, the index in that of interop."""
    first = struct.pack("<HHHIII", 1, 0x8769, 4, 1, 26, 0)
    second = struct.pack("<HHHIHHHHIII", 2, 0xA001, 3, 1, colour_space, 0, 0xA005, 4, 1, 56, 0)
    third = struct.pack("<HHHI4sI", 1, 0x0001, 2, 4, index, 0)
    return b"Exif\0\0II*\0" + struct.pack("<I", 8) + first + second + third


def _bmp_v5(rgb: Rgb, profile: bytes) -> bytes:
    height, width = rgb.shape[:2]
    rows = np.pad(rgb[::-1, :, ::-1].reshape(height, -1), ((0, 0), (0, -3 * width % 4))).tobytes()
    head = struct.pack("<IiiHHIIiiII", 124, width, height, 1, 24, 0, len(rows), 2835, 2835, 0, 0)
    head += bytes(16) + b"DEBM" + bytes(36 + 12)
    head += struct.pack("<IIII", 4, 124 + len(rows), len(profile), 0)
    total = 14 + len(head) + len(rows) + len(profile)
    return b"BM" + struct.pack("<IHHI", total, 0, 0, 14 + len(head)) + head + rows + profile
