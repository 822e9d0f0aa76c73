"""Local and shared disks: write beside the target, fsync, rename."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import io
import os
import shutil
import stat
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

from vae_corpus.storage import permission
from vae_corpus.storage.faults import TooLarge
from vae_corpus.storage.place import Entry

# The disk has no room, this user has no room, or a file has grown to its limit (ulimit -f).
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# On a network disk each stat is a request.
_STATS_AT_ONCE, _STATS_EACH = 16, 500


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


def sync_folder(folder: Path) -> None:
    """Bring a rename to the disk: a power cut may lose it although the data are there."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


class Local:
    """Files of this machine's disks; see `Place`."""

    def exists(self, path: str) -> bool:
        return os.path.exists(path)

    def size_bytes(self, path: str) -> int:
        return os.stat(path).st_size

    def read_bytes(self, path: str, offset: int, size: int | None) -> bytes:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(-1 if size is None else size)

    def read_view(self, path: str, offset: int, size: int) -> memoryview:
        return memoryview(self.read_bytes(path, offset, size))

    def read_ranges(self, path: str, wanted: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        with open(path, "rb", buffering=0) as file:
            for offset, size in wanted:
                file.seek(offset)
                yield _up_to(file, size)

    def read_many(
        self, paths: Sequence[str], max_bytes: int, sizes: Sequence[int] | None
    ) -> Iterator[bytes | OSError]:
        for path in paths:
            try:
                with open(path, "rb", buffering=0) as file:
                    size = os.fstat(file.fileno()).st_size
                    data: bytes | OSError = TooLarge(size) if size > max_bytes else file.readall()
            except OSError as error:
                data = error
            yield data

    def open_read(self, path: str, wanted: Sequence[tuple[int, int]]) -> IO[bytes]:
        return open(path, "rb")

    def stream(self, path: str) -> IO[bytes]:
        return open(path, "rb")

    def listing(self, folder: str, cuts: Sequence[str]) -> dict[str, Entry]:
        names = self.names(folder)
        parts = [names[i : i + _STATS_EACH] for i in range(0, len(names), _STATS_EACH)]
        found: dict[str, Entry] = {}
        with ThreadPoolExecutor(_STATS_AT_ONCE) as pool:
            for entries in pool.map(lambda part: _entries(folder, part), parts):
                found |= entries
        return found

    def names(self, folder: str) -> list[str]:
        return os.listdir(folder) if os.path.isdir(folder) else []

    def each_name(self, folder: str) -> Iterator[str]:
        if os.path.isdir(folder):
            with os.scandir(folder) as entries:
                for entry in entries:
                    yield entry.name

    def folders(self, folder: str) -> list[str]:
        return [p.name for p in Path(folder).glob("*") if p.is_dir()]

    @contextmanager
    def commit(self, path: str) -> Iterator[IO[bytes]]:
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        # The name is unique to this writer: after a lost heartbeat two may write the same target.
        draft = target.with_name(f".{target.name}.{uuid.uuid4().hex}.tmp")
        try:
            with told_if_full(path, draft), open(draft, "wb") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
            permission.ask()
            os.replace(draft, target)
            sync_folder(target.parent)
        finally:
            draft.unlink(missing_ok=True)

    def create(self, path: str, data: bytes) -> bool:
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        try:
            with told_if_full(path, Path(path)), open(handle, "wb") as file:
                file.write(data)
        except BaseException:
            # Half a file would be taken for somebody else's.
            os.unlink(path)
            raise
        return True

    def exchange(self, path: str, old: bytes, new: bytes | None) -> bool:
        with open(path, "r+b", buffering=0) as file:
            handle = file.fileno()
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
            except OSError:
                pass  # a file system without locks: as on stores without conditions
            # By its path: the file that is locked may have been deleted since it was opened.
            if Path(path).read_bytes() != old:
                return False
            if new is None:
                os.unlink(path)
                return True
            # In place, in one piece: readers find the old or the new, and a kill leaves no draft.
            os.pwrite(handle, new, 0)
            os.ftruncate(handle, len(new))
            with contextlib.suppress(OSError):
                os.fsync(handle)
            return True

    def remove(self, path: str) -> None:
        Path(path).unlink(missing_ok=True)

    def remove_folder(self, folder: str) -> None:
        shutil.rmtree(folder, ignore_errors=True)

    def sweep(self, folder: str) -> None:
        for draft in Path(folder).glob(".*.tmp"):
            draft.unlink(missing_ok=True)

    def arrow(self) -> Any:
        return None


def _up_to(file: io.FileIO, size: int) -> bytes:
    """So many bytes from here on, fewer at the end of the file; the kernel gives 2 GB at most."""
    data = file.read(size)
    while len(data) < size and (more := file.read(size - len(data))):
        data += more
    return data


def _entries(folder: str, names: Sequence[str]) -> dict[str, Entry]:
    found: dict[str, Entry] = {}
    for name in names:
        try:
            seen = os.stat(os.path.join(folder, name))
        except OSError:
            continue  # gone since, or a link to nowhere
        if stat.S_ISDIR(seen.st_mode):
            continue
        # Copies may be given the time of their original, but nobody sets the second one.
        stamp = f"{seen.st_mtime_ns}-{seen.st_ctime_ns}"
        found[name] = Entry(bytes=seen.st_size, stamp=stamp)
    return found
