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
_BATCH_ROWS = 1000
# What a Parquet file may unpack to: so many times its size, or a text file's most if that is more.
_MAX_RATIO = 20
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
        file = pq.ParquetFile(path)
        schema = file.schema_arrow
        names = [f for f in TEXT_FIELDS if f in schema.names and _is_text(schema.field(f).type)]
        groups = [file.metadata.row_group(i) for i in range(file.num_row_groups)]
        size = sum(group.total_byte_size for group in groups)
        rows = sum(group.num_rows for group in groups)
        if names and (size > max(MAX_TEXT_BYTES, _MAX_RATIO * path.stat().st_size)):
            raise UnreadableText(f"{path} unpacks to {size} bytes of text: split it")
        if rows > path.stat().st_size:
            raise UnreadableText(f"{path} has {rows} rows in {path.stat().st_size} bytes: no texts")
        if not names:
            columns = ", ".join(schema.names)[:_MAX_SAID_CHARS]
            raise UnreadableText(
                f"{path} has the columns {columns}; "
                f"texts are looked for in {', '.join(TEXT_FIELDS)}"
            )
        for batch in file.iter_batches(_BATCH_ROWS, columns=names[:1], use_threads=False):
            yield from (text for text in batch.column(0).to_pylist() if text)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        said = str(error)[:_MAX_SAID_CHARS]
        raise UnreadableText(f"cannot read {path}: {said}") from None


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
