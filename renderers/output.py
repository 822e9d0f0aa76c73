"""Write rendered pages: a picture and a JSON label each."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

FORMATS = ("png", "webp", "jpg")

_PARAMETERS = {
    "png": [cv2.IMWRITE_PNG_COMPRESSION, 6],
    # Above 100 cv2 writes WebP without loss.
    "webp": [cv2.IMWRITE_WEBP_QUALITY, 101],
    "jpg": [cv2.IMWRITE_JPEG_QUALITY, 95, cv2.IMWRITE_JPEG_SAMPLING_FACTOR, 0x111111],
}


def encode(rgb: npt.NDArray[np.uint8], ext: str) -> bytes:
    """Encode `uint8[H, W, 3]`: png and webp without loss, jpg at quality 95 with full colour."""
    if ext not in FORMATS:
        raise ValueError(f"the formats are {', '.join(FORMATS)}; got {ext!r}")
    done, data = cv2.imencode(f".{ext}", rgb[:, :, ::-1], _PARAMETERS[ext])
    if not done:
        raise ValueError(f"cannot encode a picture of {rgb.shape[1]}x{rgb.shape[0]} px as {ext}")
    return data.tobytes()


def write_page(
    folder: Path, name: str, rgb: npt.NDArray[np.uint8], labels: dict[str, Any], ext: str
) -> None:
    """Write `<name>.<ext>` and `<name>.json` into `folder`."""
    (folder / f"{name}.{ext}").write_bytes(encode(rgb, ext))
    text = json.dumps(labels, ensure_ascii=False, separators=(",", ":"))
    (folder / f"{name}.json").write_text(text, encoding="utf-8")
