"""Files on their way to an object store: sent in parts, visible only when they are published.

An upload to S3 is a plain PUT while it fits into one part, and a multipart upload from then on,
with a few parts under way while the next one is written. Other stores are given a file by their
own client, from memory or from a temporary file on the local disk.
"""

from __future__ import annotations

import contextlib
import functools
import io
import os
import tempfile
import threading
from abc import abstractmethod
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from pathlib import Path
from typing import Any

from vae_corpus.storage import flight
from vae_corpus.storage.local import told_if_full

# Makes a request, again while that may help.
Ask = Callable[[Callable[[], Any]], Any]

PART_BYTES = 8 * 1024**2
# Of one file, and of all files that a process writes at the same time, besides the part of each
# that is being filled.
_PARTS_UNDER_WAY = 3
_ALL_UNDER_WAY = 8
# A store takes 10,000 parts of a file. Parts double after so many of a size: room for 500 GB.
_PARTS_OF_A_SIZE = 2000


class Upload(io.RawIOBase):
    """A file to be written from start to end, which ends in `publish` or `discard`."""

    def __init__(self) -> None:
        super().__init__()
        self._buffer = bytearray()
        self._at = 0

    def writable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def write(self, data: Any) -> int:
        view = memoryview(data).cast("B")
        size = len(view)
        while view:
            taken = view[: self._part_bytes() - len(self._buffer)]
            self._buffer += taken
            view = view[len(taken) :]
            if len(self._buffer) >= self._part_bytes():
                self._spill()
        self._at += size
        return size

    def _part_bytes(self) -> int:
        return PART_BYTES

    @abstractmethod
    def _spill(self) -> None:
        """Take the buffer, which has grown to the size of a part, out of memory."""

    @abstractmethod
    def settle(self) -> None:
        """Send what is left, so that only publishing remains; nothing is visible yet."""

    @abstractmethod
    def publish(self) -> None:
        """Make the whole file visible at once."""

    @abstractmethod
    def discard(self) -> None:
        """Leave nothing behind; quiet about faults, since there is one already."""


class S3Upload(Upload):
    """An upload through s3fs."""

    def __init__(self, fs: Any, path: str, ask: Ask) -> None:
        super().__init__()
        self._fs, self._path, self._ask = fs, path, ask
        bucket, key, _ = fs.split_path(path)
        self._where = {"Bucket": bucket, "Key": key}
        self._upload_id = ""
        self._under_way: deque[Future[Any]] = deque()
        self._sent: list[Future[Any]] = []

    def _part_bytes(self) -> int:
        return PART_BYTES << (len(self._sent) // _PARTS_OF_A_SIZE)

    def _spill(self) -> None:
        if not self._upload_id:
            begun = self._call("create_multipart_upload")
            self._upload_id = begun["UploadId"]
        while len(self._under_way) >= _PARTS_UNDER_WAY:
            self._under_way.popleft().result()
        part, self._buffer = self._buffer, bytearray()
        room = _room(os.getpid())
        room.acquire()
        future = flight.submit(partial(self._send, len(self._sent) + 1, part))
        future.add_done_callback(lambda _: room.release())
        self._under_way.append(future)
        self._sent.append(future)

    def _send(self, number: int, part: bytearray) -> Any:
        """Only the tag of a part is kept: whatever else is kept of it would hold its bytes."""
        sent = self._call("upload_part", UploadId=self._upload_id, PartNumber=number, Body=part)
        return sent["ETag"]

    def _call(self, method: str, **arguments: Any) -> Any:
        return self._ask(lambda: self._fs.call_s3(method, **self._where, **arguments))

    def settle(self) -> None:
        if self._upload_id and self._buffer:
            self._spill()
        while self._under_way:
            self._under_way.popleft().result()

    def publish(self) -> None:
        if not self._upload_id:
            self._ask(lambda: self._fs.pipe_file(self._path, bytes(self._buffer)))
            return
        tags = [sent.result() for sent in self._sent]
        parts = [{"PartNumber": i + 1, "ETag": tag} for i, tag in enumerate(tags)]
        self._complete(parts)

    def _complete(self, parts: list[dict[str, Any]]) -> None:
        try:
            self._call(
                "complete_multipart_upload",
                UploadId=self._upload_id,
                MultipartUpload={"Parts": parts},
            )
        except FileNotFoundError:
            # The answer to an earlier try was lost: then the upload is gone and the file is there.
            found = self._ask(lambda: self._fs.info(self._path))
            if found["size"] != self._at:
                raise

    def discard(self) -> None:
        self._buffer = bytearray()
        # A part that arrives after the upload was aborted would stay, and be paid for.
        for sent in self._sent:
            with contextlib.suppress(Exception):
                sent.result()
        if self._upload_id:
            with contextlib.suppress(Exception):
                abort(self._fs, **self._where, upload_id=self._upload_id)


class HandedOver(Upload):
    """A file that is kept here until it is whole, and is then given to the store's own client."""

    def __init__(self, fs: Any, path: str, ask: Ask) -> None:
        super().__init__()
        self._fs, self._path, self._ask = fs, path, ask
        self._draft: Any = None

    def _spill(self) -> None:
        if self._draft is None:
            self._draft = tempfile.NamedTemporaryFile(prefix="vae-corpus-")  # noqa: SIM115
        with told_if_full(self._fs.unstrip_protocol(self._path), Path(self._draft.name)):
            self._draft.write(self._buffer)
            self._draft.flush()
        self._buffer = bytearray()

    def settle(self) -> None:
        if self._draft is not None:
            self._spill()

    def publish(self) -> None:
        if self._draft is None:
            self._ask(lambda: self._fs.pipe_file(self._path, bytes(self._buffer)))
            return
        self._ask(lambda: self._fs.put_file(self._draft.name, self._path))
        self._draft.close()

    def discard(self) -> None:
        self._buffer = bytearray()
        if self._draft is not None:
            self._draft.close()


# What other threads held does not survive a fork.
@functools.lru_cache(maxsize=1)
def _room(process: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(_ALL_UNDER_WAY)


def abort(fs: Any, *, Bucket: str, Key: str, upload_id: str) -> None:  # noqa: N803
    """Forget a multipart upload and the parts that have arrived."""
    fs.call_s3("abort_multipart_upload", Bucket=Bucket, Key=Key, UploadId=upload_id)
