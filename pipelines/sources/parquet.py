"""Parquet files with image columns: bytes, or the `{bytes, path}` struct of Hugging Face."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from pipelines.sources.ahead import ahead
from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.files import FileInfo, size_bytes
from pipelines.sources.listing import find_files
from pipelines.sources.parquet_columns import (
    image_columns,
    leaves_of,
    said_of_a_path,
    said_of_no_image,
)
from pipelines.sources.parquet_rows import (
    BrokenParquet,
    Forward,
    batches,
    group_of,
    group_starts,
    is_damage,
    open_parquet,
    python_value,
    read_ahead,
    telling_damage,
)

# What a file may unpack to, by its footer: so many times its size, or so much if that is more.
_MAX_RATIO, _ALWAYS_BYTES = 200, 1 << 30


class ParquetSource(Source):
    """Images in columns of Parquet files; one unit per range of row groups.

    Each row gives an item per column: an item's `offset` counts rows, and columns within a row.
    """

    type: Literal["parquet"] = "parquet"
    column: str | None = Field(None, description="image column; none: the only one that can be")
    columns: tuple[str, ...] = Field(
        (), description="several image columns, each an image of its own, instead of `column`"
    )
    unit_bytes: int = Field(512 * 1024**2, ge=1, description="about this much in one unit")
    batch_bytes: int = Field(
        256 * 1024**2,
        ge=1,
        description="about this much of a row group is in memory at once, and a page a column",
    )

    @model_validator(mode="after")
    def _one_way_to_name_columns(self) -> ParquetSource:
        if self.column is not None and self.columns:
            raise ValueError("give either column or columns")
        if len(set(self.columns)) < len(self.columns):
            raise ValueError("columns names one twice")
        return self

    def units(self) -> Iterator[Unit]:
        """Row groups are gathered into units; `start` and `stop` count row groups.

        A broken file is one unit of no row groups, and that gives one item with the fault.
        """
        empty = True
        files = find_files(self.uri, suffix=".parquet")
        for file, footer in ahead(lambda file: self._group_sizes(file.uri, file.bytes), files):
            try:
                sizes = footer.result()
            except BrokenParquet:
                empty = False
                yield self._unit(file, 0, 0, file.bytes)
                continue
            except OSError as error:
                raise SourceError(f"cannot read {file.uri}: {error.strerror or error}") from None
            start = 0
            while start < len(sizes):
                stop, total = start + 1, sizes[start]
                while stop < len(sizes) and total + sizes[stop] <= self.unit_bytes:
                    total += sizes[stop]
                    stop += 1
                empty = False
                yield self._unit(file, start, stop, total)
                start = stop
        if empty:
            raise SourceError(f"no rows in the .parquet files at {self.uri}: remove the source")

    def _unit(self, file: FileInfo, start: int, stop: int, size: int) -> Unit:
        named: Any = list(self.columns) or self.column
        return Unit(
            unit_id=self._unit_id(file.uri, file.bytes, file.version, named, start, stop),
            source=self.name,
            uri=file.uri,
            start=start,
            stop=stop,
            bytes=size,
        )

    def _group_sizes(self, uri: str, file_bytes: int) -> list[int]:
        """Bytes of each row group; BrokenParquet when the footer does not make sense."""
        with open_parquet(uri) as parquet, telling_damage(uri):
            self.columns_of(uri, parquet)
            metadata = parquet.metadata
            groups = [metadata.row_group(i) for i in range(metadata.num_row_groups)]
        if any(group.num_rows < 0 or group.total_byte_size < 0 for group in groups):
            raise BrokenParquet(f"{uri}: its footer has row groups of less than nothing")
        rows, unpacked = (
            sum(getattr(group, name) for group in groups)
            for name in ("num_rows", "total_byte_size")
        )
        # Rows of nothing, and one row again and again, take no bytes; zeros hardly any.
        if rows > file_bytes:
            raise BrokenParquet(f"{uri} has {rows} rows in {file_bytes} bytes: no images")
        if unpacked > max(_ALWAYS_BYTES, _MAX_RATIO * file_bytes):
            raise BrokenParquet(
                f"{uri} has {file_bytes} bytes and unpacks to {unpacked}: no images, which hardly"
                " compress"
            )
        return [group.total_byte_size for group in groups]

    def _fault_item(self, uri: str) -> Item:
        try:
            self._group_sizes(uri, size_bytes(uri) or 0)
        except BrokenParquet as error:
            fault = ("broken_parquet", str(error))
        else:
            raise SourceError(f"{uri} was broken when it was listed and is not now: run again")
        return Item(member=uri.rsplit("/", 1)[-1], uri=uri, offset=0, data=b"", fault=fault)

    def columns_of(self, uri: str, parquet: pq.ParquetFile) -> list[str]:
        wanted = self.columns if self.column is None else (self.column,)
        return image_columns(uri, parquet, wanted)

    def read(self, unit: Unit) -> Iterator[Item]:
        """Every row of the row groups. What is damaged of a group, or missing, is one fault."""
        if unit.start == unit.stop:
            yield self._fault_item(unit.uri)
            return
        groups = range(unit.start, unit.stop)
        with open_parquet(unit.uri) as parquet:
            columns = self.columns_of(unit.uri, parquet)
            leaves = leaves_of(parquet.schema_arrow, columns)
            # Once for all: a file may have a hundred thousand row groups.
            starts = group_starts(parquet.metadata)
            with read_ahead(unit.uri, parquet, groups, leaves) as file:
                for group in groups:
                    rows = range(starts[group], starts[group + 1])
                    yield from self._group(unit.uri, file, group, rows, columns, leaves)

    def _group(
        self,
        uri: str,
        file: pq.ParquetFile,
        group: int,
        rows: range,
        columns: list[str],
        leaves: list[str],
    ) -> Iterator[Item]:
        row, end = rows.start, rows.stop
        try:
            for batch in batches(file, group, leaves, self.batch_bytes):
                for in_batch in range(batch.num_rows):
                    for place, name in enumerate(columns):
                        value = python_value(batch.column(name)[in_batch])
                        yield self._item(uri, row, place, name, value)
                    row += 1
            if row < end:
                raise pa.ArrowInvalid("fewer rows than its footer announces")
        except (pa.ArrowException, OSError) as error:
            if not is_damage(error, uri):
                raise
            yield _rest_of_group(uri, group, row, end, len(columns), error)

    def _item(self, uri: str, row: int, place: int, column: str, value: Any) -> Item:
        data, path = _bytes_of(value)
        member = path or f"row {row}"
        fault = None
        if path and not data:
            fault = ("no_bytes", said_of_a_path(path))
        elif said := said_of_no_image(data):
            fault = ("not_an_image", said)
        return Item(
            member=f"{member}, {column}" if self.columns else member,
            uri=uri,
            offset=row * max(1, len(self.columns)) + place,
            data=data,
            fault=fault,
        )

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        return _open_group.fetch(self, uri, offset)

    def fetch_many(self, addresses: Sequence[tuple[str, int, int]]) -> Iterator[bytes]:
        """One pass over the row groups that hold these rows, forwards where addresses ascend."""
        for uri, part in itertools.groupby(addresses, key=lambda address: address[0]):
            yield from self._rows(uri, [offset for _, offset, _ in part])

    def _rows(self, uri: str, offsets: list[int]) -> Iterator[bytes]:
        with open_parquet(uri) as parquet:
            columns = self.columns_of(uri, parquet)
            leaves = leaves_of(parquet.schema_arrow, columns)
            starts = group_starts(parquet.metadata)
            rows = [offset // len(columns) for offset in offsets]
            groups = [group_of(starts, row) for row in rows]
            with read_ahead(uri, parquet, sorted(set(groups)), leaves) as file:
                opened = None
                for row, group, offset in zip(rows, groups, offsets, strict=True):
                    if opened is None or opened.group != group:
                        opened = Forward(uri, file, group, leaves, self.batch_bytes)
                    column = columns[offset % len(columns)]
                    yield _bytes_of(opened.value(row - starts[group], column))[0]


class _OpenGroup:
    """The row group that was read last: who asks in order of address finds it still open."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self._columns: list[str] = []
        self._starts: list[int] = []
        self._forward: Forward | None = None
        self._files = ExitStack()

    def fetch(self, source: ParquetSource, uri: str, offset: int) -> bytes:
        key = (uri, source.column, source.columns, source.batch_bytes)
        width = max(1, len(source.columns))
        row = offset // width
        if self._forward is None or key != self._key:
            self._open(source, uri, row)
            self._key = key
        group = group_of(self._starts, row)
        if self._forward is None or self._forward.group != group:
            self._open(source, uri, row)
        assert self._forward is not None
        value = self._forward.value(row - self._starts[group], self._columns[offset % width])
        return _bytes_of(value)[0]

    def _open(self, source: ParquetSource, uri: str, row: int) -> None:
        self._files.close()
        self._forward = None
        parquet = self._files.enter_context(open_parquet(uri))
        self._columns = source.columns_of(uri, parquet)
        leaves = leaves_of(parquet.schema_arrow, self._columns)
        self._starts = group_starts(parquet.metadata)
        group = group_of(self._starts, row)
        file = self._files.enter_context(read_ahead(uri, parquet, [group], leaves))
        self._forward = Forward(uri, file, group, leaves, source.batch_bytes)


_open_group = _OpenGroup()


def _rest_of_group(
    uri: str, group: int, row: int, end: int, columns: int, error: Exception
) -> Item:
    name = uri.rsplit("/", 1)[-1]
    return Item(
        member=f"(rest of row group {group} of {name})",
        uri=uri,
        offset=row * columns,
        data=b"",
        fault=("broken_parquet", f"{error}; {name}: rows {row} to {end - 1} were not read"),
    )


def _bytes_of(value: Any) -> tuple[bytes, str]:
    if isinstance(value, dict):
        return value.get("bytes") or b"", str(value.get("path") or "")
    return value or b"", ""
