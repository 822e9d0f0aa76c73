"""Small pictures built in code, for tests."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import simplejpeg
from numpy.typing import NDArray

Rgb = NDArray[np.uint8]


def scene(width: int, height: int, seed: int = 0) -> Rgb:
    """A sharp picture of overlapping shapes on a gradient: uint8[H, W, 3]."""
    rng = np.random.default_rng(seed)
    ramp = np.linspace(0, 1, width)[None, :, None] * rng.uniform(40, 160, 3)
    rgb = np.ascontiguousarray(np.broadcast_to(ramp + 30, (height, width, 3)).astype(np.uint8))
    for _ in range(40):
        centre = (int(rng.integers(width)), int(rng.integers(height)))
        colour = tuple(int(c) for c in rng.integers(0, 256, 3))
        size = int(rng.integers(4, max(6, min(width, height) // 4)))
        if rng.random() < 0.5:
            cv2.circle(rgb, centre, size, colour, -1, cv2.LINE_AA)
        else:
            corner = (centre[0] + size, centre[1] + int(rng.integers(4, 2 * size)))
            cv2.rectangle(rgb, centre, corner, colour, -1)
    return rgb


def page(width: int, height: int, seed: int = 0, size_px: int = 12) -> Rgb:
    """Black letters on white, in lines: looks like text to a detector."""
    rng = np.random.default_rng(seed)
    rgb = np.full((height, width, 3), 255, np.uint8)
    letters = "the quick brown fox jumps over a lazy dog while seven wizards pack my box of ink"
    words = letters.split()
    for y in range(2 * size_px, height - size_px, 2 * size_px):
        x = size_px
        while x < width - 8 * size_px:
            word = words[int(rng.integers(len(words)))]
            scale = size_px / 22
            cv2.putText(
                rgb, word, (x, y), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), 1, cv2.LINE_AA
            )
            x += int(cv2.getTextSize(word, cv2.FONT_HERSHEY_SIMPLEX, scale, 1)[0][0]) + size_px
    return rgb


def jpeg(rgb: Rgb, quality: int = 92) -> bytes:
    data: bytes = simplejpeg.encode_jpeg(rgb, quality=quality, colorspace="RGB")
    return data


def encoded(rgb: Rgb, ext: str, options: tuple[int, ...] = ()) -> bytes:
    """`rgb` in any format that OpenCV writes: png, webp, bmp, tiff..."""
    ok, data = cv2.imencode(f".{ext}", rgb[:, :, ::-1], list(options))
    assert ok
    return bytes(data.tobytes())


def write_tar(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w") as tar:
        for name, data in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))


def tree(root: Path) -> dict[str, Any]:
    """Every file below a folder and its bytes, but for those that tell of times and caches."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.name not in ("log.jsonl", "run.js") and path.name[0] != "."
    }
