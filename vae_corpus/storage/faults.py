"""What went wrong with a store, told apart: what passes, what is not there, what is refused."""

from __future__ import annotations

import errno
import os
import re
from collections.abc import Iterator

from vae_corpus.redact import redacted


class StoreError(OSError):
    """A store did not do what it was asked; the message names the URL and what to look at."""


class CutShort(OSError):
    """An answer that ends before all bytes are there."""


class TooLarge(OSError):
    """A file has more bytes than its reader takes; it was not read."""

    def __init__(self, size_bytes: int) -> None:
        super().__init__(f"{size_bytes} bytes")
        self.size_bytes = size_bytes


# Too late, too many, and whatever is the server's own fault.
_PASSING = (408, 425, 429)
_STATUS = re.compile(r"status code: (\d{3})")
# Whose errors are no OSError although the network made them.
_CLIENTS = frozenset(
    ("adlfs", "aiohttp", "aiobotocore", "azure", "botocore", "fsspec", "gcsfs", "google")
    + ("httpcore", "httpx", "huggingface_hub", "obstore", "requests", "urllib3")
)
# Will be raised again, however often the call is made.
_LASTING = (
    FileNotFoundError,
    PermissionError,
    FileExistsError,
    IsADirectoryError,
    NotADirectoryError,
    NotImplementedError,
    ValueError,
    TooLarge,
)
_NO_CREDENTIALS = ("NoCredentialsError", "PartialCredentialsError", "UnauthenticatedError")
_DENIED = ("PermissionDeniedError",)


def status_of(error: BaseException) -> int | None:
    """The HTTP status that a client's error tells of, in one way or another."""
    for each in _chain(error):
        said = getattr(each, "response", None)
        if isinstance(said, dict):
            status = said.get("ResponseMetadata", {}).get("HTTPStatusCode")
        else:
            answered = getattr(said, "status_code", None)
            status = answered or getattr(each, "status", None) or getattr(each, "code", None)
        if isinstance(status, int) and 100 <= status < 600:
            return status
        if found := _STATUS.search(str(each)):
            return int(found[1])
    return None


def passes(error: BaseException) -> bool:
    """Whether another try may end otherwise."""
    status = status_of(error)
    if status is not None:
        return status >= 500 or status in _PASSING
    if isinstance(error, _LASTING) or type(error).__name__ in _NO_CREDENTIALS + _DENIED:
        return False
    if isinstance(error, OSError):
        return True  # also connections, time limits, and what has no number
    return type(error).__module__.split(".")[0] in _CLIENTS


def told(error: Exception, url: str) -> Exception:
    """The error as callers know it: of the same kind as on a disk, with the URL in its text.

    What no network made, such as a wrong argument, stays as it is.
    """
    place, status, name = redacted(url), status_of(error), type(error).__name__
    if isinstance(error, StoreError | CutShort | TooLarge):
        return error
    if isinstance(error, FileNotFoundError) or status == 404:
        return FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), place)
    if isinstance(error, PermissionError) or status in (401, 403) or name in _DENIED:
        why = "the store refuses these credentials, or they may not do this here"
        return PermissionError(errno.EACCES, f"{why}: {_LOOK_AT}", place)
    if name in _NO_CREDENTIALS:
        why = "there are no credentials in the environment"
        return PermissionError(errno.EACCES, f"{why}: {_LOOK_AT}", place)
    if isinstance(error, OSError) or type(error).__module__.split(".")[0] in _CLIENTS:
        # The rest is how the client's own values look inside.
        text = redacted(str(error).split("\n\nDebug source", 1)[0])
        return StoreError(errno.EIO, f"{name}: {text}", place)
    return error


_LOOK_AT = (
    "check AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (GOOGLE_APPLICATION_CREDENTIALS,"
    " AZURE_STORAGE_ACCOUNT_KEY or HF_TOKEN for other stores), and what the bucket allows"
)


def _chain(error: BaseException) -> Iterator[BaseException]:
    each: BaseException | None = error
    for _ in range(4):
        if each is None:
            return
        yield each
        each = each.__cause__ or each.__context__
