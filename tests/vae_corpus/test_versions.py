"""The door has a version that changes if and only if the pixels of small files do."""

from __future__ import annotations

import hashlib

import numpy as np
from PIL import Image

from tests.pictures import encoded, jpeg, scene
from tests.vae_corpus.decoding import good, saved
from tests.versions import assert_recorded
from vae_corpus.pictures import decode

RECORDED = (3, "726c087bd9d95b3c")


def files() -> list[bytes]:
    rgb = scene(90, 70, 4)
    image = Image.fromarray(rgb)
    deep = (np.asarray(rgb[:, :, 0], np.uint16) << 8) + 77
    return [
        jpeg(rgb, 80),
        saved(image.convert("CMYK"), "JPEG"),
        encoded(rgb, "png"),
        saved(image.convert("P"), "PNG"),
        saved(Image.fromarray(deep), "PNG"),
        saved(Image.merge("RGBA", (*image.split(), image.convert("L"))), "PNG"),
        saved(image, "WEBP", lossless=True),
        saved(image, "TIFF", compression="tiff_lzw"),
        encoded(rgb, "bmp"),
    ]


def test_pixels_and_version_change_together() -> None:
    pixels = b"".join(hashlib.sha256(good(data).rgb.tobytes()).digest() for data in files())
    where = "vae_corpus/pictures/decode/__init__.py"
    assert_recorded("what the door gives", where, decode.VERSION, pixels, RECORDED)
