"""Files that are either whole or not there, on a local disk or an object store.

Local: write beside the target, fsync, rename. Object stores (any fsspec URL): one finished PUT,
which those stores make visible all at once. A second writer of the same path writes the same
bytes, so whoever comes last changes nothing.
"""

from __future__ import annotations

import errno
import io
import os
import shutil
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import IO, Any

import duckdb
import fsspec
import pyarrow as pa
import pyarrow.dataset as ds
import pyarrow.fs
import pyarrow.parquet as pq

_BATCH_ROWS = 8192

_may_write: ContextVar[Callable[[], None] | None] = ContextVar("_may_write", default=None)


# The disk has no room, this user has no room, or a file has grown to its limit (ulimit -f).
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class DiskFull(RuntimeError):
    """There is no room for a file; the message names it and how much it needs."""


@contextmanager
def told_if_full(path: str, draft: Path) -> Iterator[None]:
    """DiskFull, which names `path`, when the block finds no room for its draft of the file."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        written = draft.stat().st_size if draft.exists() else 0
        free = shutil.disk_usage(draft.parent).free
        raise DiskFull(
            f"no room to write {path}: {error.strerror}. It needs more than the {written:,} bytes"
            f" that were written; {free:,} bytes are free there. Make room, or name another folder"
            " with --out; what is committed stays, and the same command goes on from here"
        ) from None


@contextmanager
def guarded(check: Callable[[], None]) -> Iterator[None]:
    """Call `check` right before anything is committed or removed in this block; it may raise."""
    before = _may_write.set(check)
    try:
        yield
    finally:
        _may_write.reset(before)


def _ask() -> None:
    check = _may_write.get()
    if check is not None:
        check()


def join(base: str, *parts: str) -> str:
    """Join path parts below a folder or URL."""
    return "/".join([base.rstrip("/"), *parts])


def is_local(path: str) -> bool:
    return "://" not in path


def filesystem(path: str) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and the path inside it."""
    # Without listings kept in memory: other processes commit files all the time, and a build that
    # looks into an old list would take their work for missing.
    fs, inner = fsspec.core.url_to_fs(path, use_listings_cache=False)
    return fs, str(inner)


def exists(path: str) -> bool:
    if is_local(path):
        return os.path.exists(path)
    fs, inner = filesystem(path)
    return bool(fs.exists(inner))


def size_bytes(path: str) -> int | None:
    """Size of a file, or None when it is not there."""
    try:
        if is_local(path):
            return os.stat(path).st_size
        fs, inner = filesystem(path)
        return int(fs.info(inner)["size"])
    except FileNotFoundError:
        return None


def read_bytes(path: str, offset: int = 0, size: int | None = None) -> bytes:
    """Read a file or what there is of a range of it; FileNotFoundError when it is not there."""
    if is_local(path):
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(-1 if size is None else size)
    fs, inner = filesystem(path)
    if offset == 0 and size is None:
        return bytes(fs.cat_file(inner))
    if size == 0 and exists(path):
        return b""  # HTTP has no words for a range of nothing
    try:
        return bytes(fs.cat_file(inner, start=offset, end=None if size is None else offset + size))
    except Exception:
        # A range that starts at the end or after it: a local file has nothing there, an object
        # store an error, each client in its own way.
        held = size_bytes(path)
        if held is None or offset < held:
            raise
        return b""


def open_read(path: str) -> IO[bytes]:
    """A seekable binary file, local or remote."""
    if is_local(path):
        return open(path, "rb")
    fs, inner = filesystem(path)
    return fs.open(inner, "rb")  # type: ignore[no-any-return]


def names(folder: str, suffix: str = "") -> list[str]:
    """Sorted names of the finished files directly in a folder; empty when it is not there."""
    if is_local(folder):
        found = os.listdir(folder) if os.path.isdir(folder) else []
    else:
        fs, inner = filesystem(folder)
        found = [p.rsplit("/", 1)[-1] for p in fs.ls(inner, detail=False)] if exists(folder) else []
    return sorted(n for n in found if n.endswith(suffix) and not n.startswith("."))


