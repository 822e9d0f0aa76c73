"""Pictures that a build has to refuse, made in code out of the demo's own photographs.

A demo whose inputs are all fine shows half of what a build decides. So a few photographs are
damaged as crawled images are: each file's name says how, and the report must show it for that.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vae_corpus import storage
from vae_corpus.pictures import decode

_SIDE_PX = 640
_PNG = b"\x89PNG\r\n\x1a\n"


def write_damaged(photos: Sequence[Path], folder: Path) -> Path:
    """Damage the first two of `photos` into `folder`, and return it; ValueError for no picture."""
    for photo, name in zip(photos, ("a", "b"), strict=False):
        opened = decode.decode(photo.read_bytes())
        if isinstance(opened, decode.Fault):
            raise ValueError(f"{photo}: {opened.slug}, {opened.why}")
        for how, data in damaged(_smaller(opened.rgb)).items():
            # Written again, it would be a new version of the file to a build.
            storage.commit_bytes(str(folder / f"{name}-{how}"), data)
    return folder


def damaged(rgb: NDArray[np.uint8]) -> dict[str, bytes]:
    """Files by name: `rgb` (uint8[H, W, 3], sharp, 400 px and more) in each kind of disrepair."""
    rng = np.random.default_rng(0)
    whole = _encode(rgb, ".jpg", 92)
    png = _encode(rgb[:320, :320], ".png")
    noise = rgb + rng.normal(0, 40, rgb.shape)
    return {
        "blurred.jpg": _encode(cv2.GaussianBlur(rgb, (0, 0), 4), ".jpg", 92),
        "compressed.jpg": _encode(rgb, ".jpg", 6),
        "noisy.jpg": _encode(noise.clip(0, 255).astype(np.uint8), ".jpg", 92),
        "whole.jpg": whole,
        "whole-again.jpg": whole,
        "whole-smaller.jpg": _encode(_scaled(rgb, 0.75), ".jpg", 88),
        "small.jpg": _encode(_scaled(rgb, 0.3), ".jpg", 92),
        "long.jpg": _encode(rgb[-260:], ".jpg", 92),
        "cut.jpg": whole[: len(whole) * 2 // 3],
        "garbled.png": png[: len(png) // 2] + bytes(64) + png[len(png) // 2 + 64 :],
        "bomb.png": _header(60_000, 60_000),
        "page-not-found.jpg": b"<!DOCTYPE html><title>404</title><p>This picture has moved.",
    }


def _smaller(rgb: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return _scaled(rgb, _SIDE_PX / min(rgb.shape[:2]))


def _scaled(rgb: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    scaled = cv2.resize(rgb, None, fx=factor, fy=factor, interpolation=cv2.INTER_AREA)
    return np.asarray(scaled, np.uint8)


def _encode(rgb: NDArray[np.uint8], suffix: str, quality: int = 0) -> bytes:
    settings = [cv2.IMWRITE_JPEG_QUALITY, quality] if suffix == ".jpg" else []
    ok, data = cv2.imencode(suffix, rgb[:, :, ::-1], settings)
    assert ok
    encoded: bytes = data.tobytes()
    return encoded


def _header(width: int, height: int) -> bytes:
    """A PNG that says it is huge and holds nothing."""
    parts = [
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(b"")),
        (b"IEND", b""),
    ]
    return _PNG + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in parts
    )
