"""Write rendered pages, a picture and a JSON label each: into a folder or a WebDataset tar."""

from __future__ import annotations

import io
import os
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

FORMATS = ("png", "webp", "jpg")

# Milliseconds and kB of a 512 x 512 page: level 6, cv2's adaptive filter 38 and 261; level 1 with
# run lengths and the filter "up" 6 and 319.
_PNG = [
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
]
if hasattr(cv2, "IMWRITE_PNG_FILTER"):  # OpenCV 4.12 or later
    _PNG += [cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_UP]

Write = Callable[[str, bytes, bytes], None]


def encode(rgb: npt.NDArray[np.uint8], ext: str) -> bytes:
    """Encode `uint8[H, W, 3]`: png and webp without loss, jpg at quality 95 with full colour."""
    if ext == "png":
        done, data = cv2.imencode(".png", rgb[:, :, ::-1], _PNG)
        if not done:
            raise ValueError(f"cannot encode a picture of {rgb.shape[1]}x{rgb.shape[0]} px as png")
        return data.tobytes()
    if ext == "webp":
        from PIL import Image

        buffer = io.BytesIO()
        # The fastest method: 10 ms and 224 kB for a page of 512 x 512 px, where cv2 takes 150 ms.
        Image.fromarray(rgb).save(buffer, "webp", lossless=True, method=0, quality=0)
        return buffer.getvalue()
    if ext == "jpg":
        import simplejpeg

        pixels = np.ascontiguousarray(rgb)
        return bytes(
            simplejpeg.encode_jpeg(pixels, quality=95, colorspace="RGB", colorsubsampling="444")
        )
    raise ValueError(f"the formats are {', '.join(FORMATS)}; got {ext!r}")


def write_page(folder: Path, name: str, picture: bytes, label: bytes, ext: str) -> None:
    """Write `<name>.<ext>` and `<name>.json` into `folder`."""
    (folder / f"{name}.{ext}").write_bytes(picture)
    (folder / f"{name}.json").write_bytes(label)


@contextmanager
def page_writer(out: Path, ext: str) -> Iterator[Write]:
    """Hands out `write(name, picture, label)` for a folder, or for a tar when `out` ends in .tar.

    The tar is plain ustar without clock or user, so equal each time, and appears when the block
    ends, whole, or never if it raises.
    """
    if out.suffix != ".tar":
        out.mkdir(parents=True, exist_ok=True)
        yield lambda name, picture, label: write_page(out, name, picture, label, ext)
        return
    out.parent.mkdir(parents=True, exist_ok=True)
    draft = out.with_name(f".{out.name}.{os.getpid()}.tmp")
    try:
        with open(draft, "wb") as file:
            with tarfile.TarFile(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:

                def write(name: str, picture: bytes, label: bytes) -> None:
                    _add(tar, f"{name}.{ext}", picture)
                    _add(tar, f"{name}.json", label)

                yield write
            file.flush()
            os.fsync(file.fileno())
        os.replace(draft, out)
    finally:
        draft.unlink(missing_ok=True)


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))
