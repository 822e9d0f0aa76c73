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
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from filters.clarity import Clarity
from filters.clarity.sheet import contact_sheet, thumbnail
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
_TOLD_EVERY_S = 1.0
# So many rows are in memory at a time.
_ROWS = 4096


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
    lost = [str(path) for path in given.paths if not path.exists()]
    if lost:
        print(f"error: no such file or folder: {', '.join(lost)}", file=sys.stderr)
        return 2
    cv2.setNumThreads(1)
    files = list(find_files(given.paths))
    if not files:
        print("error: there is no file in what was given", file=sys.stderr)
        return 2
    # Spread over all files: the first ones of a folder are often of one kind.
    shown = {int(i * len(files) / _SHEET_PICTURES) for i in range(_SHEET_PICTURES)}
    kept, faults = [], 0
    for number, row in enumerate(write_rows(files, given.out, given.workers)):
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


def write_rows(files: Sequence[Path], out: Path, workers: int) -> Iterator[dict[str, Any]]:
    """Score files on so many threads and yield their rows, in order.

    The table has its name only when all rows are in it.
    """
    progress = _Progress(len(files))
    draft = out.with_name(f".{out.name}.{os.getpid()}")
    try:
        # Decoding and scoring leave the interpreter free, so threads do.
        with ThreadPoolExecutor(max(1, workers)) as pool, pq.ParquetWriter(draft, _SCHEMA) as table:
            for first in range(0, len(files), _ROWS):
                rows = []
                for row in pool.map(score, files[first : first + _ROWS]):
                    rows.append(row)
                    progress.tell(first + len(rows))
                table.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA))
                yield from rows
        draft.replace(out)
    finally:
        draft.unlink(missing_ok=True)


def find_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that are given, and those in folders that are given, each once, by name."""
    seen: set[Path] = set()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file not in seen:
                seen.add(file)
                yield file


def score(path: Path) -> dict[str, Any]:
    """The row of a file."""
    row: dict[str, Any] = dict.fromkeys(_SCHEMA.names) | {"path": str(path)}
    try:
        data = path.read_bytes()
    except OSError:
        return row | {"slug": "unreadable"}
    picture = decode_luma(data)
    if isinstance(picture, Fault):
        return row | {"slug": picture.slug}
    height, width = picture.luma.shape
    return row | {"width": width, "height": height} | Clarity().score(picture.luma)


def _thumbnails(rows: Sequence[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], Image.Image]]:
    for row in rows:
        picture = decode(Path(row["path"]).read_bytes())
        if isinstance(picture, Decoded):
            yield row, thumbnail(picture.rgb)


class _Progress:
    """A line that is written over on a terminal, and lines now and then in a log."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._start = self._told = time.monotonic()

    def tell(self, done: int) -> None:
        now = time.monotonic()
        if now - self._told < _TOLD_EVERY_S and done < self._total:
            return
        self._told = now
        rate = done / max(now - self._start, 1e-6)
        left = (self._total - done) / rate
        end = "\r" if sys.stdout.isatty() and done < self._total else "\n"
        print(f"{done}/{self._total} files, {rate:.1f} a second, {left:.0f} s left", end=end)


if __name__ == "__main__":
    sys.exit(main())
