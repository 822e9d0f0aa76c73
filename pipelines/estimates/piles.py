"""Images that lie together, counted cheaply and read one by one: what a sample is drawn from."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from pipelines.sources import (
    DocumentSource,
    FolderSource,
    Item,
    ParquetSource,
    Source,
    Unit,
    WebDatasetSource,
)
from pipelines.sources.files import FileInfo
from pipelines.sources.listing import find_files
from pipelines.sources.parquet_rows import BrokenParquet, open_parquet

# Up to this many files of a source are all opened and counted; of more files only drawn ones.
_COUNT_ALL = {"webdataset": 16, "parquet": 64, "documents": 64}
# Rows have no addresses: what is drawn all over them means reading them all.
_READ_ALL_BYTES = 64 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Pile:
    """`read` gives the images at these places, in ascending order, and how many images had to be
    read to reach each: where there are no addresses all before it are read too. `parts` are the
    numbers of images that are dear to read across, one after another."""

    parts: tuple[int, ...]
    read: Callable[[Sequence[int]], Iterator[tuple[Item, int]]]

    @property
    def count(self) -> int:
        return sum(self.parts)


@dataclass(frozen=True, kw_only=True)
class Files:
    """The files of a source, to be opened one at a time."""

    source: Source
    files: list[FileInfo]
    # For other types of source: the unit that each entry of `files` stands for.
    units: tuple[Unit, ...] = ()

    @property
    def bytes(self) -> int:
        return sum(file.bytes for file in self.files)

    def can_be_counted(self) -> bool:
        """Whether all its images can be numbered before any is read."""
        if isinstance(self.source, ParquetSource) and self.bytes > _READ_ALL_BYTES:
            return False
        return len(self.files) <= _COUNT_ALL.get(self.source.type, len(self.files))  # type: ignore[attr-defined]

    def whole(self) -> Pile:
        """All images of the source."""
        if isinstance(self.source, FolderSource):
            return _folder_pile(self.source, self.files)
        return _together([self.open(i) for i in range(len(self.files))])

    def open(self, number: int) -> Pile:
        """The images of one file."""
        file = self.files[number]
        if isinstance(self.source, WebDatasetSource):
            return _tar_pile(self.source, file)
        if isinstance(self.source, ParquetSource):
            return _parquet_pile(self.source, file)
        if isinstance(self.source, DocumentSource):
            return _document_pile(self.source, file)
        return _unit_pile(self.source, self.units[number])


def list_files(source: Source) -> Files:
    """SourceError when there are none, as a build would raise."""
    if isinstance(source, FolderSource | WebDatasetSource | DocumentSource):
        files = list(source.files())
    elif isinstance(source, ParquetSource):
        files = list(find_files(source.uri, suffix=".parquet"))
    else:
        units = tuple(source.units())
        files = [FileInfo(root=u.uri, name=u.unit_id, bytes=u.bytes, version="") for u in units]
        return Files(source=source, files=files, units=units)
    return Files(source=source, files=files)


def _folder_pile(source: FolderSource, files: list[FileInfo]) -> Pile:
    def read(places: Sequence[int]) -> Iterator[tuple[Item, int]]:
        for place in places:
            file = files[place]
            unit = Unit(
                unit_id="",
                source=source.name,
                uri=file.root,
                start=0,
                stop=1,
                bytes=file.bytes,
                members=(file.name,),
            )
            yield from ((item, 1) for item in source.read(unit))

    return Pile(parts=(len(files),), read=read)


def _tar_pile(source: WebDatasetSource, file: FileInfo) -> Pile:
    listed = source.list_images(file)

    def read(places: Sequence[int]) -> Iterator[tuple[Item, int]]:
        for place in places:
            item, size = listed[place]
            if item.fault is None:
                data = source.fetch(item.uri, item.offset, size)
                item = dataclasses.replace(item, data=data)
            yield item, 1

    return Pile(parts=(len(listed),), read=read)


def _document_pile(source: DocumentSource, file: FileInfo) -> Pile:
    found = source.places(file.name, file.uri)
    if isinstance(found, Item):
        broken = found
        return Pile(parts=(1,), read=lambda places: ((broken, 1) for _ in places))
    offsets = found

    def read(places: Sequence[int]) -> Iterator[tuple[Item, int]]:
        for place in places:
            yield source.item(file.name, file.uri, offsets[place]), 1

    return Pile(parts=(len(offsets),), read=read)


def _parquet_pile(source: ParquetSource, file: FileInfo) -> Pile:
    try:
        with open_parquet(file.uri) as parquet:
            columns = len(source.columns_of(file.uri, parquet))
            metadata = parquet.metadata
            rows = [metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)]
    except BrokenParquet:
        rows, columns = [], 0
    counts = [count * columns for count in rows] or [1]

    def read(places: Sequence[int]) -> Iterator[tuple[Item, int]]:
        start = 0
        for group, count in enumerate(counts):
            wanted = [place - start for place in places if start <= place < start + count]
            start += count
            if wanted:
                stop = group + 1 if rows else group
                unit = Unit(
                    unit_id="",
                    source=source.name,
                    uri=file.uri,
                    start=group,
                    stop=stop,
                    bytes=0,
                )
                yield from _picked(source.read(unit), wanted)

    return Pile(parts=tuple(counts), read=read)


def _unit_pile(source: Source, unit: Unit) -> Pile:
    """A unit of which nothing is known: it is read from its start, once more to be counted."""
    known = source.images(unit)
    count = sum(1 for _ in source.read(unit)) if known is None else known
    return Pile(parts=(count,), read=lambda places: _picked(source.read(unit), places))


def _picked(items: Iterator[Item], wanted: Sequence[int]) -> Iterator[tuple[Item, int]]:
    before = -1
    last = None
    left = list(wanted)
    for place, item in enumerate(items):
        last = item
        if left and place == left[0]:
            yield item, place - before
            before = place
            left.pop(0)
        if not left:
            return
    # What is damaged of a group is one item, and stands for all that it hides.
    if last is not None:
        yield from ((last, 1) for _ in left)


def _together(piles: Sequence[Pile]) -> Pile:
    def read(places: Sequence[int]) -> Iterator[tuple[Item, int]]:
        start = 0
        for pile in piles:
            wanted = [place - start for place in places if start <= place < start + pile.count]
            if wanted:
                yield from pile.read(wanted)
            start += pile.count

    return Pile(parts=tuple(pile.count for pile in piles), read=read)
