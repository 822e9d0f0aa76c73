"""What lies beside a document: its style sheets, pictures and fonts, and nothing outside."""

from __future__ import annotations

import mimetypes
import os
from pathlib import Path, PurePosixPath
from typing import Protocol
from urllib.parse import unquote, urlsplit

MAX_FILE_BYTES = 32 * 1024**2
# Of all files that one document asks for.
MAX_TOTAL_BYTES = 128 * 1024**2

_TYPES = {
    ".avif": "image/avif",
    ".jxl": "image/jxl",
    ".js": "text/javascript",
    ".otf": "font/otf",
    ".svg": "image/svg+xml",
    ".ttf": "font/ttf",
    ".webp": "image/webp",
    ".woff": "font/woff",
    ".woff2": "font/woff2",
    ".xhtml": "application/xhtml+xml",
}


class Resources(Protocol):
    """Files by their place, as `css/page.css`, relative to what holds them all."""

    def read(self, place: str) -> bytes | None:
        """The bytes; None when there is no such file here, or it is too large."""


class Folder:
    """The files below a folder; a link that leads out of it leads nowhere."""

    def __init__(self, folder: Path) -> None:
        self._root = Path(os.path.realpath(folder))

    def read(self, place: str) -> bytes | None:
        try:
            path = Path(os.path.realpath(self._root / place))
            if not path.is_relative_to(self._root) or not path.is_file():
                return None
            with path.open("rb") as file:
                data = file.read(MAX_FILE_BYTES + 1)
        except (OSError, ValueError):
            return None
        return data if len(data) <= MAX_FILE_BYTES else None


def place_of(url: str, origin: str) -> str | None:
    """The place that `url` names below `origin`; None for any other address.

    No step leads upwards: what the browser did not resolve names nothing.
    """
    parts = urlsplit(url)
    if f"{parts.scheme}://{parts.netloc}" != origin:
        return None
    path = unquote(parts.path).lstrip("/")
    if not path or "\0" in path or "\\" in path or ".." in PurePosixPath(path).parts:
        return None
    return path


def content_type(place: str) -> str:
    """By the end of the name."""
    suffix = PurePosixPath(place).suffix.lower()
    return _TYPES.get(suffix) or mimetypes.types_map.get(suffix, "application/octet-stream")
