"""What a camera and a file format do to a finished page: shrinking, blur, noise, JPEG.

Off unless asked for: an autoencoder learns from its own target, so the target should be sharp.
Labels keep the boxes and contrasts of the sharp page.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import numpy as np
import simplejpeg

from renderers.arrays import Picture


class Camera(NamedTuple):
    """How a page is degraded, in this order.

    Made smaller by `shrink` (1: not) and enlarged again; blurred by a Gaussian of `blur_px`; noise
    of standard deviation `noise` (of 255) from `seed`; saved as JPEG of quality `jpeg` (0: not).
    """

    shrink: float
    blur_px: float
    noise: float
    jpeg: int
    seed: int


def sample_camera(rng: np.random.Generator) -> Camera:
    """Each kind for about half of the pages, from barely seen to plain; letters stay legible."""
    shrink, blur, noise, jpeg = rng.random(4) < 0.5
    return Camera(
        shrink=round(float(rng.uniform(1.05, 1.5)), 2) if shrink else 1.0,
        blur_px=round(float(rng.uniform(0.3, 0.9)), 2) if blur else 0.0,
        noise=round(float(rng.uniform(1, 10)), 1) if noise else 0.0,
        jpeg=int(rng.integers(45, 96)) if jpeg or not (shrink or blur or noise) else 0,
        seed=int(rng.integers(1 << 32)),
    )


def degrade(page: Picture, camera: Camera) -> Picture:
    """`page uint8[H, W, 3]` as the camera has it, of the same size."""
    height, width = page.shape[:2]
    if camera.shrink > 1:
        size = (round(width / camera.shrink), round(height / camera.shrink))
        small = cv2.resize(page, size, interpolation=cv2.INTER_AREA)
        page = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC))
    if camera.blur_px:
        page = np.asarray(cv2.GaussianBlur(page, (0, 0), camera.blur_px))
    if camera.noise:
        rng = np.random.Generator(np.random.PCG64(camera.seed))
        grain = rng.standard_normal(page.shape, dtype=np.float32) * np.float32(camera.noise)
        page = np.clip(np.rint(page + grain), 0, 255).astype(np.uint8)
    if camera.jpeg:
        data = simplejpeg.encode_jpeg(
            np.ascontiguousarray(page), quality=camera.jpeg, colorspace="RGB"
        )
        page = np.asarray(simplejpeg.decode_jpeg(data, colorspace="RGB"))
    return page
