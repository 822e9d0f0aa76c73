"""Write rendered pages, a picture and a JSON label each: into a folder or a WebDataset tar."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt

from vae_corpus import storage
from vae_corpus.pictures.encode import jpeg, lossless
from vae_corpus.tar import TarWriter

FORMATS = ("png", "webp", "jpg")
_JPEG_QUALITY = 95

Write = Callable[[str, bytes, bytes], None]


def encode(rgb: npt.NDArray[np.uint8], ext: str) -> bytes:
    """Encode `uint8[H, W, 3]`: png and webp without loss, jpg at quality 95 with full colour."""
    return jpeg(rgb, _JPEG_QUALITY) if ext == "jpg" else lossless(rgb, ext)


def write_page(folder: Path, name: str, picture: bytes, label: bytes, ext: str) -> None:
    """Write `<name>.<ext>` and `<name>.json` into `folder`."""
    (folder / f"{name}.{ext}").write_bytes(picture)
    (folder / f"{name}.json").write_bytes(label)


@contextmanager
def page_writer(out: Path, ext: str) -> Iterator[Write]:
    """Hands out `write(name, picture, label)` for a folder, or for a tar when `out` ends in .tar.

    The tar appears when the block ends, whole, or never if it raises.
    """
    if out.suffix != ".tar":
        out.mkdir(parents=True, exist_ok=True)
        yield lambda name, picture, label: write_page(out, name, picture, label, ext)
        return
    with storage.commit(str(out)) as file:
        tar = TarWriter(file)

        def write(name: str, picture: bytes, label: bytes) -> None:
            tar.add(f"{name}.{ext}", picture)
            tar.add(f"{name}.json", label)

        yield write
        tar.close()