def folders(folder: str) -> list[str]:
    """Sorted names of the folders directly in a folder; empty when it is not there."""
    if is_local(folder):
        return sorted(p.name for p in Path(folder).glob("*") if p.is_dir())
    if not exists(folder):
        return []
    fs, inner = filesystem(folder)
    found = fs.ls(inner, detail=True)
    return sorted(e["name"].rsplit("/", 1)[-1] for e in found if e["type"] == "directory")


def name_of(path: str) -> str:
    """The last part of a path or URL."""
    return path.rstrip("/").rsplit("/", 1)[-1]


@contextmanager
def commit(path: str) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` when the block ends, and never if it raises."""
    if not is_local(path):
        buffer = io.BytesIO()
        yield buffer
        fs, inner = filesystem(path)
        _ask()
        fs.pipe_file(inner, buffer.getvalue())
        return
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    # The name is unique to this writer: after a lost heartbeat two may write the same target.
    draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
    try:
        with told_if_full(path, draft), open(draft, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _ask()
        os.replace(draft, target)
        sync_folder(target.parent)
    finally:
        draft.unlink(missing_ok=True)


def commit_bytes(path: str, data: bytes) -> bool:
    """Commit `data` unless the file already holds just that; True when it was written."""
    try:
        if read_bytes(path) == data:
            return False
    except FileNotFoundError:
        pass
    with commit(path) as file:
        file.write(data)
    return True


def table_bytes(table: pa.Table) -> bytes:
    """A table as Parquet bytes, the same for the same table."""
    sink = io.BytesIO()
    pq.write_table(table, sink, compression="zstd", row_group_size=64 * 1024)
    return sink.getvalue()


def parquet_metadata(path: str) -> dict[str, str] | None:
    """The key-value marks of a Parquet file; None when it is not there or not whole."""
    try:
        with open_read(path) as file:
            marks = pq.ParquetFile(file).schema_arrow.metadata
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    return {key.decode(): value.decode() for key, value in (marks or {}).items()}


def dataset(paths: Sequence[str]) -> ds.Dataset:
    """Parquet files as one table that is read piece by piece; any of them missing is an error."""
    if not paths or is_local(paths[0]):
        return ds.dataset(list(paths))
    fs, _ = filesystem(paths[0])
    inner = [filesystem(path)[1] for path in paths]
    return ds.dataset(inner, filesystem=pa.fs.PyFileSystem(pa.fs.FSSpecHandler(fs)))


def query(
    paths: Sequence[str], sql: str, columns: Sequence[str] | None = None
) -> list[dict[str, Any]]:
    """The answer to `sql` over the table `stored`, all rows of these Parquet files.

    With `columns` the table has these alone and is read once, little ahead: millions of wide rows
    would take a gigabyte otherwise.
    """
    if not paths:
        return []
    # Paths stay out of the SQL: quotes and brackets are names there, not syntax.
    with duckdb.connect() as db:
        stored: Any = dataset(paths)
        if columns is not None:
            ahead = {"batch_size": _BATCH_ROWS, "batch_readahead": 2, "fragment_readahead": 1}
            stored = stored.scanner(columns=list(columns), **ahead).to_reader()
        db.register("stored", stored)
        answer: Any = db.sql(sql)
        rows: list[dict[str, Any]] = answer.to_arrow_table().to_pylist()
    return rows


def remove(path: str) -> None:
    """Delete a file; nothing happens when it is not there."""
    _ask()
    if is_local(path):
        Path(path).unlink(missing_ok=True)
    elif exists(path):
        fs, inner = filesystem(path)
        fs.rm_file(inner)


def sweep(folder: str) -> None:
    """Remove what writers that were killed left behind in a local folder."""
    _ask()
    if is_local(folder):
        for draft in Path(folder).glob(".*.tmp"):
            draft.unlink(missing_ok=True)


def remove_folder(folder: str) -> None:
    """Delete a folder and all in it."""
    _ask()
    if is_local(folder):
        shutil.rmtree(folder, ignore_errors=True)
    else:
        fs, inner = filesystem(folder)
        fs.rm(inner, recursive=True)


def sync_folder(folder: Path) -> None:
    """Bring a rename to the disk: a power cut may lose it although the data are there."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
