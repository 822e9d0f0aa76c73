"""Read documents out of text files: plain, fortune files, JSON lines, Parquet, man pages, HTML.

Files may be gzipped. A document is one record (a fortune, a JSON line, a row, a page of a WARC
file) or a whole file. Of HTML the prose is read; a page without any is no document.
"""

from __future__ import annotations

import gzip
import json
import re
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from renderers.documents.web.warc import WarcPage, warc_pages
from renderers.text.html import decode_html, prose

# The column or key that holds the text, in order of preference.
TEXT_FIELDS = ("text", "content", "document", "article", "body")
# A file is read whole, and texts are drawn in every worker: what is larger is a mistake or a bomb.
MAX_TEXT_BYTES = 1 << 30
# Pages of HTML that books are on have ten megabytes. Python's parser takes a time for some broken
# markup that grows with the square of its length.
_MAX_HTML_BYTES = 32 << 20
_MAX_SAID_CHARS = 300
# Read at once from a column of Parquet, which arrow would read whole.
_BUFFER_BYTES = 1 << 20
# Of a Parquet file about so much is in memory at once, but no less than a row and its page.
_BATCH_ROWS, _BATCH_BYTES = 1000, 64 << 20
# What a Parquet file may unpack to: so many times its size, or so much if that is more.
_MAX_RATIO, _ALWAYS_BYTES = 20, 256 << 20
# One text exists three times over while it is read: as a page, as arrow's value, as Python's.
_MAX_ONE_TEXT_BYTES = 64 << 20
_SKIPPED = "css dat eot gif ico idx inv jpeg jpg js mng otf pdf png svg ttf u8 webp woff woff2"
_SKIPPED_SUFFIXES = {f".{name}" for name in _SKIPPED.split()}
_HTML_SUFFIXES = (".html", ".htm", ".xhtml")
_MAN_PAGE = re.compile(r"\.[1-9][a-z]*$")
_ROFF_KEPT = re.compile(r"^\.\s*(?:SH|SS|B|I|BR|IR|RB|RI|IP|TP|Nm|Nd)\b\s*(.*)$")
_ROFF_ESCAPE = re.compile(r"\\(?:f(?:\[\w*\]|\(\w\w|\w)|s[+-]?\d+|[&|^,/!%c])|\\\".*$")


class UnreadableText(ValueError):
    """A text file that cannot be used; the message says which, why and what to do."""


def documents(paths: Sequence[Path]) -> Iterator[str]:
    """Every document in `paths` (files, or folders walked recursively), in order of path.

    UnreadableText for a path that does not exist, a file that is not UTF-8 or GB18030, or a
    table without a text column.
    """
    for path in paths:
        if path.is_dir():
            for file in sorted(p for p in path.rglob("*") if p.is_file()):
                if file.suffix not in _SKIPPED_SUFFIXES:
                    yield from _read(file)
        elif path.is_file():
            yield from _read(path)
        else:
            raise UnreadableText(f"no such text file or folder: {path}")


def _read(path: Path) -> Iterator[str]:
    name = path.name.removesuffix(".gz")
    if name.endswith(".parquet"):
        yield from _parquet(path)
        return
    if name.endswith(".warc"):
        with path.open("rb") as file:
            pages = (page for page in warc_pages(file) if isinstance(page, WarcPage))
            yield from filter(None, (prose(decode_html(page.html)) for page in pages))
        return
    data = _bytes_of(path)
    if name.endswith(_HTML_SUFFIXES):
        if len(data) > _MAX_HTML_BYTES:
            raise UnreadableText(f"{path} has more than {_MAX_HTML_BYTES} bytes of HTML: split it")
        yield from filter(None, [prose(decode_html(data))])
        return
    text = _decode(data, path)
    if name.endswith((".jsonl", ".ndjson")):
        yield from _json_lines(text, path)
    elif _MAN_PAGE.search(name) and ".TH" in text:
        yield _without_roff(text)
    elif "\n%\n" in text:
        yield from text.split("\n%\n")
    else:
        yield text


