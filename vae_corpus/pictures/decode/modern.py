"""AVIF, HEIC and JPEG XL.

Pillow's wheels read AVIF; the others need packages of the extra `formats`.
"""

from __future__ import annotations

import importlib.util
import io
from typing import Any

from PIL import AvifImagePlugin, Image

from vae_corpus.pictures.decode.exif import exif_orientation
from vae_corpus.pictures.decode.fault import FRAME_BYTES_PER_PX, Limits, Refused, check_size
from vae_corpus.pictures.decode.isobmff import check_boxes, nclx_colours
from vae_corpus.pictures.decode.jxl import read_jxl_header
from vae_corpus.pictures.decode.pixels import Picture, to_picture, upright


def optional_formats() -> list[str]:
    """Which of the optional formats can be read here: part of what decides a score."""
    packages = {"heic": "pillow_heif", "jxl": "pillow_jxl"}
    found = [name for name, package in packages.items() if importlib.util.find_spec(package)]
    return [*found, "avif"] if AvifImagePlugin.SUPPORTED else found


def decode_avif(data: bytes, limits: Limits) -> Picture:
    if not AvifImagePlugin.SUPPORTED:
        raise Refused("unsupported_format", "this Pillow was built without AVIF")
    check_boxes(data)
    # Workers fill the machine by their number; more threads would only fight with them.
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    image = AvifImagePlugin.AvifImageFile(io.BytesIO(data))
    check_size(*image.size, FRAME_BYTES_PER_PX, limits)
    if image.n_frames > 1:
        raise Refused("animated", f"{image.n_frames} frames")
    profile = image.info.get("icc_profile") or nclx_colours(data)
    # Pillow translates the container's own turns and mirrors into EXIF.
    orientation = exif_orientation(image.info.get("exif", b"").removeprefix(b"Exif\0\0"))
    picture = to_picture(image, profile)
    return picture._replace(pixels=upright(picture.pixels, orientation))


def decode_heic(data: bytes, limits: Limits) -> Picture:
    try:
        import pillow_heif
    except ImportError:
        raise _missing("HEIC") from None
    check_boxes(data)
    pillow_heif.options.DECODE_THREADS = 1
    # Previews, depth and gain maps are no pictures of their own.
    pillow_heif.options.THUMBNAILS = pillow_heif.options.DEPTH_IMAGES = False
    found = pillow_heif.open_heif(data)
    width, height = found.size
    check_size(width, height, FRAME_BYTES_PER_PX, limits)
    if len(found) > 1:
        raise Refused("animated", f"{len(found)} pictures")
    profile = found.info.get("icc_profile") or nclx_colours(data)
    # libheif itself turns the picture upright.
    return to_picture(found.to_pillow(), profile)


def decode_jxl(data: bytes, limits: Limits) -> Picture | bytes:
    """The picture, or the JPEG file that it was made of without loss."""
    try:
        import pillow_jxl
    except ImportError:
        raise _missing("JPEG XL") from None
    header = read_jxl_header(data)
    check_size(header.width, header.height, FRAME_BYTES_PER_PX, limits)
    if header.animated:
        raise Refused("animated", "an animated JPEG XL")
    # 0: in this thread.
    found: Any = pillow_jxl.Decoder(num_threads=0)(data)
    is_jpeg, facts, pixels, profile, _ = found
    if is_jpeg:
        return bytes(pixels)
    if facts.mode not in ("L", "LA", "RGB", "RGBA", "I;16"):
        raise Refused("unsupported_format", f"samples of JPEG XL: {facts.mode}")
    image = Image.frombytes(facts.mode, (facts.width, facts.height), bytes(pixels))
    return to_picture(image, profile or None)


def _missing(name: str) -> Refused:
    return Refused("unsupported_format", f"{name} needs: pip install 'vae-corpus[formats]'")
