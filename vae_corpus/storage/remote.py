"""Object stores, any fsspec URL: a file is one finished upload, visible all at once."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO, Any, cast

import fsspec
import pyarrow.fs

from vae_corpus.storage import permission, upload
from vae_corpus.storage.place import Entry

# What stores tell of a version of a file, each in its own words.
_STAMPS = ("ETag", "etag", "md5Hash", "generation", "mtime", "LastModified", "updated", "created")


class Remote:
    """One store of one process; see `Place`."""

    def __init__(self, fs: Any) -> None:
        self.fs = fs
        protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
        self._is_s3 = "s3" in protocols

    def exists(self, path: str) -> bool:
        return bool(self.fs.exists(path))

    def size_bytes(self, path: str) -> int:
        return int(self.fs.info(path)["size"])

    def read_bytes(self, path: str, offset: int, size: int | None) -> bytes:
        if size == 0 and self.exists(path):
            return b""  # HTTP has no words for a range of nothing
        end = None if size is None else offset + size
        try:
            # The whole is a range too: without one, s3fs first asks for the size.
            return bytes(self.fs.cat_file(path, start=offset, end=end))
        except FileNotFoundError:
            raise
        except Exception:
            # A range that starts at the end or after it: a local file has nothing there, an object
            # store an error, each client in its own way.
            if offset < self.size_bytes(path):
                raise
            return b""

    def open_read(self, path: str) -> IO[bytes]:
        return self.fs.open(path, "rb")  # type: ignore[no-any-return]

    def listing(self, folder: str) -> dict[str, Entry]:
        return {
            _name(entry): Entry(bytes=int(entry["size"] or 0), stamp=_stamp(entry))
            for entry in self._entries(folder)
            if entry["type"] == "file"
        }

    def names(self, folder: str) -> list[str]:
        return [_name(entry) for entry in self._entries(folder)]

    def folders(self, folder: str) -> list[str]:
        return [_name(entry) for entry in self._entries(folder) if entry["type"] == "directory"]

    def _entries(self, folder: str) -> list[dict[str, Any]]:
        try:
            # One request for a thousand files.
            return list(self.fs.ls(folder, detail=True))
        except FileNotFoundError:
            return []

    @contextmanager
    def commit(self, path: str) -> Iterator[IO[bytes]]:
        file: upload.Upload
        if self._is_s3:
            file = upload.S3Upload(self.fs, path)
        else:
            file = upload.HandedOver(self.fs, path, self.fs.unstrip_protocol(path))
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
        tag = self.fs.info(path).get("ETag")
        if self.read_bytes(path, 0, None) != old:
            return False
        if new is None:
            self.fs.rm_file(path)
            return True
        return self._put(path, new, IfMatch=tag)

    def _put(self, path: str, data: bytes, **condition: Any) -> bool:
        try:
            self.fs.pipe_file(path, data, **(condition if self._is_s3 else {}))
        except OSError as error:
            said = getattr(error.__cause__, "response", None) or {}
            # 412: the condition does not hold; 409: another conditional PUT is under way.
            if said.get("ResponseMetadata", {}).get("HTTPStatusCode") in (409, 412):
                return False
            raise
        return True

    def remove(self, path: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm_file(path)

    def remove_folder(self, folder: str) -> None:
        with contextlib.suppress(FileNotFoundError):
            self.fs.rm(folder, recursive=True)

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
        return pyarrow.fs.PyFileSystem(pyarrow.fs.FSSpecHandler(self.fs))


def place_of(url: str) -> tuple[Remote, str]:
    """The store of a URL, the same object each time, and the path inside it."""
    if "::" in url:
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
    fs, _ = fsspec.core.url_to_fs(f"{scheme}://{host}", use_listings_cache=False)
    return Remote(fs)


def _name(entry: dict[str, Any]) -> str:
    return str(entry["name"]).rsplit("/", 1)[-1]


def _stamp(entry: dict[str, Any]) -> str:
    return " ".join(f"{name}={entry[name]}" for name in _STAMPS if entry.get(name))
