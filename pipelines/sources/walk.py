"""Files below a folder of a disk, its folders read side by side by threads.

A network disk answers each question after a millisecond; threads ask for many folders at once. The
walk itself goes from folder to folder in a fixed order, because that order decides the names of
what links lead to twice: the first way to a folder names its files.
"""

from __future__ import annotations

import os
import stat
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, NoReturn

from pipelines.sources.base import SourceError
from pipelines.sources.files import FileInfo, is_gone, storable
from pipelines.sources.names import from_os, to_os
from pipelines.sources.patterns import EVERYTHING, fits, split_pattern
from pipelines.workers.pulse import beat

# Folders that are read at once, and how much of one is read ahead: 32 x 500 files take 6 MB.
_READERS = 32
_ENTRIES = 500

# A folder below the top: for each step whether it is a link, and its name. Sorts as the walk goes:
# a folder's own name goes before that of a link to it.
_Way = tuple[tuple[bool, str], ...]


def local_files(path: str, follow_links: bool) -> Iterator[FileInfo]:
    """Files in no order; SourceError for a folder that cannot be read."""
    if os.path.isdir(to_os(path)):
        yield from _Walk(path, EVERYTHING, follow_links).files()
    elif os.path.lexists(to_os(path)):
        root, name = os.path.split(path)
        try:
            found = os.stat(to_os(path))
        except OSError as error:
            yield _gone(root, storable(name), error)
        else:
            if stat.S_ISREG(found.st_mode):
                yield _info(root, storable(name), found)
    else:
        root, pattern = split_pattern(path)
        if pattern and os.path.isdir(to_os(root)):
            yield from _Walk(root, pattern, follow_links).files()


def _info(root: str, name: str, found: os.stat_result) -> FileInfo:
    return FileInfo(root, name, found.st_size, str(found.st_mtime_ns))


def _gone(root: str, name: str, error: OSError) -> FileInfo:
    """What is gone is listed all the same: reading it gives a fault, leaving it out is silent."""
    if not is_gone(error):
        _refuse(error)
    return FileInfo(root, name, 0, "gone")


def _refuse(error: OSError) -> NoReturn:
    raise SourceError(
        f"cannot list {storable(from_os(str(error.filename)))}: {error.strerror}; make it"
        " readable, or point the source elsewhere"
    ) from None


@dataclass(kw_only=True)
class _Read:
    """Some entries of a folder; `more`: there may be others."""

    files: list[FileInfo] = field(default_factory=list)
    folders: list[tuple[bool, str]] = field(default_factory=list)
    more: bool = False


class _Folder:
    """A folder to be visited. `linked`: a link is on the way to it."""

    def __init__(self, path: str, way: _Way, linked: bool) -> None:
        self.path, self.way, self.linked = path, way, linked
        self.first: Future[_Read] | None = None
        self._entries: Any = None
        self._lock = threading.Lock()

    def take(self) -> list[os.DirEntry[str]]:
        """The next entries, in any thread; fewer than `_ENTRIES` at the end."""
        with self._lock:
            if self._entries is None:
                self._entries = os.scandir(self.path)
            return list(islice(self._entries, _ENTRIES))

    def leave(self, _: Any = None) -> None:
        if self._entries is not None:
            self._entries.close()


class _Walk:
    def __init__(self, root: str, pattern: Sequence[str], follow_links: bool) -> None:
        self._root, self._pattern, self._follow_links = root, pattern, follow_links
        self._top = os.path.realpath(to_os(root))
        # Real folders that were visited by way of a link.
        self._claimed: set[str] = set()

    def files(self) -> Iterator[FileInfo]:
        # The next to be visited comes last, and those before it are read ahead.
        waiting = [_Folder(to_os(self._root), (), linked=False)]
        visited = None
        pool = ThreadPoolExecutor(_READERS)
        try:
            while waiting:
                for folder in waiting[-_READERS:]:
                    if folder.first is None:
                        folder.first = pool.submit(self._read, folder)
                visited = waiting.pop()
                assert visited.first is not None
                if self._was_visited(visited):
                    visited.first.add_done_callback(visited.leave)
                    continue
                below: list[tuple[bool, str]] = []
                reads = deque([visited.first])
                while reads:
                    found = reads.popleft().result()
                    # Of a large folder more and more parts are read at once.
                    if found.more and len(reads) < _READERS:
                        reads += [pool.submit(self._read, visited) for _ in range(2)]
                    beat(files=len(found.files))
                    yield from found.files
                    below += found.folders
                waiting += [self._below(visited, *step) for step in sorted(below, reverse=True)]
        finally:
            pool.shutdown(cancel_futures=True)
            for folder in filter(None, (*waiting, visited)):
                folder.leave()

    def _below(self, folder: _Folder, is_link: bool, name: str) -> _Folder:
        path = os.path.join(folder.path, to_os(name))
        return _Folder(path, (*folder.way, (is_link, name)), folder.linked or is_link)

    def _was_visited(self, folder: _Folder) -> bool:
        """Whether a link leads to what was visited, and else take note.

        Without links nothing has to be noted: each folder has one name, and whether its turn has
        come is seen from the order of names.
        """
        if not folder.linked and not self._claimed:
            return False
        real = os.path.realpath(folder.path)
        if real in self._claimed:
            return True
        if not folder.linked:
            return False
        if f"{real}/".startswith(f"{self._top.rstrip('/')}/"):
            parts = [part for part in from_os(real[len(self._top) :]).split("/") if part]
            if self._enters(parts) and tuple((False, part) for part in parts) < folder.way:
                return True
        self._claimed.add(real)
        return False

    def _enters(self, parts: Sequence[str]) -> bool:
        hidden = any(part[0] == "." for part in parts)
        return not hidden and fits(parts, self._pattern, whole=False)

    def _read(self, folder: _Folder) -> _Read:
        above = [name for _, name in folder.way]
        prefix = "".join(f"{storable(name)}/" for name in above)
        found = _Read()
        try:
            entries = folder.take()
        except OSError as error:
            error.filename = error.filename or folder.path
            _refuse(error)
        found.more = len(entries) == _ENTRIES
        for entry in entries:
            self._take(entry, above, prefix, found)
        return found

    def _take(self, entry: os.DirEntry[str], above: list[str], prefix: str, found: _Read) -> None:
        name = entry.name if entry.name.isascii() else from_os(entry.name)
        if name[0] == ".":
            return
        if _is_folder(entry):
            is_link = entry.is_symlink()
            enters = fits([*above, name], self._pattern, whole=False)
            if enters and (self._follow_links or not is_link):
                found.folders.append((is_link, name))
            return
        if not fits([*above, name], self._pattern, whole=True):
            return
        stored = prefix + (name if name.isascii() else storable(name))
        try:
            seen = entry.stat(follow_symlinks=self._follow_links)
        except OSError as error:
            found.files.append(_gone(self._root, stored, error))
            return
        if stat.S_ISREG(seen.st_mode):
            found.files.append(_info(self._root, stored, seen))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link in a circle
