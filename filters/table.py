"""What the commands of the filters share: files in, a table with a row for each out."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from vae_corpus import storage
from vae_corpus.progress import ProgressLine

# So many rows are in memory at a time.
_ROWS = 4096


def find_files(paths: Sequence[Path]) -> Iterator[Path]:
    """The files that are given, and those in folders that are given, each once, by name."""
    seen: set[Path] = set()
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file.is_file() and file not in seen:
                seen.add(file)
                yield file


def files_or_error(paths: Sequence[Path]) -> list[Path]:
    """The files of `paths`; SystemExit, with a message, when a path or every file is missing."""
    lost = [str(path) for path in paths if not path.exists()]
    if lost:
        raise SystemExit(f"error: no such file or folder: {', '.join(lost)}")
    files = list(find_files(paths))
    if not files:
        raise SystemExit("error: there is no file in what was given")
    return files


def write_rows(
    files: Sequence[Path],
    out: Path,
    schema: pa.Schema,
    score: Callable[[bytes], dict[str, Any]],
    workers: int,
    fatal: tuple[type[Exception], ...] = (),
) -> Iterator[dict[str, Any]]:
    """Score files on so many threads and yield their rows, in order.

    `score` turns the bytes of a file into the columns of `schema` but for `path`; where it raises,
    the file gets the slug `score_failed` and stderr the reason. An error of a `fatal` kind is no
    file's fault and ends the work. What a row holds beyond `schema` is yielded, not written. The
    table has its name only when all rows are in it. SystemExit, with a message, when it cannot be
    written.
    """
    progress = ProgressLine(len(files), "files")

    def row_of(path: Path) -> dict[str, Any]:
        row: dict[str, Any] = dict.fromkeys(schema.names) | {"path": shown(path)}
        try:
            data = path.read_bytes()
        except OSError as error:
            print(f"{shown(path)}: {error.strerror}", file=sys.stderr)
            return row | {"slug": "unreadable"}
        try:
            return row | score(data)
        except fatal:
            raise
        except Exception as error:  # one strange file must not cost the table of all others
            print(f"{shown(path)}: {type(error).__name__}: {error}", file=sys.stderr)
            return row | {"slug": "score_failed"}

    try:
        # Decoding and scoring leave the interpreter free, so threads do.
        with (
            ThreadPoolExecutor(max(1, workers)) as pool,
            storage.commit(str(out)) as file,
            pq.ParquetWriter(file, schema) as table,
        ):
            for first in range(0, len(files), _ROWS):
                rows = []
                for row in pool.map(row_of, files[first : first + _ROWS]):
                    rows.append(row)
                    progress.tell(first + len(rows))
                table.write_table(pa.Table.from_pylist(rows, schema=schema))
                yield from rows
    except storage.DiskFull as error:
        raise SystemExit(f"error: {error}") from None
    except OSError as error:
        raise SystemExit(f"error: cannot write {out}: {error.strerror or error}") from None


def shown(path: Path) -> str:
    """A path as text, also when its name is no UTF-8: strange bytes become `\\xff`."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")
