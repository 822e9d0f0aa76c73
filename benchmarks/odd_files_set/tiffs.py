"""TIFF in all its depths, layouts, compressions and colours, as scanners and microscopes do."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from typing import Any

import numpy as np
from PIL import Image

from odd_files_set import icc, jpg, tiff
from odd_files_set.case import Odd, Painter, Rgb, as_rgb, on_white, read, saved, turned

_odd = functools.partial(Odd, group="tiff")
_DRAWN = "the picture as it was drawn: nothing is lost"
_SCALED = "the samples over their largest value, times 255"
_UNREAD = ("unsupported_format",)


def cases(paint: Painter) -> Iterator[Odd]:
    yield from _layouts(paint)
    yield from _samples(paint)
    yield from _colours(paint)
    yield from _pages(paint)
    yield from _turned(paint)


def _layouts(paint: Painter) -> Iterator[Odd]:
    """Layouts and compressions of 8-bit RGB; all lossless but JPEG."""
    ways: dict[str, dict[str, Any]] = {
        "big-endian": {"order": ">"},
        "planar": {"planar": 2},
        "planar-deflate-predictor": {"planar": 2, "compression": "deflate", "predictor": 2},
        "tiles": {"tile": (64, 48)},
        "tiles-lzw-predictor": {"tile": (128, 128), "compression": "lzw", "predictor": 2},
        "tiles-planar": {"tile": (64, 64), "planar": 2, "compression": "packbits"},
        "lzw": {"compression": "lzw"},
        "lzw-predictor": {"compression": "lzw", "predictor": 2},
        "deflate": {"compression": "deflate"},
        "deflate-old-code": {"compression": "old_deflate", "predictor": 2},
        "packbits": {"compression": "packbits"},
        "fill-order-2": {"fill_order": 2},
        "one-strip": {"rows_per_strip": 2**32 - 1},
        "strip-per-row": {"rows_per_strip": 1},
    }
    for name, way in ways.items():
        rgb = paint.picture()
        rows = way.get("rows_per_strip")
        if rows == 2**32 - 1:
            page = tiff.page(rgb, tiff.RGB, rows_per_strip=len(rgb))
            page.tags[278] = (tiff.LONG, [rows])
        else:
            page = tiff.page(rgb, tiff.RGB, **way)
        data = tiff.tiff(page, order=way.get("order", "<"))
        yield _odd(name=f"rgb-{name}.tif", data=data, right=(rgb,), levels=0, reference=_DRAWN)
    for order, word in (("<", "little"), (">", "big")):
        rgb = paint.picture()
        data = tiff.tiff(tiff.page(rgb, tiff.RGB, order=order), order=order, big=True)
        yield _odd(
            name=f"bigtiff-{word}-endian.tif",
            data=data,
            right=(rgb,),
            says=_UNREAD,
            levels=0,
            reference=_DRAWN,
            why="meant for files over 4 GB: saying that it is not read is as good",
        )
    for compression in ("zstd", "webp", "lzma", "tiff_adobe_deflate"):
        rgb = paint.picture()
        try:
            data = saved(rgb, "TIFF", compression=compression, **_lossless(compression))
        except (OSError, ValueError, KeyError):
            continue
        says = () if compression == "tiff_adobe_deflate" else _UNREAD
        yield _odd(
            name=f"rgb-{compression}.tif",
            data=data,
            right=(read(data),),
            says=says,
            levels=1,
            reference="Pillow with libtiff",
            why="not in every libtiff" if says else "",
        )
    data = saved(paint.picture(), "TIFF", compression="jpeg", quality=92)
    yield _odd(name="rgb-jpeg.tif", data=data, right=(read(data),), reference="Pillow with libtiff")
    data = saved(Image.fromarray(paint.picture()).convert("YCbCr"), "TIFF", compression="jpeg")
    yield _odd(
        name="ycbcr-jpeg.tif", data=data, right=(read(data),), reference="Pillow with libtiff"
    )
    for compression in ("group3", "group4"):
        black = paint.grey() > 127
        data = saved(Image.fromarray(black), "TIFF", compression=compression)
        right = as_rgb(black.astype(np.uint8) * 255)
        yield _odd(
            name=f"fax-{compression}.tif", data=data, right=(right,), levels=0, reference=_DRAWN
        )


def _lossless(compression: str) -> dict[str, Any]:
    return {"quality": 100} if compression == "webp" else {}


def _samples(paint: Painter) -> Iterator[Odd]:
    """Depths and sample formats of grey and RGB."""
    for depth in (1, 2, 4):
        for name, photometric in (("black", tiff.BLACK_IS_ZERO), ("white", tiff.WHITE_IS_ZERO)):
            grey = paint.grey() >> (8 - depth)
            top = (1 << depth) - 1
            stored = grey if name == "black" else top - grey
            data = tiff.tiff(tiff.page(stored, photometric, bits=depth))
            right = as_rgb((grey * (255 // top)).astype(np.uint8))
            yield _odd(
                name=f"grey-{depth}-min-is-{name}.tif",
                data=data,
                right=(right,),
                levels=0,
                reference=_DRAWN,
            )
    grey = paint.grey()
    data = tiff.tiff(tiff.page(255 - grey, tiff.WHITE_IS_ZERO))
    yield _odd(
        name="grey-8-min-is-white.tif", data=data, right=(as_rgb(grey),), levels=0, reference=_DRAWN
    )
    for bits in (10, 12, 14):
        grey = paint.grey()
        wide = np.asarray(np.rint(grey / 255 * ((1 << bits) - 1)), np.uint16)
        data = tiff.tiff(tiff.page(wide, tiff.BLACK_IS_ZERO, bits=bits))
        says = () if bits == 12 else _UNREAD
        yield _odd(
            name=f"grey-{bits}.tif",
            data=data,
            right=(as_rgb(grey),),
            says=says,
            levels=1,
            reference=_SCALED,
            why="rare: saying that it is not read is as good" if says else "",
        )
    for order, word in (("<", "little"), (">", "big")):
        for kind in ("black", "white", "rgb", "rgba", "rgb-predictor"):
            rgb = paint.picture()
            wide = rgb.astype(np.uint16) * 257
            right, photometric, options = rgb, tiff.RGB, {}
            if kind in ("black", "white"):
                wide, right = wide[..., 0], as_rgb(rgb[..., 0])
                photometric = tiff.BLACK_IS_ZERO if kind == "black" else tiff.WHITE_IS_ZERO
                wide = wide if kind == "black" else 65535 - wide
            if kind == "rgba":
                alpha = paint.alpha(rgb)
                wide = np.dstack([wide, alpha.astype(np.uint16) * 257])
                right = on_white(rgb, alpha)
                options = {"tags": {338: (tiff.SHORT, [2])}}
            if kind == "rgb-predictor":
                options = {"predictor": 2, "compression": "lzw"}
            page = tiff.page(wide, photometric, order=order, **options)
            name = f"grey-16-min-is-{kind}" if kind in ("black", "white") else f"{kind}-16"
            yield _odd(
                name=f"{name}-{word}.tif",
                data=tiff.tiff(page, order=order),
                right=(right,),
                levels=1,
                reference=_SCALED,
            )
    odd_types = (
        ("grey-8-signed", np.int8, 2),
        ("grey-16-signed", np.int16, 2),
        ("grey-32", np.uint32, 1),
        ("grey-float", np.float32, 3),
        ("rgb-float", np.float32, 3),
        ("rgb-float-predictor", np.float32, 3),
        ("grey-half-float", np.float16, 3),
        ("grey-double", np.float64, 3),
    )
    for name, kind, sample_format in odd_types:
        rgb = paint.picture()
        part = rgb if name.startswith("rgb") else rgb[..., 0]
        span = np.iinfo(kind) if np.issubdtype(kind, np.integer) else None
        low, high = (float(span.min), float(span.max)) if span else (0.0, 1.0)
        stored = np.rint(part / 255 * (high - low) + low) if span else part / 255
        photometric = tiff.RGB if name.startswith("rgb") else tiff.BLACK_IS_ZERO
        options = {"predictor": 3, "compression": "deflate"} if "predictor" in name else {}
        page = tiff.page(stored.astype(kind), photometric, sample_format=sample_format, **options)
        shown = part if part.ndim == 3 else as_rgb(part)
        right = (shown,) if span else (shown, icc.LINEAR.to_srgb(shown))
        yield _odd(
            name=f"{name}.tif",
            data=tiff.tiff(page),
            right=right,
            says=_UNREAD,
            reference=_SCALED,
            why="no rule says what such samples look like: refusing is right, scaling them is too",
        )


def _colours(paint: Painter) -> Iterator[Odd]:
    for name, kind in (("associated", 1), ("unassociated", 2)):
        rgb = paint.picture()
        alpha = paint.alpha(rgb)
        right = on_white(rgb, alpha)
        stored = rgb if kind == 2 else np.rint(rgb * (alpha[..., None] / 255)).astype(np.uint8)
        page = tiff.page(np.dstack([stored, alpha]), tiff.RGB, tags={338: (tiff.SHORT, [kind])})
        yield _odd(name=f"alpha-{name}.tif", data=tiff.tiff(page), right=(right,), reference=_DRAWN)
    rgb = paint.picture()
    noise = paint.rng.integers(0, 256, rgb.shape[:2]).astype(np.uint8)
    page = tiff.page(np.dstack([rgb, noise]), tiff.RGB, tags={338: (tiff.SHORT, [0])})
    yield _odd(
        name="extra-unspecified.tif",
        data=tiff.tiff(page),
        right=(rgb, on_white(rgb, noise)),
        reference=_DRAWN,
        why="an extra sample that is not said to be alpha: most readers ignore it",
    )
    grey = paint.grey()
    alpha = paint.alpha(as_rgb(grey))
    page = tiff.page(np.dstack([grey, alpha]), tiff.BLACK_IS_ZERO, tags={338: (tiff.SHORT, [2])})
    right = on_white(as_rgb(grey), alpha)
    yield _odd(
        name="grey-alpha.tif", data=tiff.tiff(page), right=(right,), levels=1, reference=_DRAWN
    )
    for bits in (4, 8):
        index, palette = paint.flat(1 << bits)
        colours = (palette.astype(int) * 257).T.ravel().tolist()
        page = tiff.page(index, tiff.PALETTE, bits=bits, tags={320: (tiff.SHORT, colours)})
        yield _odd(
            name=f"palette-{bits}.tif",
            data=tiff.tiff(page),
            right=(palette[index],),
            levels=0,
            reference=_DRAWN,
        )
    # Plain YCbCr: half the colours both ways, in units of four Y and one Cb, Cr.
    rgb = paint.picture(288, 272)
    y, cb, cr = (np.clip(plane, 0, 255) for plane in jpg.ycc(rgb))
    units = np.concatenate(
        [y.reshape(136, 2, 144, 2).transpose(0, 2, 1, 3).reshape(136, 144, 4),
         cb.reshape(136, 2, 144, 2).mean(axis=(1, 3))[..., None],
         cr.reshape(136, 2, 144, 2).mean(axis=(1, 3))[..., None]],
        axis=2,
    )  # fmt: skip
    page = tiff.page(np.rint(np.dstack([y, cb, cr])).astype(np.uint8), tiff.YCBCR)
    page.segments = [np.rint(units).astype(np.uint8).tobytes()]
    page.tags |= {278: (tiff.LONG, [272]), 530: (tiff.SHORT, [2, 2])}
    small = [np.repeat(np.repeat(units[..., i], 2, 0), 2, 1) for i in (4, 5)]
    right = _from_ycc(np.rint(y), *(np.rint(s) for s in small))
    yield _odd(
        name="ycbcr-420.tif",
        data=tiff.tiff(page),
        right=(right,),
        says=_UNREAD,
        most=1.5,
        reference="own arithmetic (ITU-R BT.601), colours repeated",
        why="rare outside JPEG in TIFF",
    )
    rgb = paint.picture()
    y, cb, cr = (np.clip(np.rint(plane), 0, 255) for plane in jpg.ycc(rgb))
    page = tiff.page(np.dstack([y, cb, cr]).astype(np.uint8), tiff.YCBCR)
    page.tags |= {530: (tiff.SHORT, [1, 1])}
    yield _odd(
        name="ycbcr-444.tif",
        data=tiff.tiff(page),
        right=(_from_ycc(y, cb, cr),),
        says=_UNREAD,
        reference="own arithmetic (ITU-R BT.601)",
        why="rare outside JPEG in TIFF",
    )
    for name, photometric, shift in (("cielab", tiff.CIELAB, 0), ("icclab", tiff.ICCLAB, 128)):
        rgb = paint.picture()
        lab = icc.lab_of(icc.srgb_decode(rgb / 255) @ icc.LINEAR.matrix.T)
        ab = np.rint(np.clip(lab[..., 1:], -128, 127))
        coded = np.dstack([np.rint(lab[..., 0] * 2.55), (ab + shift) % 256]).astype(np.uint8)
        seen = np.dstack([coded[..., 0] / 2.55, ab])
        yield _odd(
            name=f"{name}.tif",
            data=tiff.tiff(tiff.page(coded, photometric)),
            right=(icc.srgb_of(icc.xyz_of(seen)),),
            says=_UNREAD,
            reference="own arithmetic (CIE 1976, D50)",
            why="rare: saying that it is not read is as good",
        )


def _from_ycc(y: Any, cb: Any, cr: Any) -> Rgb:
    rgb = np.dstack(
        [
            y + 1.402 * (cr - 128),
            y - 0.344136 * (cb - 128) - 0.714136 * (cr - 128),
            y + 1.772 * (cb - 128),
        ]
    )
    return np.asarray(np.clip(np.rint(rgb), 0, 255), np.uint8)


def _pages(paint: Painter) -> Iterator[Odd]:
    for name, tag in (
        ("reduced", (254, (tiff.LONG, [1]))),
        ("reduced-old-tag", (255, (tiff.SHORT, [2]))),
    ):
        rgb = paint.picture()
        small = np.array(Image.fromarray(rgb).resize((80, 64)))
        second = tiff.page(small, tiff.RGB, tags={tag[0]: tag[1]})
        data = tiff.tiff(tiff.page(rgb, tiff.RGB), second)
        yield _odd(
            name=f"second-page-{name}.tif", data=data, right=(rgb,), levels=0, reference=_DRAWN
        )
    rgb = paint.picture()
    mask = (paint.grey(rgb.shape[1], rgb.shape[0]) > 127).astype(np.uint8)
    second = tiff.page(mask, 4, bits=1, tags={254: (tiff.LONG, [4])})
    yield _odd(
        name="second-page-mask.tif",
        data=tiff.tiff(tiff.page(rgb, tiff.RGB), second),
        right=(rgb,),
        says=("animated",),
        reference=_DRAWN,
        why="a mask is no page of its own, but rare",
    )
    pages = [tiff.page(paint.picture(), tiff.RGB) for _ in range(3)]
    yield _odd(name="three-pages.tif", data=tiff.tiff(*pages), says=("animated",))
    # The thumbnail first, as some scanners and cameras (TIFF/EP) have it.
    rgb = paint.picture()
    small = np.array(Image.fromarray(rgb).resize((80, 64)))
    first = tiff.page(small, tiff.RGB, tags={254: (tiff.LONG, [1])})
    yield _odd(
        name="thumbnail-first.tif",
        data=tiff.tiff(first, tiff.page(rgb, tiff.RGB)),
        right=(rgb,),
        says=("animated", "unsupported_format", "too_small"),
        levels=0,
        reference=_DRAWN,
        why="the picture is the second page; kept with the thumbnail's pixels would be wrong",
    )


def _turned(paint: Painter) -> Iterator[Odd]:
    for way in (3, 6, 8):
        rgb = paint.picture(320, 272)
        data = tiff.tiff(tiff.page(rgb, tiff.RGB, tags={274: (tiff.SHORT, [way])}))
        yield _odd(
            name=f"turned-{way}.tif",
            data=data,
            right=(turned(rgb, way),),
            levels=0,
            reference=_DRAWN,
        )
