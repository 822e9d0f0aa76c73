"""The original bytes of images that were scored: read again where they lie."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

from pipelines.sources.base import Source


class ChangedError(RuntimeError):
    """The source no longer gives what was scored; the message names the file."""


def fetch_original(row: Mapping[str, Any], sources: Mapping[str, Source]) -> bytes:
    """The bytes of a score row; ChangedError when the source gives others by now."""
    data = sources[row["source"]].fetch(row["uri"], row["offset"], row["bytes"])
    if hashlib.sha256(data).hexdigest() != row["sha256"]:
        raise ChangedError(
            f"{row['uri']} has changed since it was scored: restore it, or give it a new"
            " modification time, so that the same command scores it again"
        )
    return data
