"""Files by path or URL, wherever they lie."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import IO, Any, TypeVar

from vae_corpus.storage import permission, remote
from vae_corpus.storage.local import Local
from vae_corpus.storage.place import Entry, Place

T = TypeVar("T")

_LOCAL = Local()


def join(base: str, *parts: str) -> str:
    """Join path parts below a folder or URL."""
    return "/".join([base.rstrip("/"), *parts])


def name_of(path: str) -> str:
    """The last part of a path or URL."""
    return path.rstrip("/").rsplit("/", 1)[-1]


def is_local(path: str) -> bool:
    return "://" not in path


def at(path: str) -> tuple[Place, str]:
    """The place of a path or URL, and the path inside it."""
    return (_LOCAL, path) if is_local(path) else remote.place_of(path)


def filesystem(path: str) -> tuple[Any, str]:
    """The fsspec file system of a path or URL, and the path inside it."""
    place, inner = remote.place_of(f"file://{path}" if is_local(path) else path)
    return place.fs, inner


def patiently(path: str, request: Callable[[], T]) -> T:
    """The answer of a store's own client to a request, made again while that may help."""
    place, inner = remote.place_of(path)
    return place.ask(inner, request)


def exists(path: str) -> bool:
    place, inner = at(path)
    return place.exists(inner)


def size_bytes(path: str) -> int | None:
    """Size of a file, or None when it is not there."""
    place, inner = at(path)
    try:
        return place.size_bytes(inner)
    except FileNotFoundError:
        return None


def read_bytes(path: str, offset: int = 0, size: int | None = None) -> bytes:
    """Read a file or what there is of a range of it; FileNotFoundError when it is not there."""
    place, inner = at(path)
    return place.read_bytes(inner, offset, size)


def read_view(path: str, offset: int, size: int) -> memoryview:
    """As `read_bytes`, in the memory in which it came.

    To copy a large part costs more than to receive it: a page of fresh memory after the other.
    """
    place, inner = at(path)
    return place.read_view(inner, offset, size)


def read_ranges(path: str, ranges: Iterable[tuple[int, int]]) -> Iterator[bytes]:
    """What there is of each (offset, size) of a file, in their order.

    Of a store neighbours come with one request where offsets ascend, and many requests are in
    flight (`allow_requests`), with up to 256 MiB ahead of who takes the answers.
    """
    place, inner = at(path)
    return place.read_ranges(inner, ranges)


def read_many(
    paths: Sequence[str], *, max_bytes: int = sys.maxsize, sizes: Sequence[int] | None = None
) -> Iterator[bytes | OSError]:
    """Each of these files of one place, whole and in order, with many requests in flight.

    In place of one that cannot be read comes its error: FileNotFoundError, or TooLarge for more
    than `max_bytes`. About 256 MiB are ahead at most; what is known of `sizes` makes that exact.
    """
    if not paths:
        return iter(())
    found = [at(path) for path in paths]
    return found[0][0].read_many([inner for _, inner in found], max_bytes, sizes)


def open_read(path: str, ranges: Sequence[tuple[int, int]] = ()) -> IO[bytes]:
    """A seekable binary file, local or remote; of a store just what is asked for is read.

    `ranges`: (offset, size) that will be read, each in order: these come ahead, in large pieces.
    """
    place, inner = at(path)
    return place.open_read(inner, ranges)


def stream(path: str) -> IO[bytes]:
    """A seekable binary file for who reads it from start to end: of a store it comes ahead.

    Large requests, several in flight, at most 96 MiB in memory. Far seeks are right and slow.
    """
    place, inner = at(path)
    return place.stream(inner)


def names(folder: str, suffix: str = "") -> list[str]:
    """Sorted names of the finished files directly in a folder; empty when it is not there."""
    place, inner = at(folder)
    found = place.names(inner)
    return sorted(n for n in found if n.endswith(suffix) and not n.startswith("."))


def each_name(folder: str, suffix: str = "") -> Iterator[str]:
    """The same in no order and one by one, for folders of millions of files."""
    place, inner = at(folder)
    return (n for n in place.each_name(inner) if n.endswith(suffix) and not n.startswith("."))


def listing(folder: str, cuts: Sequence[str] = ()) -> dict[str, Entry]:
    """Size and stamp of the finished files directly in a folder, a thousand a request.

    What lies between `cuts`, names in order that need not be there, is asked for side by side.
    """
    place, inner = at(folder)
    found = place.listing(inner, cuts)
    return {n: e for n, e in sorted(found.items()) if not n.startswith(".")}


def folders(folder: str) -> list[str]:
    """Sorted names of the folders directly in a folder; empty when it is not there."""
    place, inner = at(folder)
    return sorted(place.folders(inner))


def commit(path: str) -> AbstractContextManager[IO[bytes]]:
    """A binary file that appears at `path` when the block ends, and never if it raises.

    It is written from start to end. To an object store it goes in parts while it is written, with
    at most a few of them in memory.
    """
    place, inner = at(path)
    return place.commit(inner)


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


def create(path: str, data: bytes) -> bool:
    """Write a small file that is not there yet; False when it is: one of several writers wins.

    Local and shared disks: O_EXCL. S3: a conditional PUT. Other stores have no such condition here:
    two writers may both believe to have won, and whoever looks again sees who was last.
    """
    place, inner = at(path)
    return place.create(inner, data)


def exchange(path: str, old: bytes, new: bytes | None) -> bool:
    """Write `new` over `old`, None to delete it; False when the file holds something else.

    As `create`: flock around a look and a write, or a conditional PUT.
    """
    place, inner = at(path)
    try:
        return place.exchange(inner, old, new)
    except FileNotFoundError:
        return False


def remove(path: str) -> None:
    """Delete a file; nothing happens when it is not there."""
    permission.ask()
    place, inner = at(path)
    place.remove(inner)


def sweep(folder: str) -> None:
    """Remove what writers that were killed left behind in a folder: drafts, begun uploads."""
    permission.ask()
    place, inner = at(folder)
    place.sweep(inner)


def remove_folder(folder: str) -> None:
    """Delete a folder and all in it."""
    permission.ask()
    place, inner = at(folder)
    place.remove_folder(inner)
