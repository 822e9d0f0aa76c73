"""Which columns of a Parquet file hold images, and what the others hold when none does."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.sources.base import SourceError
from pipelines.sources.members import IMAGE_EXTENSIONS, extension_of
from vae_corpus.pictures.decode import sniff

_SAMPLE_ROWS = 8
_HEAD_CHARS = 8192
_MAX_CHARS = 1500

_TO_BYTES = "write the bytes of the image files into a binary column"
_NEXT_STEP = {
    "base64": f"decode it once: {_TO_BYTES}",
    "url": "download the images, for example with img2dataset, and give its tars to a source of"
    " type webdataset",
    "path": f"give the folder of these files to a source of type folder, or {_TO_BYTES}",
    "numbers": "cast the lists to binary: they are the bytes of image files",
    "pixels": f"these seem to be pixels: encode them, for example as PNG, and {_TO_BYTES}",
    "several": "give each image a row of its own",
}


def image_columns(uri: str, parquet: pq.ParquetFile, wanted: Sequence[str]) -> list[str]:
    """The wanted columns, or the only one that can hold images.

    SourceError lists the candidates when it is not clear, and where there is none what the columns
    hold instead and what to do about it.
    """
    schema = parquet.schema_arrow
    candidates = [field.name for field in schema if _holds_bytes(field.type)]
    if wanted and set(wanted) <= set(candidates):
        return list(wanted)
    if not candidates or wanted:
        lost = [name for name in wanted if name not in candidates]
        which = [name for name in lost if name in schema.names] or schema.names
        raise _error(
            f"{uri}: no image column{f' {lost[0]!r}' if lost else ''}; columns with bytes:"
            f" {candidates}; {_what_is_there(parquet, which)}"
        )
    if len(candidates) > 1:
        raise _error(
            f"{uri}: set `column` of the source, or `columns` for several images a row:"
            f" {len(candidates)} columns can hold images {candidates} among {schema.names}"
        )
    return candidates


def _error(message: str) -> SourceError:
    """Names of columns, and how many there are, are the affair of whoever wrote the file."""
    shown = message if len(message) <= _MAX_CHARS else f"{message[:_MAX_CHARS]}…"
    return SourceError(shown)


def leaves_of(schema: pa.Schema, columns: Sequence[str]) -> list[str]:
    """The parts of image columns to read: of a `{bytes, path}` struct, just these two."""
    leaves = []
    for column in columns:
        type_ = schema.field(column).type
        parts = [f.name for f in type_ if f.name in ("bytes", "path")] if _is_struct(type_) else []
        leaves += [f"{column}.{part}" for part in parts] or [column]
    return leaves


def said_of_no_image(data: bytes) -> str | None:
    """What a value is that should be an image file and is text instead, and what to do about it."""
    if sniff(data) is not None:
        return None
    try:
        text = data[:_HEAD_CHARS].decode("ascii")
    except UnicodeDecodeError:
        return None
    kind = _kind_of_text(text)
    return f"{_said(kind, text)}: {_NEXT_STEP[kind]}" if kind else None


def said_of_a_path(path: str) -> str:
    """What to do about a row that has a path, or a URL, and no bytes."""
    kind = "url" if _kind_of_text(path) == "url" else "path"
    return f"no bytes, only the {kind} {path[:200]!r}: {_NEXT_STEP[kind]}"


def _what_is_there(parquet: pq.ParquetFile, names: Sequence[str]) -> str:
    found = [_describe(parquet, name) for name in names[:20]]
    return "found " + "; ".join(found)


def _describe(parquet: pq.ParquetFile, name: str) -> str:
    """`name`: what it holds, and the next step when that may be images after all."""
    type_ = parquet.schema_arrow.field(name).type
    values = _sample(parquet, name)
    kind, said = _kind_of_values(type_, values)
    return f"{name!r}: {said}" + (f" ({_NEXT_STEP[kind]})" if kind else "")


def _sample(parquet: pq.ParquetFile, name: str) -> list[Any]:
    if parquet.metadata.num_rows == 0:
        return []
    groups = [i for i in range(parquet.num_row_groups) if parquet.metadata.row_group(i).num_rows]
    first = parquet.iter_batches(
        _SAMPLE_ROWS, row_groups=groups[:1], columns=[name], use_threads=False
    )
    # None at all where the footer announces rows that are not there.
    batch = next(first, None)
    if batch is None:
        return []
    return [value for value in batch.column(0).to_pylist() if value is not None]


def _kind_of_values(type_: pa.DataType, values: list[Any]) -> tuple[str | None, str]:
    value = values[0] if values else None
    if isinstance(value, str):
        kind = _kind_of_text(value)
        return kind, _said(kind, value) if kind else "text"
    if isinstance(value, dict) and isinstance(value.get("path"), str):
        return _kind_of_values(pa.string(), [value["path"]])
    if isinstance(value, list):
        if value and isinstance(value[0], bytes | dict):
            return "several", f"lists of images, {type_}"
        if all(isinstance(n, int) and 0 <= n < 256 for n in value):
            image = sniff(bytes(value))
            if image is not None:
                return "numbers", f"the bytes of a {image} file as {type_}"
        return ("pixels", str(type_)) if _of_numbers(type_) else (None, str(type_))
    if isinstance(value, dict):
        return None, f"a struct without a field `bytes`, {type_}"
    return None, str(type_) if values else f"{type_}, empty in the first rows"


def _of_numbers(type_: pa.DataType) -> bool:
    lists = (pa.types.is_list, pa.types.is_large_list, pa.types.is_fixed_size_list)
    while any(is_kind(type_) for is_kind in lists):
        type_ = type_.value_type
    return bool(pa.types.is_integer(type_) or pa.types.is_floating(type_))


def _kind_of_text(text: str) -> str | None:
    head = text[:_HEAD_CHARS].strip()
    if head.startswith("data:image/"):
        return "base64"
    if head.lower().startswith(("http://", "https://", "s3://", "gs://", "ftp://")):
        return "url"
    if extension_of(head) in IMAGE_EXTENSIONS and "\n" not in head:
        return "path"
    return "base64" if _base64_image(head) else None


def _base64_image(text: str) -> str | None:
    text = "".join(text.partition(",")[2].split() if text[:5] == "data:" else text.split())
    usable = text.translate(str.maketrans("-_", "+/"))[: _HEAD_CHARS // 4 * 4]
    try:
        return sniff(base64.b64decode(usable[: len(usable) // 4 * 4], validate=True))
    except (binascii.Error, ValueError):
        return None


def _said(kind: str | None, text: str) -> str:
    if kind == "base64":
        return f"base64 text of a {_base64_image(text.strip()) or 'file'}"
    return f"{kind}s such as {text[:80]!r}"


def _is_struct(type_: pa.DataType) -> bool:
    return bool(pa.types.is_struct(type_))


def _holds_bytes(type_: pa.DataType) -> bool:
    if _is_struct(type_):
        return any(f.name == "bytes" and _holds_bytes(f.type) for f in type_)
    if pa.types.is_dictionary(type_):
        return _holds_bytes(type_.value_type)
    kinds = (pa.types.is_binary, pa.types.is_large_binary, pa.types.is_binary_view)
    return any(is_kind(type_) for is_kind in kinds)
