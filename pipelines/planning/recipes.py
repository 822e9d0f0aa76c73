"""The recipe of a shard: one hash over all values of its rows, whatever library holds them.

What is hashed is defined here, so that a recipe says the same years later. Of a table: the number
of rows, then column by column its name and array. Of an array of N:

    tag         what it holds: bool, int32, uint8, float32, string, binary, list, struct...
    N           uint64
    nulls       how many, uint64; if any, N bits, lowest first, 1 where there is a value
    values      bool: N bits; numbers: N little-endian; 0 at nulls, and one NaN for all
                string, binary: N lengths, uint64, 0 at nulls; all bytes one after the other
                list: N lengths likewise; the array of all their values
                struct: number of fields; of each its name and its array, null where the struct is

Names, tags and other strings have their length before them, uint64. How an array is stored does
not matter: chunks, offsets, dictionaries, large or small offsets, what lies under a null.
"""

from __future__ import annotations

import hashlib
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_HEX = 16


def shard_recipe(base: bytes, rows: pa.Table) -> str:
    """16 hex digits of a hash over `base` and all values of `rows`, with their order and types.

    `base` is what decides about a shard besides its rows. Raises ValueError for columns of a type
    that no recipe knows.
    """
    digest = hashlib.sha256()
    _add_bytes(digest, base)
    _add_count(digest, rows.num_rows)
    _add_count(digest, rows.num_columns)
    for name in rows.column_names:
        _add_bytes(digest, name.encode())
        column = rows.column(name)
        if isinstance(column, pa.ChunkedArray):
            column = column.combine_chunks()
        try:
            _add_array(digest, column)
        except ValueError as error:
            raise ValueError(f"column {name}: {error}") from None
    return digest.hexdigest()[:_HEX]


def _add_bytes(digest: Any, value: bytes) -> None:
    _add_count(digest, len(value))
    digest.update(value)


def _add_count(digest: Any, count: int) -> None:
    digest.update(count.to_bytes(8, "little"))


def _add_array(digest: Any, array: pa.Array) -> None:
    if isinstance(array, pa.DictionaryArray):
        array = array.dictionary_decode()
    kind = array.type
    _add_bytes(digest, _tag(kind).encode())
    _add_count(digest, len(array))
    _add_count(digest, array.null_count)
    known: NDArray[np.bool_] | None = None
    if array.null_count:
        known = array.is_valid().to_numpy(zero_copy_only=False)
        digest.update(np.packbits(known, bitorder="little"))
    if pa.types.is_null(kind):
        return
    if pa.types.is_struct(kind):
        _add_count(digest, kind.num_fields)
        for field, values in zip(kind, array.flatten(), strict=True):
            _add_bytes(digest, field.name.encode())
            _add_array(digest, values)
    elif _is_list(kind):
        lengths = pc.list_value_length(array).fill_null(0).cast(pa.uint64())
        digest.update(_little(lengths.to_numpy()))
        _add_array(digest, array.flatten())
    elif _is_text(kind):
        # Without nulls, whose bytes may be anything.
        large = pa.large_string() if _tag(kind) == "string" else pa.large_binary()
        plain = array.fill_null("" if _tag(kind) == "string" else b"").cast(large)
        ends = np.frombuffer(plain.buffers()[1], np.int64)[plain.offset :][: len(plain) + 1]
        digest.update(_little(np.diff(ends).astype(np.uint64)))
        if len(plain) and ends[-1] > ends[0]:
            digest.update(memoryview(plain.buffers()[2])[ends[0] : ends[-1]])
    elif pa.types.is_boolean(kind):
        values = array.fill_null(False).to_numpy(zero_copy_only=False)
        digest.update(np.packbits(values, bitorder="little"))
    else:
        numbers = (array.fill_null(0) if known is not None else array).to_numpy()
        if pa.types.is_floating(kind) and (not_a_number := np.isnan(numbers)).any():
            numbers = np.where(not_a_number, numbers.dtype.type(np.nan), numbers)
        digest.update(_little(numbers))


def _little(numbers: NDArray[Any]) -> NDArray[Any]:
    return np.ascontiguousarray(numbers, numbers.dtype.newbyteorder("<"))


def _is_list(kind: pa.DataType) -> bool:
    types = pa.types
    return bool(types.is_list(kind) or types.is_large_list(kind) or types.is_fixed_size_list(kind))


def _is_text(kind: pa.DataType) -> bool:
    return _tag(kind) in ("string", "binary")


def _tag(kind: pa.DataType) -> str:
    types = pa.types
    if types.is_string(kind) or types.is_large_string(kind):
        return "string"
    if types.is_binary(kind) or types.is_large_binary(kind) or types.is_fixed_size_binary(kind):
        return "binary"
    if types.is_null(kind) or types.is_struct(kind) or _is_list(kind):
        return "null" if types.is_null(kind) else "struct" if types.is_struct(kind) else "list"
    if types.is_boolean(kind):
        return "bool"
    if types.is_integer(kind):
        return f"{'int' if types.is_signed_integer(kind) else 'uint'}{kind.bit_width}"
    if types.is_float32(kind) or types.is_float64(kind):
        return f"float{kind.bit_width}"
    raise ValueError(f"no recipe knows {kind}: cast it to numbers, strings, lists or structs")
