"""Score the clarity of pictures.

    python -m filters.clarity PATH... --out scores.parquet [--sheet sheet.png]

PATH is a file or a folder, read recursively. Every file becomes a row: path, clarity, blur,
compression, noise, width, height, slug. `clarity` is 1 for a pristine picture; the others are 1
for surely blurred, compressed, noisy. A file that does not decode has a slug instead of scores.
Choose a threshold by looking at the sheet, or by a query over the table. The scores of a JPEG come
from its stored luma, which is faster. Its decoded colours, in a PNG or in a corpus build, have a
luma that is rounded and clipped again, and score differently by 0.02 on average, by more where a
picture is neither clear nor bad.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
from PIL import Image

from filters.clarity import Clarity
from filters.clarity.sheet import contact_sheet, thumbnail
from filters.table import files_or_error, write_rows
from pipelines.decode import Decoded, Fault, decode, decode_luma

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
_SHEET_PICTURES = 400


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m filters.clarity",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("paths", metavar="PATH", type=Path, nargs="+")
    parser.add_argument("--out", metavar="FILE.parquet", type=Path, required=True)
    parser.add_argument("--sheet", metavar="FILE.png", type=Path, help="pictures by clarity")
    parser.add_argument(
        "--workers", metavar="N", type=int, default=os.cpu_count() or 1, help="threads"
    )
    given = parser.parse_args(argv)
    cv2.setNumThreads(1)
    files = files_or_error(given.paths)
    # Spread over all files: the first ones of a folder are often of one kind.
    shown = {int(i * len(files) / _SHEET_PICTURES) for i in range(_SHEET_PICTURES)}
    kept, faults = [], 0
    for number, row in enumerate(write_rows(files, given.out, _SCHEMA, score, given.workers)):
        faults += row["slug"] is not None
        if given.sheet and number in shown and row["slug"] is None:
            kept.append(row)
    print(f"{len(files)} files, {faults} of them not decoded: {given.out}")
    if given.sheet:
        try:
            contact_sheet(list(_thumbnails(kept))).save(given.sheet)
        except ValueError as error:
            print(f"error: {error}", file=sys.stderr)
            return 1
        print(f"{len(kept)} pictures by clarity: {given.sheet}")
    return 0


def score(data: bytes) -> dict[str, Any]:
    """The row of a file, but for its path."""
    picture = decode_luma(data)
    if isinstance(picture, Fault):
        return {"slug": picture.slug}
    height, width = picture.luma.shape
    return {"width": width, "height": height} | Clarity().score(picture.luma)


def _thumbnails(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Image.Image]]:
    for row in rows:
        picture = decode(Path(row["path"]).read_bytes())
        if isinstance(picture, Decoded):
            yield row, thumbnail(picture.rgb)


if __name__ == "__main__":
    sys.exit(main())
