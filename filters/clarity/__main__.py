"""Score the clarity of pictures.

    python -m filters.clarity PATHS... --out scores.parquet [--sheet sheet.png]

PATHS are files and folders, read recursively. Every file becomes a row: path, clarity, blur,
compression, noise, width, height, slug. `clarity` is 1 for a pristine picture; the others are 1
for surely blurred, compressed, noisy. A file that does not decode has a slug instead of scores.
Choose a threshold by looking at the sheet, or by a query over the table. The scores of a JPEG come
from its stored luma, which is faster. Its decoded colours, in a PNG or in a corpus build, have a
luma that is rounded and clipped again, and score differently by 0.02 on average, by more where a
picture is neither clear nor bad.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
from PIL import Image
from pydantic import Field, field_validator

from filters.clarity import Clarity
from filters.table import files_or_error, write_rows
from vae_corpus import settings
from vae_corpus.pictures.decode import Decoded, Fault, decode, decode_luma
from vae_corpus.pictures.sheet import Section, contact_sheet, usable_sheet
from vae_corpus.settings import Settings

_SCORES = ("clarity", "blur", "compression", "noise")
_SCHEMA = pa.schema(
    [
        ("path", pa.string()),
        *((name, pa.float32()) for name in _SCORES),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("slug", pa.string()),
    ]
)
_SHEET_PICTURES, _CELL_PX = 400, 192


class ClaritySettings(Settings):
    """What to score, and where to write it."""

    paths: tuple[Path, ...] = Field(min_length=1, description="pictures, and folders of them")
    out: Path = Field(description="Parquet file, a row for every picture")
    sheet: Path | None = Field(None, description="picture file: the pictures by clarity")
    workers: int = Field(os.cpu_count() or 1, ge=1, description="threads")

    _sheet = field_validator("sheet")(usable_sheet)


def main(argv: Sequence[str] | None = None) -> int:
    """Score and write; SystemExit with a message for paths that are not there."""
    given = settings.load(ClaritySettings, argv, description=__doc__ or "", positional=("paths",))
    cv2.setNumThreads(1)
    files = files_or_error(given.paths)
    # Spread over all files: the first ones of a folder are often of one kind.
    shown = {int(i * len(files) / _SHEET_PICTURES) for i in range(_SHEET_PICTURES)}
    kept, faults = [], 0
    for number, row in enumerate(write_rows(files, given.out, _SCHEMA, score, given.workers)):
        faults += row["slug"] is not None
        if given.sheet and number in shown and row["slug"] is None:
            kept.append((row, files[number]))
    print(f"{len(files)} files, {faults} of them without scores: {given.out}")
    if given.sheet:
        try:
            kept.sort(key=lambda pair: (-pair[0]["clarity"], pair[0]["path"]))
            contact_sheet([Section.of(_thumbnails(kept), columns=8)]).save(given.sheet)
        except (OSError, ValueError) as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"{len(kept)} of {len(files)} pictures by clarity: {given.sheet}")
    return 0


def score(data: bytes) -> dict[str, Any]:
    """The row of a file, but for its path."""
    picture = decode_luma(data)
    if isinstance(picture, Fault):
        return {"slug": picture.slug}
    height, width = picture.luma.shape
    return {"width": width, "height": height} | Clarity().score(picture.luma)


def _thumbnails(rows: Sequence[tuple[dict[str, Any], Path]]) -> Iterator[tuple[Image.Image, str]]:
    """Centre crops at 1:1 (scaled down, a blurred picture looks sharp) and their scores."""
    for row, path in rows:
        picture = decode(path.read_bytes())
        if isinstance(picture, Decoded):
            height, width = picture.rgb.shape[:2]
            y, x = max(0, (height - _CELL_PX) // 2), max(0, (width - _CELL_PX) // 2)
            crop = np.ascontiguousarray(picture.rgb[y : y + _CELL_PX, x : x + _CELL_PX])
            scores = " ".join(f"{k[0]} {row[k]:.2f}" for k in ("blur", "compression", "noise"))
            caption = (
                f"clarity {row['clarity']:.2f}   {scores}\n{row['path'].rsplit('/', 1)[-1][-32:]}"
            )
            yield Image.fromarray(crop), caption


if __name__ == "__main__":
    sys.exit(settings.run(main))
