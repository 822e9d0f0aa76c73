"""Parquet files with an image column: bytes, or the `{bytes, path}` struct of Hugging Face."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from typing import Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq
from pydantic import Field

from pipelines import storage
from pipelines.sources.base import Item, Source, SourceError, Unit, find_files


class ParquetSource(Source):
    """Images in a column of Parquet files; one unit per range of row groups."""

    type: Literal["parquet"] = "parquet"
    column: str | None = Field(None, description="image column; none: the only one that can be")
    unit_bytes: int = Field(512 * 1024**2, ge=1, description="about this much in one unit")

    def units(self) -> Iterator[Unit]:
        """Row groups are gathered into units; `start` and `stop` count row groups."""
        for file in find_files(self.uri):
            if not file.uri.endswith(".parquet"):
                continue
            with storage.open_read(file.uri) as handle:
                metadata = self._open(file.uri, handle).metadata
            sizes = [metadata.row_group(i).total_byte_size for i in range(metadata.num_row_groups)]
            start = 0
            while start < len(sizes):
                stop, total = start + 1, sizes[start]
                while stop < len(sizes) and total + sizes[stop] <= self.unit_bytes:
                    total += sizes[stop]
                    stop += 1
                yield Unit(
                    unit_id=self._unit_id(
                        file.uri, file.bytes, file.version, self.column, start, stop
                    ),
                    source=self.name,
                    uri=file.uri,
                    start=start,
                    stop=stop,
                    bytes=total,
                )
                start = stop

    def read(self, unit: Unit) -> Iterator[Item]:
        with storage.open_read(unit.uri) as handle:
            parquet = self._open(unit.uri, handle)
            column = self._column(unit.uri, parquet.schema_arrow)
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

    def _open(self, uri: str, handle: Any) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(handle)
        except pa.ArrowInvalid as error:
            raise SourceError(f"{uri} is not a readable Parquet file: {error}") from None

    def _column(self, uri: str, schema: pa.Schema) -> str:
        return image_column(uri, schema, self.column)


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
    return bool(pa.types.is_binary(type_) or pa.types.is_large_binary(type_))


def _bytes_of(value: Any) -> tuple[bytes, str]:
    if isinstance(value, dict):
        return value.get("bytes") or b"", str(value.get("path") or "")
    return value or b"", ""


def _item(uri: str, row: int, value: Any) -> Item:
    data, path = _bytes_of(value)
    return Item(member=path or f"row {row}", uri=uri, offset=row, data=data)


@lru_cache(maxsize=64)
def _group_starts(uri: str) -> list[int]:
    with storage.open_read(uri) as handle:
        metadata = pq.ParquetFile(handle).metadata
    starts, row = [], 0
    for group in range(metadata.num_row_groups):
        starts.append(row)
        row += metadata.row_group(group).num_rows
    return starts


@lru_cache(maxsize=1)
def _read_group(uri: str, column: str | None, group: int) -> pa.ChunkedArray:
    with storage.open_read(uri) as handle:
        parquet = pq.ParquetFile(handle)
        name = image_column(uri, parquet.schema_arrow, column)
        return parquet.read_row_group(group, columns=[name]).column(0)
