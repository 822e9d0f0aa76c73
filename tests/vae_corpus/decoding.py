"""Pictures through the door, as the tests of its formats ask for them."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from tests.pictures import Rgb
from vae_corpus.pictures.decode import SLUGS, Decoded, Fault, Limits, decode


def saved(picture: Rgb | Image.Image, form: str, **options: Any) -> bytes:
    file = io.BytesIO()
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    image.save(file, form, **options)
    return file.getvalue()


def good(data: bytes) -> Decoded:
    found = decode(data)
    assert isinstance(found, Decoded), found
    assert found.rgb.dtype == np.uint8 and found.rgb.shape[2] == 3
    assert found.rgb.flags.c_contiguous
    return found


def slug(data: bytes, limits: Limits | None = None) -> str:
    found = decode(data, limits)
    assert isinstance(found, Fault), "decoded"
    assert found.slug in SLUGS and found.why
    return found.slug