def _bytes_of(path: Path) -> bytes:
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            data = file.read(MAX_TEXT_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise UnreadableText(f"cannot read {path}: {error}") from None
    if len(data) > MAX_TEXT_BYTES:
        raise UnreadableText(f"{path} has more than {MAX_TEXT_BYTES} bytes of text: split it")
    return data


def _decode(data: bytes, path: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableText(f"{path} is neither UTF-8 nor GB18030: convert it to UTF-8 first")


def _json_lines(text: str, path: Path) -> Iterator[str]:
    # At line feeds alone: JSON may hold the other separators that `splitlines` knows.
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UnreadableText(f"{path}, line {number} is not JSON: {error}") from None
        if not isinstance(record, dict):
            said = type(record).__name__
            raise UnreadableText(
                f"{path}, line {number} is a {said}: each line must be an object with a text"
            )
        field = next((f for f in TEXT_FIELDS if isinstance(record.get(f), str)), None)
        if field is None:
            keys = ", ".join(record)[:_MAX_SAID_CHARS]
            raise UnreadableText(
                f"{path}, line {number} has the keys {keys}; "
                f"the text is looked for in {', '.join(TEXT_FIELDS)}"
            )
        yield record[field]


def _parquet(path: Path) -> Iterator[str]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path, buffer_size=_BUFFER_BYTES, pre_buffer=False)
        schema = file.schema_arrow
        names = [f for f in TEXT_FIELDS if f in schema.names and _is_text(schema.field(f).type)]
        if not names:
            columns = ", ".join(schema.names)[:_MAX_SAID_CHARS]
            raise UnreadableText(
                f"{path} has the columns {columns}; "
                f"texts are looked for in {', '.join(TEXT_FIELDS)}"
            )
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        sizes = [(group.num_rows, group.total_byte_size) for group in groups]
        _check_sizes(path, sizes)
        for number, (rows, size) in enumerate(sizes):
            at_once = max(1, min(_BATCH_ROWS, _BATCH_BYTES * rows // max(size, 1)))
            for batch in file.iter_batches(
                at_once, row_groups=[number], columns=names[:1], use_threads=False
            ):
                yield from _texts_of(path, batch.column(0))
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = str(error)[:_MAX_SAID_CHARS]
        raise UnreadableText(f"cannot read {path}: {said}") from None


def _check_sizes(path: Path, sizes: Sequence[tuple[int, int]]) -> None:
    """UnreadableText where row groups, as (rows, bytes unpacked), are no texts by the footer."""
    packed = path.stat().st_size
    rows, unpacked = (sum(column) for column in zip(*sizes, strict=True)) if sizes else (0, 0)
    if rows > packed:
        raise UnreadableText(f"{path} has {rows} rows in {packed} bytes: no texts")
    if unpacked > max(_ALWAYS_BYTES, _MAX_RATIO * packed):
        raise UnreadableText(
            f"{path} has {packed} bytes and unpacks to {unpacked}: no prose packs so well. If it is"
            " meant, write the file without compression"
        )
    if any(size > _MAX_ONE_TEXT_BYTES * max(count, 1) for count, size in sizes):
        raise _too_long(path)


def _texts_of(path: Path, column: Any) -> Iterator[str]:
    """The texts of a batch that are not empty, none copied before its length is known."""
    import pyarrow as pa

    for value in column:
        while isinstance(value, pa.DictionaryScalar):
            value = value.value
        if not value.is_valid:
            continue
        if value.as_buffer().size > _MAX_ONE_TEXT_BYTES:
            raise _too_long(path)
        if text := value.as_py():
            yield text


def _too_long(path: Path) -> UnreadableText:
    return UnreadableText(
        f"{path} has a text of more than {_MAX_ONE_TEXT_BYTES} bytes in a row: split it into rows"
    )


def _is_text(type_: Any) -> bool:
    import pyarrow as pa

    if pa.types.is_dictionary(type_):
        return _is_text(type_.value_type)
    kinds = (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view)
    return any(is_kind(type_) for is_kind in kinds)


def _without_roff(page: str) -> str:
    kept = []
    for line in page.splitlines():
        if line.startswith((".", "'")):
            match = _ROFF_KEPT.match(line)
            line = match.group(1).replace('"', "") if match else ""
        kept.append(_ROFF_ESCAPE.sub("", line).replace("\\-", "-").replace("\\e", "\\"))
    return "\n".join(kept)
