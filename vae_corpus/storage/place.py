"""What every place for files can do: the one interface of local disks and object stores."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import IO, Any, Protocol


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A file of a listing: its size, and a stamp that changes whenever the file is written.

    The stamp is empty where a store tells nothing of the kind: then nothing is known of changes.
    """

    bytes: int
    stamp: str


class Place(Protocol):
    """Paths are those inside the place: local paths, or what stands behind `scheme://`."""

    def exists(self, path: str) -> bool: ...

    def size_bytes(self, path: str) -> int: ...

    def read_bytes(self, path: str, offset: int, size: int | None) -> bytes: ...

    def read_view(self, path: str, offset: int, size: int) -> memoryview: ...

    def read_ranges(self, path: str, wanted: Iterable[tuple[int, int]]) -> Iterator[bytes]: ...

    def read_many(
        self, paths: Sequence[str], max_bytes: int, sizes: Sequence[int] | None
    ) -> Iterator[bytes | OSError]: ...

    def open_read(self, path: str, wanted: Sequence[tuple[int, int]]) -> IO[bytes]: ...

    def stream(self, path: str) -> IO[bytes]: ...

    def listing(self, folder: str, cuts: Sequence[str]) -> dict[str, Entry]: ...

    def names(self, folder: str) -> list[str]: ...

    def each_name(self, folder: str) -> Iterator[str]: ...

    def folders(self, folder: str) -> list[str]: ...

    def commit(self, path: str) -> AbstractContextManager[IO[bytes]]: ...

    def create(self, path: str, data: bytes) -> bool: ...

    def exchange(self, path: str, old: bytes, new: bytes | None) -> bool: ...

    def remove(self, path: str) -> None: ...

    def remove_folder(self, folder: str) -> None: ...

    def sweep(self, folder: str) -> None: ...

    def arrow(self) -> Any:
        """The file system for Arrow's datasets; None: its own for local files."""
