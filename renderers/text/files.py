"""Read documents out of text files: plain, fortune files, JSON lines, Parquet, man pages, HTML.

Files may be gzipped. A document is one record (a fortune, a JSON line, a row, a page of a WARC
file) or a whole file. Of HTML the prose is read; a page without any is no document.
"""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from renderers.documents.warc import WarcPage, warc_pages
from renderers.text.html import decode_html, prose

# The column or key that holds the text, in order of preference.
TEXT_FIELDS = ("text", "content", "document", "article", "body")
_SKIPPED_SUFFIXES = {
    ".css", ".dat", ".eot", ".gif", ".ico", ".idx", ".inv", ".jpeg", ".jpg", ".js", ".mng", ".otf",
    ".pdf", ".png", ".svg", ".ttf", ".u8", ".webp", ".woff", ".woff2",
}  # fmt: skip
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
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError) as error:
        raise UnreadableText(f"cannot read {path}: {error}") from None
    if name.endswith(_HTML_SUFFIXES):
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


def _decode(data: bytes, path: Path) -> str:
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UnreadableText(f"{path} is neither UTF-8 nor GB18030: convert it to UTF-8 first")


def _json_lines(text: str, path: Path) -> Iterator[str]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except ValueError as error:
            raise UnreadableText(f"{path}, line {number} is not JSON: {error}") from None
        field = next((f for f in TEXT_FIELDS if isinstance(record.get(f), str)), None)
        if field is None:
            raise UnreadableText(
                f"{path}, line {number} has the keys {', '.join(record)}; "
                f"the text is looked for in {', '.join(TEXT_FIELDS)}"
            )
        yield record[field]


def _parquet(path: Path) -> Iterator[str]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    field = next((f for f in TEXT_FIELDS if f in file.schema_arrow.names), None)
    if field is None:
        raise UnreadableText(
            f"{path} has the columns {', '.join(file.schema_arrow.names)}; "
            f"the text is looked for in {', '.join(TEXT_FIELDS)}"
        )
    for batch in file.iter_batches(columns=[field]):
        yield from (text for text in batch.column(0).to_pylist() if text)


def _without_roff(page: str) -> str:
    kept = []
    for line in page.splitlines():
        if line.startswith((".", "'")):
            match = _ROFF_KEPT.match(line)
            line = match.group(1).replace('"', "") if match else ""
        kept.append(_ROFF_ESCAPE.sub("", line).replace("\\-", "-").replace("\\e", "\\"))
    return "\n".join(kept)
