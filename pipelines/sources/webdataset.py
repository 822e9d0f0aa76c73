"""WebDataset tars, for example as img2dataset writes them: one unit per tar."""

from __future__ import annotations

import itertools
import json
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Literal

from pydantic import Field

from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.files import FileInfo, is_gone, matches, read_bytes, read_ranges
from pipelines.sources.listing import stream_files
from pipelines.sources.spool import Spool
from pipelines.sources.tar_files import TAR_SUFFIXES, OpenTar, compression_of, open_tar, suffix_of
from pipelines.sources.tar_images import TarListing, TarReading, rest_of
from vae_corpus import storage

# What img2dataset writes beside 00000.tar.
_STATS = "_stats.json"


class WebDatasetSource(Source):
    """Tars, plain or compressed (gz, bz2, xz, zst, lz4), whose image members are samples.

    A member is an image by its extension, or without one; captions, labels, arrays and sound are
    passed over and counted; of any other extension the first bytes decide. A link to an image is
    one too. Where img2dataset has left its counts, a tar that holds another number gets a row.

    A compressed tar has no addresses: to pack a sample, all before it is decompressed again, once
    for each part of a shard. Turn such tars into plain ones if packing is what you wait for.
    """

    counts_others: ClassVar[bool] = True

    type: Literal["webdataset"] = "webdataset"
    include: tuple[str, ...] = Field((), description="patterns of names of members; none: all")
    exclude: tuple[str, ...] = Field((), description="patterns of names of members to leave out")
    max_file_bytes: int = Field(1024**3, ge=1, description="larger members are not read")

    def units(self) -> Iterator[Unit]:
        """A unit per tar; `members` names the counts of img2dataset where they are."""
        chosen = self.model_dump(
            include={"include", "exclude", "max_file_bytes"}, exclude_defaults=True
        )
        for file, stats in self._found():
            parts: list[Any] = [file.uri, file.bytes, file.version, *([chosen] if chosen else [])]
            if stats is not None:
                parts.append([stats.bytes, stats.version])
            yield Unit(
                unit_id=self._unit_id(*parts),
                source=self.name,
                uri=file.uri,
                start=0,
                stop=0,
                bytes=file.bytes,
                members=() if stats is None else (storage.name_of(stats.uri),),
            )

    def files(self) -> Iterator[FileInfo]:
        """Every tar, by name; SourceError when there is none."""
        return (file for file, _ in self._found())

    def list_images(self, file: FileInfo) -> list[tuple[Item, int]]:
        """The images of a tar without their bytes, each with its size.

        Of a plain tar headers alone are read, found by seeking.
        """
        listing = TarListing(uri=file.uri, wanted=self._wants, max_bytes=self.max_file_bytes)
        with open_tar(file.uri, whole=False) as opened:
            size = None if compression_of(file.uri) else file.bytes
            return [(item, listing.sizes.get(i, 0)) for i, item in listing.numbered(opened, size)]

    def _found(self) -> Iterator[tuple[FileInfo, FileInfo | None]]:
        """Every tar, by name, with the counts of img2dataset that are its own."""
        with Spool() as found:
            every = tars = 0
            # A pattern for tars, or the name of one, does not match what lies beside them.
            suffix = suffix_of(self.uri)
            for file in stream_files(self.uri, suffix=(*TAR_SUFFIXES, _STATS)):
                every += 1
                tars += (is_tar := bool(suffix_of(file.name)))
                if is_tar or not suffix:
                    found.add(file)
            if not tars:
                raise SourceError(f"no .tar among the {every} files at {self.uri}: check the type")
            if suffix:
                with suppress(SourceError):
                    for file in stream_files(self.uri[: -len(suffix)] + _STATS, suffix=_STATS):
                        found.add(file)
            yield from _with_counts(found.by_key(_counts_first))

    def read(self, unit: Unit) -> Generator[Item, None, Counter[str]]:
        """Every image of the tar, and a fault for what is broken of it.

        Returns how many members were passed over, by extension.
        """
        reading = TarReading(uri=unit.uri, wanted=self._wants, max_bytes=self.max_file_bytes)
        try:
            file = open_tar(unit.uri)
        except OSError as error:
            if not is_gone(error):
                raise
            yield rest_of(unit.uri, 0, ("unreadable", str(error.strerror or error)))
            return reading.passed_over
        with file:
            yield from reading.items(file, None if compression_of(unit.uri) else unit.bytes)
        for name in unit.members:
            yield from _compare(unit.uri, name, len(reading.keys))
        return reading.passed_over

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        if compression_of(uri):
            return _open_tar.read(uri, offset, size)
        return read_bytes(uri, offset, size)

    def fetch_many(self, addresses: Sequence[tuple[str, int, int]]) -> Iterator[bytes]:
        """Of a plain tar runs of members come together; a compressed one is read forwards once."""
        for uri, part in itertools.groupby(addresses, key=lambda address: address[0]):
            wanted = ((offset, size) for _, offset, size in part)
            if not compression_of(uri):
                yield from read_ranges(uri, wanted)
                continue
            with open_tar(uri) as file:
                for offset, size in wanted:
                    file.seek(offset)
                    yield file.read(size)

    def _wants(self, name: str) -> bool:
        return matches(name, self.include, self.exclude)


_open_tar = OpenTar()


def _counts_first(file: FileInfo) -> str:
    """Sorts tars by name, and before `a.tar` and whatever else begins with `a.` its counts."""
    return file.uri.removesuffix(_STATS) + "." if file.uri.endswith(_STATS) else file.uri


def _with_counts(
    files: Iterator[FileInfo],
) -> Iterator[tuple[FileInfo, FileInfo | None]]:
    # Counts that may have tars yet to come: each begins as the next one does, so they are few.
    open_counts: list[FileInfo] = []
    last = ""
    for file in files:
        if file.uri == last:
            raise SourceError(f"two files would be stored as {last}: rename one of them")
        last = file.uri
        while open_counts and not file.uri.startswith(_counts_first(open_counts[-1])):
            open_counts.pop()
        if file.uri.endswith(_STATS):
            open_counts.append(file)
        elif suffix := suffix_of(file.uri):
            stem = file.uri[: -len(suffix)]
            yield file, next((c for c in open_counts if c.uri == stem + _STATS), None)


def _compare(uri: str, name: str, held: int) -> Iterator[Item]:
    """One item with a fault when img2dataset says that it wrote another number of images."""
    folder, _, tar = uri.rpartition("/")
    try:
        said = json.loads(read_bytes(storage.join(folder, name)))["successes"]
    except OSError as error:
        if not is_gone(error):
            raise
        return
    except (ValueError, LookupError, TypeError):
        return  # a file of another tool, under the same name
    if isinstance(said, int) and said != held:
        why = f"{name} counts {said} images, {tar} holds {held}: it may have been cut or changed"
        place = storage.join(folder, name)
        yield Item(member=name, uri=place, offset=0, data=b"", fault=("count_differs", why))
