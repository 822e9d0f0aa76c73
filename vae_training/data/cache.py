"""A folder on this node with whole shards of a remote corpus, of bounded size.

    <root>/shards/<digest>/<number>.tar     whole
                           <number>.part    being fetched, with its final size from the start
                           lock             held by who makes room, for that moment
                           used             held by all who read, for as long as a run lasts

Processes of a node share it and know nothing of each other but these files. A draft is locked by
who writes it, so that one left behind by a dead process is known; the size of all files is looked
at and room is made under one lock, so that the bound holds for all together.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

_WHOLE, _DRAFT = ".tar", ".part"


class ShardCache:
    """The shards of one corpus, by number; `sizes` are those of the tars in the store, in bytes.

    Files of another size are removed when it is opened, and so are folders of other corpora, or of
    this one as it was before it changed, that no run uses. OSError when the folder cannot be made.
    """

    def __init__(self, root: Path, digest: str, sizes: Sequence[int], limit_bytes: int) -> None:
        self.sizes, self.limit_bytes = sizes, limit_bytes
        self._folder = root / "shards" / digest
        self._used = _mark_used(self._folder)
        for other in self._folder.parent.iterdir():
            if other != self._folder:
                _remove_unused(other)
        for number, entry in self._files():
            if entry.name.endswith(_WHOLE) and entry.stat().st_size != self._size(number):
                os.unlink(entry)

    def path(self, number: int) -> str:
        """Where a shard is once it is whole."""
        return f"{self._folder}/{number}{_WHOLE}"

    def has(self, number: int) -> bool:
        return os.path.exists(self.path(number))

    def drop(self, number: int) -> None:
        """Remove a shard that turned out to be cut."""
        _unlink(self.path(number))

    def draft(self, number: int, keep: Collection[int]) -> Draft | None:
        """Room for a shard, taken from those that were not kept for longest.

        None when it is here, another process fetches it, or all that is here is in `keep`.
        """
        with self._locked():
            path = self._folder / f"{number}{_DRAFT}"
            # In this order: a draft that is gone by now has become the shard.
            if not _is_free(path) or self.has(number):
                return None
            if not self._make_room(self._size(number), keep):
                return None
            return Draft(path, Path(self.path(number)), self._size(number))

    def _make_room(self, size: int, keep: Collection[int]) -> bool:
        used, leaving = 0, []
        for number, entry in self._files():
            with contextlib.suppress(FileNotFoundError):  # renamed by who has fetched it
                found = entry.stat()
                used += found.st_size
                if number in keep:
                    os.utime(entry)
                elif entry.name.endswith(_WHOLE) or _is_free(Path(entry.path)):
                    leaving.append((found.st_mtime_ns, entry.path, found.st_size))
        for _, path, freed in sorted(leaving):
            if used + size <= self.limit_bytes:
                break
            _unlink(path)
            used -= freed
        return used + size <= self.limit_bytes

    def _files(self) -> Iterator[tuple[int, os.DirEntry[str]]]:
        with os.scandir(self._folder) as entries:
            for entry in entries:
                number, ext = os.path.splitext(entry.name)
                if ext in (_WHOLE, _DRAFT):
                    yield int(number), entry

    def _size(self, number: int) -> int:
        return int(self.sizes[number]) if number < len(self.sizes) else -1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        handle = os.open(self._folder / "lock", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield
        finally:
            os.close(handle)

    def __del__(self) -> None:
        if hasattr(self, "_used"):
            os.close(self._used)


class Draft:
    """A shard that is being fetched; gone when the block ends, unless it is whole."""

    def __init__(self, path: Path, target: Path, size: int) -> None:
        self._path, self._target, self._finished = path, target, False
        self._handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        fcntl.flock(self._handle, fcntl.LOCK_EX)
        # Counts in full from now on, for all who make room.
        os.ftruncate(self._handle, size)

    def write(self, offset: int, view: memoryview) -> None:
        while view:
            written = os.pwrite(self._handle, view, offset)
            view, offset = view[written:], offset + written

    def finish(self) -> None:
        """Make it whole. Without fsync, a power cut may leave holes in a file of the right size."""
        os.fsync(self._handle)
        os.replace(self._path, self._target)
        self._finished = True

    def __enter__(self) -> Draft:
        return self

    def __exit__(self, *_: object) -> None:
        if not self._finished:
            # While it is locked: after that the name may be another process's draft.
            _unlink(self._path)
        os.close(self._handle)


def _is_free(draft: Path) -> bool:
    """Whether nobody writes this draft; one left behind is removed."""
    try:
        handle = os.open(draft, os.O_RDWR)
    except FileNotFoundError:
        return True
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        _unlink(draft)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True


def _mark_used(folder: Path) -> int:
    """A handle that says until it is closed, or the process dies, that a run uses the folder."""
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(folder / "used", os.O_RDWR | os.O_CREAT, 0o644)
        fcntl.flock(handle, fcntl.LOCK_SH)
        if (folder / "used").exists():
            return handle
        os.close(handle)  # another process has just removed the folder


def _remove_unused(folder: Path) -> None:
    with contextlib.suppress(OSError):
        handle = os.open(folder / "used", os.O_RDWR)  # nothing but our folders has it
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(folder)
        finally:
            os.close(handle)


def _unlink(path: str | Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
