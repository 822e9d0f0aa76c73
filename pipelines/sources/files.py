"""The files of a source: what a listing tells of one, how its name is stored, how it is opened.

Local paths never pass through fsspec, which would read `::`, `*` and `[` in a name as its own.
A name on a disk is bytes. They are read as UTF-8 whatever the locale says, so that a folder has
the same members everywhere; a name that is no UTF-8 is stored percent-encoded, as tables hold
nothing else, and `real_path` leads from there back to the file.
"""

from __future__ import annotations

import errno
import fnmatch
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from typing import IO, NamedTuple
from urllib.parse import unquote_to_bytes

from pipelines.sources.names import to_os
from vae_corpus import storage


class FileInfo(NamedTuple):
    """A file of a source; `version` changes when its content may have changed.

    A tuple: listings make them by the million, and a frozen dataclass takes three times as long.
    """

    root: str
    name: str
    bytes: int
    version: str

    @property
    def uri(self) -> str:
        return storage.join(self.root, self.name)


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
