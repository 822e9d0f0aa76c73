"""What a source is: it lists units, reads one, and fetches a single item again.

`fetch` is how packing gets at the original bytes without reading a unit twice: an item's
`(uri, offset, bytes)` is its address. What `offset` counts is each source's own affair: bytes in
a tar, rows in a Parquet file, pages in a document.
"""

from __future__ import annotations

import hashlib
import json
import os
from abc import abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from pydantic import Field, field_validator

from pipelines.sources.names import from_os, to_os
from renderers.documents.page import PageImage
from vae_corpus import storage
from vae_corpus.pictures.decode import Limits
from vae_corpus.redact import refuse_credentials
from vae_corpus.settings import Settings

# What an image costs besides its bytes: on the demo a small figure takes .2 s with the look for
# text, and a megabyte of large photographs .15 s.
_IMAGE_BYTES = 1_500_000

# Keys become file names in tars, whose plain header holds 100 bytes.
MAX_NAME_LENGTH = 40


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
    """One image as a source hands it out. `fault` (slug, why) replaces bytes that are not there.

    `page` is a page that was drawn: its pixels, which `data` holds as well, and what it says.
    """

    member: str
    uri: str
    offset: int
    data: bytes
    fault: tuple[str, str] | None = None
    page: PageImage | None = field(default=None, compare=False)


class Reading:
    """The items of a unit, once; then `passed_over` counts by extension what was no image."""

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self.passed_over: Mapping[str, int] = {}

    def __iter__(self) -> Iterator[Item]:
        # Sources whose units hold more than images return these counts at their end.
        self.passed_over = (yield from self._items) or {}  # type: ignore[func-returns-value]


class Source(Settings):
    """Base of all sources: settings that know how to list, read and fetch."""

    name: str = Field(description="short name; the first part of every sample key")
    uri: str = Field(description="folder, file, glob pattern or URL (s3://... needs the s3 extra)")
    # Its units may hold more than images, which are counted by extension.
    counts_others: ClassVar[bool] = False
    # Each image is drawn anew when it is fetched, which takes a while.
    is_rendered: ClassVar[bool] = False

    content: Literal["auto", "document"] = Field(
        "auto", description="document: every image is a page; auto: decided by its text"
    )

    @field_validator("name")
    @classmethod
    def _plain_name(cls, name: str) -> str:
        # The name becomes part of WebDataset keys, where a dot would start the extension.
        if not name or not all(c.isascii() and (c.isalnum() or c == "_") for c in name):
            raise ValueError("a source's name has letters, digits and _ only")
        if len(name) > MAX_NAME_LENGTH:
            raise ValueError(f"a source's name has at most {MAX_NAME_LENGTH} characters")
        return name

    @field_validator("uri")
    @classmethod
    def _absolute_uri(cls, uri: str) -> str:
        # Workers start in folders of their own, and addresses are kept for later runs. `..` stays:
        # behind a link it leads elsewhere than the text suggests.
        if not uri:
            raise ValueError("a source's uri is a folder, file, glob pattern or URL")
        path = uri.removeprefix("file://")
        if not storage.is_local(path):
            return refuse_credentials(uri)
        return from_os(str(Path(os.path.expanduser(to_os(path))).absolute()))

    def for_build(self, limits: Limits, seed: int) -> Source:
        """The source for a build that takes pictures within these limits and draws by this seed.

        For sources that draw pictures; what others hand out is measured when it is decoded.
        """
        return self

    @abstractmethod
    def units(self) -> Iterator[Unit]:
        """Every piece of the source; SourceError when there is none."""

    def images(self, unit: Unit) -> int | None:
        """How many items a unit has, None where that is not known before it is read."""
        return None

    def weight(self, unit: Unit) -> int:
        """About what a unit costs to score, as bytes of pictures that would cost as much.

        Tasks begin with the heaviest, and the time left is told by weight.
        """
        return unit.bytes + (self.images(unit) or 0) * _IMAGE_BYTES

    def behind(self, unit: Unit, count: int) -> tuple[Unit, int]:
        """The unit without its first `count` items, and how many to read over even so.

        What kills or hangs whoever reads it must not be read again, where the source can begin
        behind it.
        """
        return unit, count

    def unread(self, unit: Unit, index: int) -> Item | None:
        """Item number `index` as far as it is known without reading it, or None."""
        return None

    @abstractmethod
    def read(self, unit: Unit) -> Iterator[Item]:
        """Every image of a unit, in a fixed order; one that cannot be read is an item too."""

    @abstractmethod
    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        """The bytes of the item at this address, as `read` gave them."""

    def fetch_many(self, addresses: Sequence[tuple[str, int, int]]) -> Iterator[bytes]:
        """What `fetch` gives for each (uri, offset, bytes) of one unit, in their order.

        Meant for addresses that ascend: then sources in an object store read runs of them with few
        requests, many of these in flight, with a bounded number of bytes ahead of the caller.
        """
        for uri, offset, size in addresses:
            yield self.fetch(uri, offset, size)

    def fetch_page(self, uri: str, offset: int) -> PageImage | None:
        """The page at this address drawn again, by sources that draw; None by others."""
        return None

    def _unit_id(self, *parts: Any) -> str:
        """16 hex digits that name a unit by its source and by what it is made of."""
        whole = json.dumps([type(self).__name__, self.name, self.uri, self.content, *parts])
        return hashlib.sha256(whole.encode()).hexdigest()[:16]
