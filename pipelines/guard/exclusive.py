"""Small files that several processes write by turns: only one of them wins each write.

Local and shared disks: O_EXCL, and flock around a look and a write. S3: conditional PUT. Other
stores have no such condition here: two writers may both believe to have won, and whoever looks
again sees who was last.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Any

from vae_corpus import storage


def create(path: str, data: bytes) -> bool:
    """Write a file that is not there yet; False when it is."""
    if storage.is_local(path):
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        try:
            handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o644)
        except FileExistsError:
            return False
        try:
            with storage.told_if_full(path, Path(path)), open(handle, "wb") as file:
                file.write(data)
        except BaseException:
            # Half a file would be taken for somebody else's.
            os.unlink(path)
            raise
        return True
    if storage.exists(path):
        return False
    return _put(path, data, IfNoneMatch="*")


def exchange(path: str, old: bytes, new: bytes | None) -> bool:
    """Write `new` over `old`, None to delete it; False when the file holds something else."""
    try:
        if storage.is_local(path):
            return _exchange_local(path, old, new)
        fs, inner = storage.filesystem(path)
        # The tag comes first: should the content change before it is read, the tag is too old.
        tag = fs.info(inner).get("ETag")
        if storage.read_bytes(path) != old:
            return False
        if new is None:
            fs.rm_file(inner)
            return True
        return _put(path, new, IfMatch=tag)
    except FileNotFoundError:
        return False


def _exchange_local(path: str, old: bytes, new: bytes | None) -> bool:
    with open(path, "r+b", buffering=0) as file:
        handle = file.fileno()
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            pass  # a file system without locks: as on stores without conditions
        # By its path: the file that is locked may have been deleted since it was opened.
        if storage.read_bytes(path) != old:
            return False
        if new is None:
            os.unlink(path)
            return True
        # In place, in one piece: readers find the old or the new, and a kill leaves no draft.
        os.pwrite(handle, new, 0)
        os.ftruncate(handle, len(new))
        with contextlib.suppress(OSError):
            os.fsync(handle)
        return True


def _put(path: str, data: bytes, **condition: Any) -> bool:
    fs, inner = storage.filesystem(path)
    protocols = (fs.protocol,) if isinstance(fs.protocol, str) else fs.protocol
    try:
        fs.pipe_file(inner, data, **(condition if "s3" in protocols else {}))
    except OSError as error:
        said = getattr(error.__cause__, "response", None) or {}
        # 412: the condition does not hold; 409: another conditional PUT is under way.
        if said.get("ResponseMetadata", {}).get("HTTPStatusCode") in (409, 412):
            return False
        raise
    return True
