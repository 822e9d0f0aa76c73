"""WebDataset tars, for example as img2dataset writes them: one unit per tar."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Generator, Iterator
from typing import Any, ClassVar, Literal

from pydantic import Field

from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.files import FileInfo, find_files, is_gone, matches, read_bytes
from pipelines.sources.tar_files import TAR_SUFFIXES, OpenTar, compression_of, open_tar, suffix_of
from pipelines.sources.tar_images import TarListing, TarReading, rest_of
from vae_corpus import storage

# What img2dataset writes beside 00000.tar.
_STATS = "_stats.json"
_MAX_STATS_BYTES = 1 << 20


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
        found, tars = self._found()
        counts = {file.uri: file for file in self._counts(found)}
        chosen = self.model_dump(
            include={"include", "exclude", "max_file_bytes"}, exclude_defaults=True
        )
        for file in tars:
            parts: list[Any] = [file.uri, file.bytes, file.version, *([chosen] if chosen else [])]
            stats = counts.get(file.uri[: -len(suffix_of(file.uri))] + _STATS)
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

    def files(self) -> list[FileInfo]:
        """Every tar; SourceError when there is none."""
        return self._found()[1]

    def list_images(self, file: FileInfo) -> list[tuple[Item, int]]:
        """The images of a tar without their bytes, each with its size.

        Of a plain tar headers alone are read, found by seeking.
        """
        listing = TarListing(uri=file.uri, wanted=self._wants, max_bytes=self.max_file_bytes)
        with open_tar(file.uri) as opened:
            size = None if compression_of(file.uri) else file.bytes
            return [(item, listing.sizes.get(i, 0)) for i, item in listing.numbered(opened, size)]

    def _found(self) -> tuple[list[FileInfo], list[FileInfo]]:
        found = find_files(self.uri, suffix=(*TAR_SUFFIXES, _STATS))
        tars = [file for file in found if suffix_of(file.name)]
        if not tars:
            raise SourceError(f"no .tar among the {len(found)} files at {self.uri}: check the type")
        return found, tars

    def _counts(self, found: list[FileInfo]) -> list[FileInfo]:
        # A pattern for tars does not match what lies beside them.
        if suffix := suffix_of(self.uri):
            try:
                return find_files(self.uri[: -len(suffix)] + _STATS, suffix=_STATS)
            except SourceError:
                return []
        return [file for file in found if file.name.endswith(_STATS)]

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

    def _wants(self, name: str) -> bool:
        return matches(name, self.include, self.exclude)


_open_tar = OpenTar()


def _compare(uri: str, name: str, held: int) -> Iterator[Item]:
    """One item with a fault when img2dataset says that it wrote another number of images."""
    folder, _, tar = uri.rpartition("/")
    try:
        text = read_bytes(storage.join(folder, name), 0, _MAX_STATS_BYTES)
        said = json.loads(text)["successes"]
    except OSError as error:
        if not is_gone(error):
            raise
        return
    except (ValueError, LookupError, TypeError, RecursionError):
        return  # a file of another tool, under the same name
    if isinstance(said, int) and 0 <= said < 1 << 63 and said != held:
        why = f"{name} counts {said} images, {tar} holds {held}: it may have been cut or changed"
        place = storage.join(folder, name)
        yield Item(member=name, uri=place, offset=0, data=b"", fault=("count_differs", why))
