"""Object stores, any fsspec URL: a file is one finished upload, visible all at once."""

from __future__ import annotations

import contextlib
import functools
import importlib.util
import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import IO, Any, TypeVar, cast

import fsspec
import pyarrow as pa
import pyarrow.fs

from vae_corpus.redact import redacted
from vae_corpus.storage import ahead, flight, permission, ranges, upload
from vae_corpus.storage.faults import status_of
from vae_corpus.storage.patience import Patience
from vae_corpus.storage.place import Entry
from vae_corpus.storage.reader import FsspecReader, Reader, S3Reader

T = TypeVar("T")

# What pip is asked for, by scheme; others come with fsspec.
_EXTRAS = {"s3": "s3", "s3a": "s3", "gs": "gs", "gcs": "gs", "az": "az", "abfs": "az"}
_EXTRAS |= {"abfss": "az", "hf": "hf", "http": "http", "https": "http"}

# What stores tell of a version of a file, each in its own words.
_STAMPS = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "updated", "created")


class Remote:
    """One store of one process; see `Place`."""

    def __init__(self, fs: Any, reader: Reader | None = None) -> None:
        self.fs = fs
        protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
        self._is_s3 = "s3" in protocols
        self._reader = reader or FsspecReader(fs)
        self._patience = Patience()

    def ask(self, path: str, request: Callable[[], T]) -> T:
        """The answer to a request about this path, which is made again while that may help."""
        return self._patience.call(request, self.fs.unstrip_protocol(path))

    def _get(self, path: str, start: int, stop: int | None) -> Any:
        return self.ask(path, lambda: self._reader.get(path, start, stop))

    def exists(self, path: str) -> bool:
        return self.ask(path, lambda: bool(self.fs.exists(path)))

    def size_bytes(self, path: str) -> int:
        return self.ask(path, lambda: self._reader.size_bytes(path))

    def read_bytes(self, path: str, offset: int, size: int | None) -> bytes:
        if size == 0:
            self.size_bytes(path)  # FileNotFoundError, as for any other size
            return b""
        return bytes(self._get(path, offset, None if size is None else offset + size))

    def read_view(self, path: str, offset: int, size: int) -> memoryview:
        if size == 0:
            return memoryview(self.read_bytes(path, offset, size))
        return memoryview(self._get(path, offset, offset + size))

    def read_ranges(self, path: str, wanted: Iterable[tuple[int, int]]) -> Iterator[bytes]:
        return ranges.read_ranges(partial(self._get, path), wanted)

    def read_many(
        self, paths: Sequence[str], max_bytes: int, sizes: Sequence[int] | None
    ) -> Iterator[bytes | OSError]:
        def whole(path: str, limit: int) -> tuple[Any | None, int]:
            return self.ask(path, lambda: self._reader.whole(path, limit))

        return ranges.read_many(whole, self._get, paths, max_bytes, sizes)

    def open_read(self, path: str, wanted: Sequence[tuple[int, int]]) -> IO[bytes]:
        size = self.size_bytes(path)
        return ahead.open_file(partial(self._get, path), size, wanted, now=False)

    def stream(self, path: str) -> IO[bytes]:
        size = self.size_bytes(path)
        return ahead.open_file(partial(self._get, path), size, [(0, size)], now=True)

    def listing(self, folder: str, cuts: Sequence[str]) -> dict[str, Entry]:
        edges = ["", *(cuts if self._reader.can_begin else ()), ""]
        parts = [
            flight.submit(partial(self._entries, folder, after, until))
            for after, until in itertools.pairwise(edges)
        ]
        return {
            _name(entry): Entry(bytes=int(entry["size"] or 0), stamp=_stamp(entry))
            for part in parts
            for entry in part.result()
            if entry["type"] == "file"
        }

    def names(self, folder: str) -> list[str]:
        return [_name(entry) for entry in self._entries(folder)]

    def each_name(self, folder: str) -> Iterator[str]:
        if not self._is_s3:
            yield from self.names(folder)
            return
        bucket, prefix, _ = self.fs.split_path(f"{folder.rstrip('/')}/")
        after: dict[str, str] = {}
        while True:
            look = partial(
                self.fs.call_s3,
                "list_objects_v2",
                Bucket=bucket,
                Prefix=prefix,
                Delimiter="/",
                **after,
            )
            page = self.ask(folder, look)
            for found in page.get("Contents", ()):
                yield found["Key"][len(prefix) :]
            if not page.get("IsTruncated"):
                return
            after = {"ContinuationToken": page["NextContinuationToken"]}

    def folders(self, folder: str) -> list[str]:
        return [_name(entry) for entry in self._entries(folder) if entry["type"] == "directory"]

    def _entries(self, folder: str, after: str = "", until: str = "") -> list[dict[str, Any]]:
        try:
            return self.ask(folder, lambda: self._reader.entries(folder, after, until))
        except FileNotFoundError:
            return []

    @contextmanager
    def commit(self, path: str) -> Iterator[IO[bytes]]:
        file: upload.Upload
        if self._is_s3:
            file = upload.S3Upload(self.fs, path, partial(self.ask, path))
        else:
            file = upload.HandedOver(self.fs, path, partial(self.ask, path))
        try:
            yield cast(IO[bytes], file)
            file.settle()
            permission.ask()
            file.publish()
        except BaseException:
            file.discard()
            raise

    def create(self, path: str, data: bytes) -> bool:
        if self.exists(path):
            return False
        return self._put(path, data, IfNoneMatch="*")

    def exchange(self, path: str, old: bytes, new: bytes | None) -> bool:
        # The tag comes first: should the content change before it is read, the tag is too old.
        tag = self.ask(path, lambda: self.fs.info(path)).get("ETag")
        if self.read_bytes(path, 0, None) != old:
            return False
        if new is None:
            self.ask(path, lambda: self.fs.rm_file(path))
            return True
        return self._put(path, new, IfMatch=tag)

    def _put(self, path: str, data: bytes, **condition: Any) -> bool:
        def put() -> bool:
            try:
                self.fs.pipe_file(path, data, **(condition if self._is_s3 else {}))
            except OSError as error:
                # 412: the condition does not hold; 409: another conditional PUT is under way.
                if status_of(error) in (409, 412):
                    return False
                raise
            return True

        return self.ask(path, put)

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.ask(path, lambda: self.fs.rm_file(path))

    def remove_folder(self, folder: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.ask(folder, lambda: self.fs.rm(folder, recursive=True))

    def sweep(self, folder: str) -> None:
        """Abort uploads that were begun directly in this folder and never ended."""
        if not self._is_s3:
            return
        bucket, prefix, _ = self.fs.split_path(f"{folder.rstrip('/')}/")
        # A key may write objects and not see uploads; some stores have no such list.
        with contextlib.suppress(OSError, NotImplementedError):
            after: dict[str, str] = {}
            while True:
                begun = self.fs.call_s3(
                    "list_multipart_uploads", Bucket=bucket, Prefix=prefix, **after
                )
                for found in begun.get("Uploads", ()):
                    key = found["Key"]
                    if key.startswith(prefix) and "/" not in key[len(prefix) :]:
                        upload.abort(self.fs, Bucket=bucket, Key=key, upload_id=found["UploadId"])
                if not begun.get("IsTruncated"):
                    break
                after = {
                    "KeyMarker": begun["NextKeyMarker"],
                    "UploadIdMarker": begun["NextUploadIdMarker"],
                }

    def arrow(self) -> Any:
        return pyarrow.fs.PyFileSystem(_Handler(self))


class _Handler(pyarrow.fs.FSSpecHandler):  # type: ignore[misc]
    """Arrow's datasets read what they ask for, with patience."""

    def __init__(self, place: Remote) -> None:
        super().__init__(place.fs)
        self._place = place

    def open_input_file(self, path: str) -> Any:
        return pa.PythonFile(self._place.open_read(path, ()), mode="r")


def place_of(url: str) -> tuple[Remote, str]:
    """The store of a URL, the same object each time, and the path inside it."""
    if "::" in url:
        with _told_of_extras(url.split("://", 1)[0]):
            fs, inner = fsspec.core.url_to_fs(url, use_listings_cache=False)
        return Remote(fs), str(inner)
    scheme, _, rest = url.partition("://")
    place = _place(scheme, rest.split("/", 1)[0], os.getpid())
    return place, str(place.fs._strip_protocol(url))


def forget() -> None:
    """Connect anew from here on, as after a change of the environment that names the store."""
    _place.cache_clear()


# By process: sessions do not survive a fork.
@functools.cache
def _place(scheme: str, host: str, pid: int) -> Remote:
    # Without listings kept in memory: other processes commit files all the time, and a build that
    # looks into an old list would take their work for missing.
    with _told_of_extras(scheme):
        fs, _ = fsspec.core.url_to_fs(f"{scheme}://{host}", use_listings_cache=False)
    is_s3 = _EXTRAS.get(scheme) == "s3"
    if not is_s3 or pid != _first_process():
        return Remote(fs)
    if importlib.util.find_spec("obstore") is None:
        raise ImportError(_missing(scheme))
    url = f"{scheme}://{host}"
    return Remote(fs, Patience().call(lambda: S3Reader(fs, host), url))


@functools.cache
def _first_process() -> int:
    """Threads of obstore do not survive a fork: a child of a reader goes on without them."""
    return os.getpid()


@contextmanager
def _told_of_extras(scheme: str) -> Iterator[None]:
    try:
        yield
    except ImportError as error:
        if scheme not in _EXTRAS:
            raise
        raise ImportError(_missing(scheme)) from error
    except ValueError as error:
        raise ValueError(redacted(str(error))) from None


def _missing(scheme: str) -> str:
    return f"{scheme}:// needs pip install 'vae-corpus[{_EXTRAS[scheme]}]'"


def _name(entry: dict[str, Any]) -> str:
    return str(entry["name"]).rsplit("/", 1)[-1]


def _stamp(entry: dict[str, Any]) -> str:
    return " ".join(f"{name}={entry[name]}" for name in _STAMPS if entry.get(name))
