"""Cut the window of a batch out of an encoded image: random for training, centred for validation.

Opening and decoding are two steps, so that a thread opens some images and then decodes them:
Python code between two decodes runs out of cold caches (see `open_image`).
"""

from __future__ import annotations

import threading
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from vae_corpus.pictures.decode import Fault, Opened, decode, open_image
from vae_corpus.words import Bucket
from vae_training.data.reading import Encoded
from vae_training.data.shards import Shards

# Enough for 3,072 x 4,608 px, the largest rung at one and a half times its size; larger images get
# memory of their own. The system only backs what is written to.
_SCRATCH_BYTES = 3 * 3072 * 4608

Pixels = NDArray[np.uint8]
# An opened image, not decoded yet, and a view of its window as rows of bytes.
OpenedWindow = tuple[Opened, Pixels]


class Place(NamedTuple):
    """Crop and flip of an image: `number` in this rank's share, `slot` in the global batch.

    `down` and `across` in [0, 1) place the window.
    """

    number: int
    slot: int
    down: float
    across: float
    flip: bool


class _Scratch(threading.local):
    """A buffer per thread that images are decoded into, one after the other."""

    def __init__(self) -> None:
        self.memory: Pixels = np.empty(_SCRATCH_BYTES, dtype=np.uint8)


_SCRATCH = _Scratch()


def open_window(data: Encoded, bucket: Bucket, place: Place) -> OpenedWindow | Fault:
    """Read the header of an image and find its window; images to be flipped are opened as BGR.

    The window is valid until the thread decodes another image. A fault of reading is given back.
    """
    if isinstance(data, Fault):
        return data
    image = open_image(data, _SCRATCH.memory, bgr=place.flip)
    if isinstance(image, Fault):
        return image
    if fault := too_small(image.pixels, bucket):
        return fault
    crop = crop_at(image.pixels, bucket, place.down, place.across)
    return image, crop.reshape(bucket.height, 3 * bucket.width)


def decode_window(found: OpenedWindow | Fault, flip: bool, target: Pixels) -> Fault | None:
    """Decode an image and copy its window into `target`, uint8[H, W * 3]; or return its fault."""
    if isinstance(found, Fault):
        return found
    image, window = found
    if fault := image.decode():
        return fault
    if flip:
        mirror(window, target)
    else:
        cv2.copyTo(window, None, dst=target)  # numpy takes a third longer
    return None


def mirror(bgr: Pixels, target: Pixels) -> None:
    """Fill `target`, RGB, with the mirror image of `bgr`; both uint8[H, W * 3], rows of bytes.

    Reversing the bytes of a row mirrors its pixels and turns BGR into RGB. It takes half the time
    of moving pixels of three bytes, and a twentieth of a numpy view's.
    """
    cv2.flip(bgr, 1, dst=target)


def read_rgb(shards: Shards, row: int, bucket: Bucket) -> Pixels | Fault:
    """The whole image of a row, uint8[H, W, 3], at least as large as `bucket`; else a fault."""
    data = shards.read(row)
    image = data if isinstance(data, Fault) else decode(data)
    if isinstance(image, Fault):
        return image
    return too_small(image.rgb, bucket) or image.rgb


def too_small(image: Pixels, bucket: Bucket) -> Fault | None:
    height, width, _ = image.shape
    if width < bucket.width or height < bucket.height:
        return Fault("too_small", f"{width}x{height} px do not fill the bucket {bucket}")
    return None


def crop_at(rgb: Pixels, bucket: Bucket, down: float, across: float) -> Pixels:
    """A window of the bucket's size; `down` and `across` in [0, 1) are shares of the margin."""
    height, width, _ = rgb.shape
    top = int(down * (height - bucket.height + 1))
    left = int(across * (width - bucket.width + 1))
    return rgb[top : top + bucket.height, left : left + bucket.width]


def centre_crop(rgb: Pixels, width: int, height: int) -> Pixels:
    """The centre window of the given size, or less where the image is smaller."""
    top, left = max(0, rgb.shape[0] - height) // 2, max(0, rgb.shape[1] - width) // 2
    return rgb[top : top + height, left : left + width]
