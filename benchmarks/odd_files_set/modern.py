"""AVIF, HEIC and JPEG XL, as far as the packages at hand can write them."""

from __future__ import annotations

import functools
import importlib.util
import io
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from odd_files_set import icc
from odd_files_set.case import DAMAGED, Odd, Painter, on_white, read, saved

_odd = functools.partial(Odd, group="formats")
_DRAWN = "the picture as it was drawn"
_UNREAD = ("unsupported_format",)


def cases(paint: Painter) -> Iterator[Odd]:
    yield from _avif(paint)
    yield from _heic(paint)
    yield from _jxl(paint)


def _has(package: str) -> bool:
    return importlib.util.find_spec(package) is not None


def _avif(paint: Painter) -> Iterator[Odd]:
    how = "Pillow (libavif)"
    for name, options in (
        ("avif-420", {"quality": 85, "subsampling": "4:2:0"}),
        ("avif-444", {"quality": 92, "subsampling": "4:4:4"}),
        ("avif-limited-range", {"quality": 92, "range": "limited"}),
    ):
        data = saved(paint.picture(), "AVIF", **options)
        yield _odd(name=f"{name}.avif", data=data, right=(read(data),), most=1.5, reference=how)
    data = saved(paint.grey(), "AVIF", quality=92, subsampling="4:0:0")
    yield _odd(name="avif-grey.avif", data=data, right=(read(data),), reference=how)
    rgb = paint.picture()
    alpha = paint.alpha(rgb)
    data = saved(np.dstack([rgb, alpha]), "AVIF", quality=95, subsampling="4:4:4")
    with Image.open(io.BytesIO(data)) as image:
        seen = np.array(image.convert("RGBA"))
    right = on_white(seen[..., :3], seen[..., 3])
    yield _odd(name="avif-alpha.avif", data=data, right=(right,), reference=f"{how}, then on white")
    data = saved(paint.picture(), "AVIF", quality=85)
    yield _odd(name="an-avif.jpg", data=data, right=(read(data),), reference=how)
    first, second = (Image.fromarray(paint.picture(320, 272)) for _ in range(2))
    data = saved(first, "AVIF", save_all=True, append_images=[second], quality=80)
    yield _odd(name="avif-animated.avif", data=data, says=("animated",))
    if _has("imagecodecs"):
        import imagecodecs

        rgb = paint.picture()
        wide = np.asarray(np.rint(rgb / 255 * 1023), np.uint16)
        for bits in (10, 12):
            wide = np.asarray(np.rint(rgb / 255 * ((1 << bits) - 1)), np.uint16)
            data = imagecodecs.avif_encode(wide, level=95, bitspersample=bits, pixelformat="444")
            yield _odd(
                name=f"avif-{bits}-bits.avif",
                data=bytes(data),
                right=(rgb,),
                most=1.5,
                reference=_DRAWN,
            )
            rgb = paint.picture()


def _heic(paint: Painter) -> Iterator[Odd]:
    if not _has("pillow_heif"):
        return
    import pillow_heif

    def encoded(image: Image.Image, **options: object) -> bytes:
        file = io.BytesIO()
        pillow_heif.from_pillow(image).save(file, quality=90, **options)
        return file.getvalue()

    def decoded(data: bytes) -> Image.Image:
        return pillow_heif.open_heif(io.BytesIO(data)).to_pillow()

    how = "pillow-heif (libheif)"
    for name, profile in (("heic", None), ("heic-display-p3", icc.P3.profile())):
        image = Image.fromarray(paint.picture())
        data = encoded(image, **({"icc_profile": profile} if profile else {}))
        plain = np.array(decoded(data).convert("RGB"))
        right = icc.P3.to_srgb(plain) if profile else plain
        yield _odd(name=f"{name}.heic", data=data, right=(right,), reference=how)
    rgb = paint.picture()
    data = encoded(Image.fromarray(np.dstack([rgb, paint.alpha(rgb)])))
    seen = np.array(decoded(data).convert("RGBA"))
    right = on_white(seen[..., :3], seen[..., 3])
    yield _odd(name="heic-alpha.heic", data=data, right=(right,), reference=f"{how}, then on white")
    data = encoded(Image.fromarray(paint.picture()))
    yield _odd(
        name="a-heic.jpg", data=data, right=(np.array(decoded(data).convert("RGB")),), reference=how
    )
    wide = (paint.picture().astype(np.uint16) * 257) & 0xFFC0
    made = pillow_heif.from_bytes("RGB;16", wide.shape[1::-1], wide.tobytes())
    file = io.BytesIO()
    made.save(file, quality=95)
    right = np.array(
        pillow_heif.open_heif(io.BytesIO(file.getvalue()), convert_hdr_to_8bit=True).to_pillow()
    )
    yield _odd(
        name="heic-10-bits.heic",
        data=file.getvalue(),
        right=(right, (wide >> 8).astype(np.uint8)),
        most=1.5,
        reference=how,
    )
    image = Image.fromarray(paint.picture())
    data = encoded(image)
    yield _odd(
        name="cut-at-60.heic",
        data=data[: len(data) * 6 // 10],
        says=(*DAMAGED, *_UNREAD),
        group="damage",
        intact=False,
    )
    made = pillow_heif.from_pillow(Image.fromarray(paint.picture(320, 272)))
    made.add_from_pillow(Image.fromarray(paint.picture(320, 272)))
    file = io.BytesIO()
    made.save(file, quality=80)
    right = np.array(decoded(file.getvalue()).convert("RGB"))
    yield _odd(
        name="heic-two-pictures.heic",
        data=file.getvalue(),
        right=(right,),
        says=("animated", *_UNREAD),
        reference=how,
        why="a collection with a primary picture, which viewers show",
    )


def _jxl(paint: Painter) -> Iterator[Odd]:
    if not _has("pillow_jxl"):
        return
    import pillow_jxl  # noqa: F401  (registers with Pillow)

    how = "pillow-jxl-plugin (libjxl)"
    for name, options in (("jxl-lossless", {"lossless": True}), ("jxl-lossy", {"quality": 92})):
        data = saved(paint.picture(), "JXL", **options)
        yield _odd(name=f"{name}.jxl", data=data, right=(read(data),), reference=how)
    rgb = paint.picture()
    alpha = paint.alpha(rgb)
    data = saved(np.dstack([rgb, alpha]), "JXL", lossless=True)
    right = on_white(rgb, alpha)
    yield _odd(name="jxl-alpha.jxl", data=data, right=(right,), reference=f"{how}, then on white")
    if cjxl := shutil.which("cjxl"):  # the plugin writes no profiles
        rgb = paint.picture()
        with tempfile.TemporaryDirectory() as folder:
            plain, made = Path(folder) / "a.png", Path(folder) / "a.jxl"
            plain.write_bytes(saved(rgb, "PNG", icc_profile=icc.ADOBE.profile()))
            subprocess.run([cjxl, plain, made, "-d", "0", "--quiet"], check=True)
            data = made.read_bytes()
        right = icc.ADOBE.to_srgb(rgb)
        yield _odd(name="jxl-adobergb.jxl", data=data, right=(right,), reference="cjxl, own maths")
    data = saved(paint.picture(), "JXL", quality=92)
    yield _odd(
        name="cut-at-60.jxl",
        data=data[: len(data) * 6 // 10],
        says=(*DAMAGED, *_UNREAD),
        group="damage",
        intact=False,
    )
