"""Images in a folder, read recursively. Every file is listed: nothing is lost in silence."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Literal

from pydantic import Field

from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.buckets import buckets
from pipelines.sources.files import FileInfo, is_gone, matches, read_bytes, read_many
from pipelines.sources.listing import stream_files
from pipelines.sources.members import SIDECAR_EXTENSIONS, extension_of
from pipelines.sources.spool import Spool
from pipelines.sources.tar_files import TAR_SUFFIXES, hidden_suffix, suffix_of
from vae_corpus import storage

# Files of many images, and the type of source that reads them.
_COLLECTIONS = (
    (TAR_SUFFIXES, "tars", "webdataset"),
    ((".parquet",), "Parquet files", "parquet"),
    ((".pdf",), "PDF documents", "documents"),
)
_TAR_HEADER_BYTES = 512

# Slug and why.
Fault = tuple[str, str]


class FolderSource(Source):
    """A folder of image files. Files that are no image are rejected with a slug, not skipped.

    Hidden files, and all that is in hidden folders, are left out: their names start with a dot.
    Units are buckets of a hash of the name, so that a new file changes one unit and not all that
    come after it. Their number is a power of two: when the folder outgrows it, buckets split. A
    small folder has smaller units, so that several workers have work; how many does not matter.
    """

    type: Literal["folder"] = "folder"
    include: tuple[str, ...] = Field((), description="patterns of relative paths; none: all files")
    exclude: tuple[str, ...] = Field((), description="patterns of relative paths to leave out")
    follow_links: bool = Field(True, description="also list what symbolic links point to")
    files_per_unit: int = Field(
        1000, ge=1, description="files that one task reads at most, on average"
    )
    max_file_bytes: int = Field(1024**3, ge=1, description="larger files are not read")

    def units(self) -> Iterator[Unit]:
        """`start` and `stop` only count the files; `uri` is the folder that members are below."""
        with self._wanted() as files:
            count = buckets(files.count, files.bytes, self.files_per_unit)
            for part in files.by_bucket(count):
                yield self._unit(part)

    def files(self) -> Iterator[FileInfo]:
        """Every file that is wanted, by name; SourceError when there is none."""
        with self._wanted() as files:
            yield from files.by_name()

    @contextmanager
    def _wanted(self) -> Iterator[Spool]:
        found = 0
        collections = _Collections()
        with Spool() as files:
            for file in stream_files(self.uri, follow_links=self.follow_links):
                found += 1
                if matches(file.name, self.include, self.exclude):
                    files.add(file)
                    collections.add(file.name)
            if not files.count:
                raise SourceError(
                    f"none of the {found} files at {self.uri} is wanted: check"
                    f" include={list(self.include)} and exclude={list(self.exclude)}"
                )
            collections.refuse(self.uri, files.count)
            yield files

    def _unit(self, part: list[FileInfo]) -> Unit:
        return Unit(
            unit_id=self._unit_id([(f.name, f.bytes, f.version) for f in part]),
            source=self.name,
            uri=part[0].root,
            start=0,
            stop=len(part),
            bytes=sum(f.bytes for f in part),
            members=tuple(f.name for f in part),
        )

    def read(self, unit: Unit) -> Iterator[Item]:
        uris = [storage.join(unit.uri, member) for member in unit.members]
        # What may be a tar is looked at before it is read.
        images = (uri for uri in uris if not suffix_of(uri))
        contents = read_many(images, max_bytes=self.max_file_bytes)
        for member, uri in zip(unit.members, uris, strict=True):
            got = self._tar_or_bytes(uri) if suffix_of(uri) else next(contents)
            data, fault = (got, None) if isinstance(got, bytes) else (b"", self._fault(got))
            yield Item(member=member, uri=uri, offset=0, data=data, fault=fault)

    def _tar_or_bytes(self, uri: str) -> bytes | OSError | Fault:
        try:
            if _is_tar(uri):
                return "not_an_image", "a tar: a source of type webdataset reads its images"
        except OSError as error:
            return error
        return next(read_many([uri], max_bytes=self.max_file_bytes))

    def _fault(self, error: OSError | Fault) -> Fault:
        if isinstance(error, tuple):
            return error
        if isinstance(error, storage.TooLarge):
            why = f"{error.size_bytes} bytes, max_file_bytes is {self.max_file_bytes}"
            return "file_too_large", why
        # Any other error may pass; a fault would be committed and stay.
        if not is_gone(error):
            raise error
        return "unreadable", str(error.strerror or error)

    def images(self, unit: Unit) -> int:
        return len(unit.members)

    def behind(self, unit: Unit, count: int) -> tuple[Unit, int]:
        return replace(unit, members=unit.members[count:]), 0

    def unread(self, unit: Unit, index: int) -> Item | None:
        if index >= len(unit.members):
            return None
        member = unit.members[index]
        return Item(member=member, uri=storage.join(unit.uri, member), offset=0, data=b"")

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        return read_bytes(uri)

    def fetch_many(self, addresses: Sequence[tuple[str, int, int]]) -> Iterator[bytes]:
        """Files with many requests in flight."""
        uris = [uri for uri, _, _ in addresses]
        for got in read_many(uris, sizes=[size for _, _, size in addresses]):
            if isinstance(got, OSError):
                raise got
            yield got


class _Collections:
    """Whether a folder holds nothing but tars, Parquet files or documents, and what lies beside."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys(_COLLECTIONS, 0)

    def add(self, name: str) -> None:
        # One image is enough to rule a kind out, so few names are looked at.
        for collection in list(self._counts):
            if name.lower().endswith(collection[0]):
                self._counts[collection] += 1
            elif extension_of(name) not in SIDECAR_EXTENSIONS:
                del self._counts[collection]

    def refuse(self, uri: str, files: int) -> None:
        """SourceError for a folder that a source of another type reads."""
        for (_, what, kind), theirs in self._counts.items():
            if theirs:
                raise SourceError(
                    f"{theirs} of the {files} files at {uri} are {what} and none is an image:"
                    f" set `type: {kind}` for this source"
                )


def _is_tar(uri: str) -> bool:
    head = read_bytes(uri, 0, _TAR_HEADER_BYTES)
    return head[257:262] == b"ustar" or hidden_suffix(head) is not None
