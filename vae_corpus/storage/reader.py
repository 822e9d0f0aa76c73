"""Files of a store, one request a call: through fsspec, or for S3 through obstore.

With 64 in flight and 30 ms each, s3fs gave 624 objects of 60 kB a second at 1.0 ms CPU, obstore
1,371 at .13 (`benchmarks/store_clients.py`).
"""

from __future__ import annotations

import contextlib
import os
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from vae_corpus.storage.faults import CutShort, status_of

CONNECT_S, SILENT_S, WHOLE_S = 10, 30, 600
# Credentials that end are asked for again after so long; who keeps them renews them in time.
_RENEW = timedelta(minutes=5)

# Bytes, or what can be viewed as bytes without a copy.
Buffer = Any


class Reader(Protocol):
    """Reads of one store. Errors are those of its client; nothing is tried twice here."""

    def size_bytes(self, path: str) -> int: ...

    def get(self, path: str, start: int, stop: int | None) -> Buffer:
        """What there is of a range; CutShort when bytes are missing in between."""

    def whole(self, path: str, limit: int) -> tuple[Buffer | None, int]:
        """A file, or None if it has more than `limit` bytes, and its size."""

    def entries(self, folder: str, after: str = "", until: str = "") -> list[dict[str, Any]]:
        """What lies directly in a folder, as fsspec tells it: a request for a thousand files.

        Where `can_begin`, of names that come after one, and up to another (`""`: to the last).
        """

    @property
    def can_begin(self) -> bool: ...


class FsspecReader:
    """Any store that fsspec knows."""

    can_begin = False

    def __init__(self, fs: Any) -> None:
        self._fs = fs

    def size_bytes(self, path: str) -> int:
        return int(self._fs.info(path)["size"])

    def get(self, path: str, start: int, stop: int | None) -> Buffer:
        if start == stop:
            return b""  # HTTP has no words for a range of nothing
        try:
            # The whole is a range too: without one, s3fs first asks for the size.
            data = self._fs.cat_file(path, start=start, end=stop)
        except FileNotFoundError:
            raise
        except Exception as error:
            # A range that starts at the end or after it: a local file has nothing there, an object
            # store an error, each client in its own way.
            if status_of(error) not in (None, 416) or start < self.size_bytes(path):
                raise
            return b""
        if stop is None:
            return data
        if len(data) > stop - start:
            return data[start:stop]  # the server knows no ranges and gave all
        if len(data) < stop - start and start + len(data) < self.size_bytes(path):
            raise CutShort(f"{len(data)} of {stop - start} bytes")
        return data

    def whole(self, path: str, limit: int) -> tuple[Buffer | None, int]:
        data = self.get(path, 0, limit + 1)
        if len(data) <= limit:
            return data, len(data)
        return None, self.size_bytes(path)

    def entries(self, folder: str, after: str = "", until: str = "") -> list[dict[str, Any]]:
        return list(self._fs.ls(folder, detail=True))


class S3Reader:
    """S3 and what speaks like it; endpoint and credentials are those that s3fs found."""

    def __init__(self, fs: Any, bucket: str) -> None:
        self._fs, self._prefix = fs, f"{bucket}/"
        self._slow = FsspecReader(fs)
        self._store = _s3_store(fs, bucket)
        self._process = os.getpid()

    def size_bytes(self, path: str) -> int:
        import obstore

        if not self._knows(path):
            return self._slow.size_bytes(path)
        return int(obstore.head(self._store, self._key(path))["size"])

    def get(self, path: str, start: int, stop: int | None) -> Buffer:
        import obstore

        if start == stop:
            return b""
        if not self._knows(path):
            return self._slow.get(path, start, stop)
        wanted: Any = {"offset": start} if stop is None else (start, stop)
        try:
            answer = obstore.get(self._store, self._key(path), options={"range": wanted})
        except Exception as error:
            if status_of(error) == 416:
                return b""
            raise
        return _all_of(answer)

    def whole(self, path: str, limit: int) -> tuple[Buffer | None, int]:
        import obstore

        if not self._knows(path):
            return self._slow.whole(path, limit)
        answer = obstore.get(self._store, self._key(path))
        size = int(answer.meta["size"])
        return (None if size > limit else _all_of(answer)), size

    @property
    def can_begin(self) -> bool:
        # Directory buckets know neither an order of keys nor where to begin.
        return self._knows("") and not self._prefix.endswith("--x-s3/")

    def entries(self, folder: str, after: str = "", until: str = "") -> list[dict[str, Any]]:
        import obstore

        if not self._knows(folder):
            return self._slow.entries(folder)
        # A file takes 3 us of CPU time, through s3fs 70.
        prefix = self._key(f"{folder.rstrip('/')}/")
        if not after and not until:
            found: Any = obstore.list_with_delimiter(self._store, prefix)
            below = [self._prefix + name for name in found["common_prefixes"]]
            folders = [{"name": name, "type": "directory"} for name in below]
            return [*map(self._entry, found["objects"]), *folders]
        files: list[dict[str, Any]] = []
        for page in obstore.list(self._store, prefix, offset=prefix + after, chunk_size=1000):
            keys = (file for file in page if not until or file["path"] <= prefix + until)
            files += [self._entry(f) for f in keys if "/" not in f["path"][len(prefix) :]]
            if until and page[-1]["path"] > prefix + until:
                break
        return files

    def _entry(self, file: Any) -> dict[str, Any]:
        told = {"size": file["size"], "ETag": file["e_tag"], "LastModified": file["last_modified"]}
        return {"name": self._prefix + file["path"], "type": "file", **told}

    def _knows(self, path: str) -> bool:
        # Its keys have no empty parts, and its threads do not survive a fork.
        return "//" not in path and os.getpid() == self._process

    def _key(self, path: str) -> str:
        return path.removeprefix(self._prefix)


def _all_of(answer: Any) -> Buffer:
    start, stop = answer.range
    data = answer.bytes()
    if len(data) < stop - start:
        raise CutShort(f"{len(data)} of {stop - start} bytes")
    return data


def _s3_store(fs: Any, bucket: str) -> Any:
    """The same bucket for obstore: it knows neither profiles nor where a bucket lies."""
    import fsspec.asyn
    from obstore.store import S3Store

    fs.connect()
    client = fs.s3.meta
    options: dict[str, Any] = {"region": client.region_name or "us-east-1"}
    if ".amazonaws.com" not in client.endpoint_url:
        options["endpoint"] = client.endpoint_url
    else:
        # Whoever may not list a bucket may not ask this either, and yet read it.
        with contextlib.suppress(PermissionError):
            told = fs.call_s3("head_bucket", Bucket=bucket)
            options["region"] = told.get("BucketRegion", options["region"])
    held = fsspec.asyn.sync(fs.loop, fs.session.get_credentials)
    if fs.anon or held is None:
        options["skip_signature"] = True

    def credentials() -> Any:
        now = fsspec.asyn.sync(fs.loop, held.get_frozen_credentials)
        return {
            "access_key_id": now.access_key,
            "secret_access_key": now.secret_key,
            "token": now.token,
            "expires_at": datetime.now(UTC) + _RENEW if now.token else None,
        }

    return S3Store(
        bucket,
        client_options={
            "allow_http": True,
            "connect_timeout": timedelta(seconds=CONNECT_S),
            "read_timeout": timedelta(seconds=SILENT_S),
            "timeout": timedelta(seconds=WHOLE_S),
        },
        # Tried again by us, with all other stores.
        retry_config={"max_retries": 0},
        credential_provider=None if "skip_signature" in options else credentials,
        **options,
    )
