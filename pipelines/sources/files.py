"""The files of a source: found below a folder, by a glob pattern, or named one by one.

Local paths never pass through fsspec, which would read `::`, `*` and `[` in a name as its own.
A name on a disk is bytes. They are read as UTF-8 whatever the locale says, so that a folder has
the same members everywhere; a name that is no UTF-8 is stored percent-encoded, as tables hold
nothing else, and `real_path` leads from there back to the file.
"""

from __future__ import annotations

import errno
import fnmatch
import glob
import hashlib
import os
import stat
import sys
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import IO, Any, NoReturn
from urllib.parse import unquote_to_bytes

from pipelines.sources.base import SourceError
from pipelines.sources.names import from_os, to_os
from pipelines.workers.pulse import beat
from vae_corpus import storage

# A folder is cut into up to so many units for the sake of more workers, as long as one has more
# than so many files or bytes: about a second of work, where a unit costs some hundredths.
_SMALL_UNITS = 64
_SMALL_FILES = 32
_SMALL_BYTES = 16 * 1024**2


@dataclass(frozen=True, kw_only=True)
class FileInfo:
    """A file of a source; `version` changes when its content may have changed."""

    root: str
    name: str
    bytes: int
    version: str

    @property
    def uri(self) -> str:
        return storage.join(self.root, self.name)


def find_files(
    uri: str, *, suffix: str | tuple[str, ...] = "", follow_links: bool = True
) -> list[FileInfo]:
    """Files below a folder, of a glob pattern, or the one file, sorted by name.

    A local path that is there is taken as it stands, whatever characters it has. Hidden files and
    folders below it are left out, and what is neither file nor folder. SourceError when no file is
    left, or when a folder cannot be read.
    """
    found = _local_files(uri, follow_links) if storage.is_local(uri) else _remote_files(uri)
    every = sorted(found, key=lambda file: file.uri)
    if not every:
        raise SourceError(f"no files at {uri}: check the path, or remove the source")
    files = [file for file in every if file.name.lower().endswith(suffix)]
    if not files:
        wanted = suffix if isinstance(suffix, str) else suffix[0]
        raise SourceError(f"no {wanted} among the {len(every)} files at {uri}: check the type")
    for one, two in zip(files, files[1:], strict=False):
        if one.uri == two.uri:
            raise SourceError(f"two files would be stored as {one.uri}: rename one of them")
    return files


def read_bytes(uri: str, offset: int = 0, size: int | None = None) -> bytes:
    """`storage.read_bytes` for the address of a `FileInfo`."""
    return storage.read_bytes(real_path(uri), offset, size)


def read_ranges(uri: str, ranges: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """`storage.read_ranges` for the address of a `FileInfo`."""
    return storage.read_ranges(real_path(uri), ranges)


def read_many(
    uris: Iterable[str], *, max_bytes: int = sys.maxsize, sizes: Sequence[int] | None = None
) -> Iterator[bytes | OSError]:
    """`storage.read_many` for the addresses of `FileInfo`s of one source."""
    return storage.read_many([real_path(uri) for uri in uris], max_bytes=max_bytes, sizes=sizes)


def open_read(uri: str, ranges: Sequence[tuple[int, int]] = ()) -> IO[bytes]:
    """`storage.open_read` for the address of a `FileInfo`."""
    return storage.open_read(real_path(uri), ranges)


def stream(uri: str) -> IO[bytes]:
    """`storage.stream` for the address of a `FileInfo`."""
    return storage.stream(real_path(uri))


def size_bytes(uri: str) -> int | None:
    """`storage.size_bytes` for the address of a `FileInfo`."""
    return storage.size_bytes(real_path(uri))


def is_gone(error: OSError) -> bool:
    """Whether there is no file, for good: another try can mend any other error."""
    lasting = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP)
    return isinstance(error, FileNotFoundError) or error.errno in lasting


