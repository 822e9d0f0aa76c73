"""Parquet files with an image column: bytes, or the `{bytes, path}` struct of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from pipelines.sources.base import Item, Source, SourceError, Unit
from pipelines.sources.files import FileInfo, find_files, is_gone, open_read


class ParquetSource(Source):
    """Images in a column of Parquet files; one unit per range of row groups."""

    type: Literal["parquet"] = "parquet"
    column: str | None = Field(None, description="image column; none: the only one that can be")
    unit_bytes: int = Field(512 * 1024**2, ge=1, description="about this much in one unit")

    def units(self) -> Iterator[Unit]:
        """Row groups are gathered into units; `start` and `stop` count row groups.

        A broken file is one unit of no row groups, and that gives one item with the fault.
        """
        empty = True
        for file in find_files(self.uri, suffix=".parquet"):
            try:
                with _open(file.uri) as parquet:
                    image_column(file.uri, parquet.schema_arrow, self.column)
                    sizes = _group_sizes(parquet)
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
        return Unit(
            unit_id=self._unit_id(file.uri, file.bytes, file.version, self.column, start, stop),
            source=self.name,
            uri=file.uri,
            start=start,
            stop=stop,
            bytes=size,
        )

    def read(self, unit: Unit) -> Iterator[Item]:
        if unit.start == unit.stop:
            yield _fault_item(unit.uri)
            return
        with _open(unit.uri) as parquet:
            column = image_column(unit.uri, parquet.schema_arrow, self.column)
            row = sum(parquet.metadata.row_group(i).num_rows for i in range(unit.start))
            for group in range(unit.start, unit.stop):
                for value in parquet.read_row_group(group, columns=[column]).column(0):
                    yield _item(unit.uri, row, value.as_py())
                    row += 1

    def fetch(self, uri: str, offset: int, size: int) -> bytes:
        # Packing asks in order of address, so the last row group serves most calls.
        first, values = self._group_of(uri, offset)
        return _bytes_of(values[offset - first].as_py())[0]

    def _group_of(self, uri: str, row: int) -> tuple[int, pa.ChunkedArray]:
        starts = _group_starts(uri)
        group = max(i for i, start in enumerate(starts) if start <= row)
        return starts[group], _read_group(uri, self.column, group)


class BrokenParquet(SourceError):
    """The file is no Parquet file, or a damaged one."""


@contextmanager
def _open(uri: str) -> Iterator[pq.ParquetFile]:
    """The open file; BrokenParquet when its footer cannot be read."""
    try:
        handle = open_read(uri)
    except OSError as error:
        if not is_gone(error):
            raise
        raise BrokenParquet(f"{uri}: {error.strerror or error}") from None
    with handle:
        try:
            parquet = pq.ParquetFile(handle)
        except (pa.ArrowInvalid, OSError) as error:
            # Arrow reports a damaged footer as OSError too; from the disk it would have a number.
            if isinstance(error, OSError) and "deserialize" not in str(error):
                raise
            raise BrokenParquet(f"{uri} is not a readable Parquet file: {error}") from None
        yield parquet


def _fault_item(uri: str) -> Item:
    try:
        with _open(uri):
            raise SourceError(f"{uri} was broken when it was listed and is not now: run again")
    except BrokenParquet as error:
        fault = ("broken_parquet", str(error))
    return Item(member=uri.rsplit("/", 1)[-1], uri=uri, offset=0, data=b"", fault=fault)


def _group_sizes(parquet: pq.ParquetFile) -> list[int]:
    metadata = parquet.metadata
    return [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]


def image_column(uri: str, schema: pa.Schema, wanted: str | None) -> str:
    """The image column of a schema; SourceError lists the candidates when it is not clear."""
    candidates: list[str] = [field.name for field in schema if _holds_bytes(field.type)]
    if wanted is not None:
        if wanted in candidates:
            return wanted
        raise SourceError(f"{uri}: no image column {wanted!r}; columns with bytes: {candidates}")
    if len(candidates) != 1:
        raise SourceError(
            f"{uri}: set `column` of the source: {len(candidates)} columns can hold images"
            f" {candidates} among {schema.names}"
        )
    return candidates[0]


def _holds_bytes(type_: pa.DataType) -> bool:
    if pa.types.is_struct(type_):
        return any(f.name == "bytes" and _holds_bytes(f.type) for f in type_)
    if pa.types.is_dictionary(type_):
        return _holds_bytes(type_.value_type)
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(is_kind(type_) for is_kind in kinds)


def _bytes_of(value: Any) -> tuple[bytes, str]:
    if isinstance(value, dict):
        return value.get("bytes") or b"", str(value.get("path") or "")
    return value or b"", ""


def _item(uri: str, row: int, value: Any) -> Item:
    data, path = _bytes_of(value)
    return Item(member=path or f"row {row}", uri=uri, offset=row, data=data)


@lru_cache(maxsize=64)
def _group_starts(uri: str) -> list[int]:
    with _open(uri) as parquet:
        metadata = parquet.metadata
    starts, row = [], 0
    for group in range(metadata.num_row_groups):
        starts.append(row)
        row += metadata.row_group(group).num_rows
    return starts


@lru_cache(maxsize=1)
def _read_group(uri: str, column: str | None, group: int) -> pa.ChunkedArray:
    with _open(uri) as parquet:
        name = image_column(uri, parquet.schema_arrow, column)
        return parquet.read_row_group(group, columns=[name]).column(0)
