"""Parquet files with image columns: bytes, or the `{bytes, path}` struct of Hugging Face."""

from __future__ import annotations

import bisect
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field, model_validator

from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.files import FileInfo, find_files, size_bytes
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
    is_damage,
    open_parquet,
    python_value,
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
        for file in find_files(self.uri, suffix=".parquet"):
            try:
                sizes = self._group_sizes(file.uri, file.bytes)
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
        with open_parquet(unit.uri) as parquet:
            columns = self.columns_of(unit.uri, parquet)
            leaves = leaves_of(parquet.schema_arrow, columns)
            metadata = parquet.metadata
            row = sum(metadata.row_group(i).num_rows for i in range(unit.start))
            for group in range(unit.start, unit.stop):
                end = row + metadata.row_group(group).num_rows
                try:
                    for batch in batches(parquet, group, leaves, self.batch_bytes):
                        for in_batch in range(batch.num_rows):
                            for place, name in enumerate(columns):
                                value = python_value(batch.column(name)[in_batch])
                                yield self._item(unit.uri, row, place, name, value)
                            row += 1
                    if row < end:
                        raise pa.ArrowInvalid("fewer rows than its footer announces")
                except (pa.ArrowException, OSError) as error:
                    if not is_damage(error, unit.uri):
                        raise
                    yield _rest_of_group(unit.uri, group, row, end, len(columns), error)
                row = end

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
        # Packing asks in order of address, so the row group last open serves most calls.
        row, place = divmod(offset, max(1, len(self.columns)))
        starts = _group_starts(uri)
        group = bisect.bisect_right(starts, row) - 1
        columns, reader = _open_group.get(self, uri, group)
        return _bytes_of(reader.value(row - starts[group], columns[place]))[0]


class _OpenGroup:
    """The row group that was read last, and its image columns."""

    def __init__(self) -> None:
        self._key: tuple[Any, ...] = ()
        self._open: tuple[list[str], Forward] | None = None

    def get(self, source: ParquetSource, uri: str, group: int) -> tuple[list[str], Forward]:
        key = (uri, group, source.column, source.columns, source.batch_bytes)
        if self._open is None or key != self._key:
            if self._open is not None:
                self._open[1].close()
                self._open = None
            with open_parquet(uri) as parquet:
                columns = source.columns_of(uri, parquet)
                leaves = leaves_of(parquet.schema_arrow, columns)
            self._open = columns, Forward(uri, group, leaves, source.batch_bytes)
            self._key = key
        return self._open


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


@lru_cache(maxsize=64)
def _group_starts(uri: str) -> list[int]:
    with open_parquet(uri) as parquet:
        metadata = parquet.metadata
    starts, row = [], 0
    for group in range(metadata.num_row_groups):
        starts.append(row)
        row += metadata.row_group(group).num_rows
    return starts