def matches(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a relative path is wanted. Patterns are those of the shell; `*` also crosses `/`."""
    wanted = not include or any(fnmatch.fnmatchcase(name, p) for p in include)
    return wanted and not any(fnmatch.fnmatchcase(name, p) for p in exclude)


def storable(path: str) -> str:
    """The path as UTF-8 can hold it: in names that are none, odd bytes and % become %XX."""
    return "/".join(part if _is_utf8(part) else _escape(part) for part in path.split("/"))


def real_path(uri: str) -> str:
    """What to open for an address that a `FileInfo` gave; URLs stay as they are."""
    if not storage.is_local(uri):
        return uri
    path = to_os(uri)
    if "%" not in uri or os.path.lexists(path):
        return path
    paths = ["/" if uri.startswith("/") else ""]
    for part in uri.split("/"):
        ways = [os.path.join(path, way) for path in paths for way in (to_os(part), _unescape(part))]
        paths = [path for path in dict.fromkeys(ways) if os.path.lexists(path)] if part else paths
    return paths[0] if paths else path


def _is_utf8(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def _escape(name: str) -> str:
    # `from_os` holds a byte that is no UTF-8 as the surrogate U+DC00 + byte.
    return "".join(
        f"%{ord(c) & 0xFF:02X}" if c == "%" or "\udc80" <= c <= "\udcff" else c for c in name
    )


def _unescape(name: str) -> str:
    raw = unquote_to_bytes(name)
    try:
        raw.decode()
    except UnicodeDecodeError:
        return os.fsdecode(raw)
    return to_os(name)  # never escaped: its percent signs are its own


def _local_files(path: str, follow_links: bool) -> Iterator[FileInfo]:
    if os.path.isdir(to_os(path)):
        yield from _walk(path, ["**"], follow_links)
    elif os.path.lexists(to_os(path)):
        root, name = os.path.split(path)
        file = _local_info(root, name, follow_links=True)
        if file is not None:
            yield file
    else:
        root, pattern = _split_pattern(path)
        if pattern and os.path.isdir(to_os(root)):
            yield from _walk(root, pattern, follow_links)


def _walk(root: str, pattern: list[str], follow_links: bool) -> Iterator[FileInfo]:
    """Files below `root` whose path fits. fsspec's walk passes over links, glob over errors."""
    seen: set[str] = set()
    top = to_os(root)
    for folder, below, names in os.walk(top, onerror=_refuse, followlinks=follow_links):
        real = os.path.realpath(folder)
        if real in seen:  # a link to a folder that was listed, perhaps one above
            below.clear()
            continue
        seen.add(real)
        above = [part for part in from_os(folder.removeprefix(top)).split("/") if part]
        below[:] = [
            name
            for name in below
            if name[0] != "." and _fits([*above, from_os(name)], pattern, whole=False)
        ]
        # The first way to a folder names its files. A disk's own order would differ from machine
        # to machine, and a folder's own name goes before that of a link to it.
        below.sort(key=lambda name: (os.path.islink(os.path.join(folder, name)), from_os(name)))
        for name in names:
            path = [*above, from_os(name)]
            if name[0] == "." or not _fits(path, pattern, whole=True):
                continue
            file = _local_info(root, "/".join(path), follow_links)
            if file is not None:
                beat(files=1)
                yield file


def _refuse(error: OSError) -> NoReturn:
    raise SourceError(
        f"cannot list {storable(from_os(str(error.filename)))}: {error.strerror}; make it"
        " readable, or point the source elsewhere"
    ) from None


def _local_info(root: str, name: str, follow_links: bool) -> FileInfo | None:
    """A file or a link to nowhere; None for a pipe, a device, or a link not to be followed."""
    try:
        found = os.stat(to_os(os.path.join(root, name)), follow_symlinks=follow_links)
    except OSError as error:
        if not is_gone(error):
            _refuse(error)
        # Listed all the same: reading it gives a fault where leaving it out would be silent.
        return FileInfo(root=root, name=storable(name), bytes=0, version="gone")
    if not stat.S_ISREG(found.st_mode):
        return None
    version = str(found.st_mtime_ns)
    return FileInfo(root=root, name=storable(name), bytes=found.st_size, version=version)


def _remote_files(uri: str) -> Iterator[FileInfo]:
    fs, inner = storage.filesystem(uri)
    inner = inner.rstrip("/")
    root, pattern = _split_pattern(inner)
    try:
        look = partial(fs.glob if pattern else fs.find, inner, detail=True)
        listing = storage.patiently(uri, look)
    except FileNotFoundError:
        return
    found = {str(i["name"]): i for i in listing.values() if i["type"] == "file"}
    beat(files=len(found))
    if set(found) == {inner}:
        root = inner.rpartition("/")[0]
    for path, info in found.items():
        if path.endswith("/"):
            continue  # an empty object that some tools leave to stand for a folder
        name = path[len(root) :].lstrip("/")
        if any(part.startswith(".") for part in name.split("/")) and path != inner:
            continue
        yield FileInfo(
            root=root if "://" in root else uri.split("://")[0] + "://" + root,
            name=name,
            bytes=int(info["size"] or 0),
            version=_version(info),
        )


def _version(info: dict[str, Any]) -> str:
    keys = ("ETag", "etag", "mtime", "LastModified", "created")
    return str(next((info[key] for key in keys if info.get(key)), None))


def _split_pattern(path: str) -> tuple[str, list[str]]:
    """The folder before the first part with a wildcard, and the parts from there on."""
    parts = path.split("/")
    fixed = next((i for i, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    return "/".join(parts[:fixed]) or "/", parts[fixed:]


def _fits(parts: list[str], pattern: list[str], *, whole: bool) -> bool:
    """Whether a path fits a pattern; not `whole`: whether something below it can."""
    if not parts:
        return not whole or all(p == "**" for p in pattern)
    if not pattern:
        return False
    if pattern[0] == "**":
        return _fits(parts, pattern[1:], whole=whole) or _fits(parts[1:], pattern, whole=whole)
    fits = fnmatch.fnmatchcase(parts[0], pattern[0])
    return fits and _fits(parts[1:], pattern[1:], whole=whole)


def buckets(files: int, size_bytes: int, files_per_unit: int) -> int:
    """How many units to deal files to: the next power of two, 1 for none.

    It seldom changes as files are added, and then each bucket splits in two.
    """
    small = min(_SMALL_UNITS, max(-(-files // _SMALL_FILES), -(-size_bytes // _SMALL_BYTES)))
    wanted = min(files, max(-(-files // files_per_unit), small))
    return 1 << max(0, wanted - 1).bit_length()


def name_hash(name: str) -> int:
    """A number of 64 bits that decides the bucket of a file."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
