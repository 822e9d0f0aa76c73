"""What a source is: it lists units, reads one, and fetches a single item again.

`fetch` is how packing gets at the original bytes without reading a unit twice: an item's
`(uri, offset, bytes)` is its address. What `offset` counts is each source's own affair: bytes in
a tar, rows in a Parquet file, pages in a document.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator

from pipelines import storage
from pipelines.settings import Settings

IMAGE_EXTENSIONS = ("jpg", "jpeg", "png", "webp", "gif", "bmp", "tif", "tiff", "jfif", "avif")


class SourceError(RuntimeError):
    """A source cannot be listed or read; the message names it and what to do."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    """The piece of a source that one task reads."""

    unit_id: str
    source: str
    uri: str
    start: int
    stop: int
    bytes: int
    members: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Item:
    """One image as a source hands it out. `fault` (slug, why) replaces bytes that are not there."""

    member: str
    uri: str
    offset: int
    data: bytes
    fault: tuple[str, str] | None = None


class Source(Settings):
    """Base of all sources: settings that know how to list, read and fetch."""

    name: str = Field(description="short name; the first part of every sample key")
    uri: str = Field(description="folder, file, glob pattern or URL (s3://... needs the s3 extra)")
    content: Literal["auto", "document"] = Field(
        "auto", description="document: every image is a page; auto: decided by its text"
    )

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        # The name becomes part of WebDataset keys, where a dot would start the extension.
        if not name or not all(c.isascii() and (c.isalnum() or c == "_") for c in name):
            raise ValueError("a source's name has letters, digits and _ only")
        return name

    def units(self) -> Iterator[Unit]:
        raise NotImplementedError

    def read(self, unit: Unit) -> Iterator[Item]:
        raise NotImplementedError

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        """The bytes of the item at this address, as `read` gave them."""
        raise NotImplementedError

    def _unit_id(self, *parts: Any) -> str:
        """16 hex digits that name a unit by its source and by what it is made of."""
        whole = json.dumps([type(self).__name__, self.name, self.uri, self.content, *parts])
        return hashlib.sha256(whole.encode()).hexdigest()[:16]


@dataclass(frozen=True)
class FileInfo:
    """A file of a source; `version` changes when its content may have changed."""

    uri: str
    bytes: int
    version: str


def find_files(uri: str, *, follow_links: bool = True) -> list[FileInfo]:
    """Files below a folder, of a glob pattern, or the one file, sorted by name.

    SourceError when there is nothing.
    """
    fs, inner = storage.filesystem(uri)
    if any(c in inner for c in "*?["):
        found = [info for info in fs.glob(inner, detail=True).values() if info["type"] == "file"]
        files = [_file_info(uri, info) for info in found]
    elif storage.is_local(uri):
        files = list(_local_files(Path(inner), follow_links))
    else:
        found = [info for info in fs.find(inner, detail=True).values() if info["type"] == "file"]
        files = [_file_info(uri, info) for info in found]
    if not files:
        raise SourceError(f"no files at {uri}: check the path, or remove the source")
    return sorted(files, key=lambda file: file.uri)


def _local_files(root: Path, follow_links: bool) -> Iterator[FileInfo]:
    # fsspec's own walk passes over links; whole datasets are made of links.
    if root.is_file():
        yield _local_info(root)
        return
    seen: set[str] = set()
    for folder, below, names in os.walk(root, followlinks=follow_links):
        real = os.path.realpath(folder)
        if real in seen:  # a link back to a folder above
            below.clear()
            continue
        seen.add(real)
        for name in names:
            path = Path(folder, name)
            if path.is_file() and (follow_links or not path.is_symlink()):
                yield _local_info(path)


def _local_info(path: Path) -> FileInfo:
    stat = path.stat()
    return FileInfo(uri=str(path), bytes=stat.st_size, version=str(stat.st_mtime_ns))


def _file_info(uri: str, info: dict[str, Any]) -> FileInfo:
    local = storage.is_local(uri)
    scheme = "" if local else uri.split("://")[0] + "://"
    version = info.get("ETag") or info.get("etag") or info.get("mtime") or info.get("LastModified")
    return FileInfo(uri=scheme + str(info["name"]), bytes=int(info["size"]), version=str(version))


def matches(name: str, include: Sequence[str], exclude: Sequence[str]) -> bool:
    """Whether a relative path is wanted. Patterns are those of the shell; `*` also crosses `/`."""
    wanted = not include or any(fnmatch.fnmatchcase(name, p) for p in include)
    return wanted and not any(fnmatch.fnmatchcase(name, p) for p in exclude)
