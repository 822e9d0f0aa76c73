"""The web pages in a WARC file, in order, each with the place from which it can be read again.

Records are cut out here, within bounds and one by one, so that damage ends with its record; what
stands in one is read by warcio.
"""

from __future__ import annotations

import io
import re
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from renderers.documents.page import RendererMissing
from renderers.text.html import decode_html

# Of a page, after its codings are undone, and of a record that may hold one.
MAX_PAGE_BYTES = 16 * 1024**2
MAX_RECORD_BYTES = 32 * 1024**2
_MAX_HEADER_BYTES = 1 << 16
_CHUNK_BYTES = 1 << 16
_PEEK_BYTES = 4096
_GZIP, _PLAIN = b"\x1f\x8b\x08", b"WARC/"
_MARK = re.compile(b"%s|%s" % (_GZIP, _PLAIN))
_LENGTH = re.compile(rb"^content-length:[ \t]*(\d{1,18})[ \t]*\r?$", re.IGNORECASE | re.MULTILINE)
_HEADER_END = re.compile(rb"\r?\n\r?\n")
_HTML = ("text/html", "application/xhtml+xml")
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([\w.:-]+)", re.IGNORECASE)


@dataclass(frozen=True, kw_only=True)
class WarcPage:
    """A page that a server gave out. `html` is UTF-8 with a byte order mark, whatever it was."""

    offset: int
    record: str
    url: str
    html: bytes


@dataclass(frozen=True, kw_only=True)
class WarcFault:
    """What gives no page: `damaged`, `page_too_large` or `one_gzip_member`.

    `after` is where the last sound record before it begins; None when none was read.
    """

    offset: int
    slug: str
    why: str
    after: int | None = None


class _Damaged(Exception):
    """No record can be read at a place."""


@dataclass(frozen=True, kw_only=True)
class _Record:
    """The first bytes of a record, MAX_RECORD_BYTES at most, and where the next one begins."""

    data: bytes
    size: int
    end: int
    # Whether no other record follows in the same member of gzip.
    last: bool


def warc_pages(file: BinaryIO, *, start: int = 0) -> Iterator[WarcPage | WarcFault]:
    """The HTML responses with status 200, from the record at `start` on.

    `file` is seekable; its records are compressed with gzip one by one, or not at all. After damage
    it goes on with the next record that can be read. RendererMissing when warcio is not installed.
    """
    _archive_iterator()
    place: int | None = start
    sound = None
    while place is not None:
        try:
            record = _cut_out(file, place)
            found = _page(record, place) if record is not None else None
        except _Damaged as error:
            why = f"at {place}: {error}"
            yield WarcFault(offset=place, slug="damaged", why=why, after=sound)
            place = _next_record(file, place + 1)
            continue
        if record is None:
            return
        if found is not None:
            yield found
        if not record.last:
            why = "records share a member of gzip: `warcio recompress` sets them apart"
            yield WarcFault(offset=place, slug="one_gzip_member", why=why)
        place, sound = record.end, place


def warc_page(file: BinaryIO, offset: int) -> WarcPage | WarcFault:
    """The page whose record begins at `offset`, as `warc_pages` told it."""
    found = next(warc_pages(file, start=offset), None)
    if found is not None and found.offset == offset:
        return found
    why = f"the record at {offset} is no page: was the file changed?"
    return WarcFault(offset=offset, slug="damaged", why=why)


def _cut_out(file: BinaryIO, place: int) -> _Record | None:
    """The record at `place`, None at the file's end."""
    file.seek(place)
    head = file.read(_MAX_HEADER_BYTES)
    if not head:
        return None
    if head.startswith(_GZIP):
        file.seek(place)
        return _decompressed(file)
    size = _size(head)
    file.seek(0, io.SEEK_END)
    if place + size > file.tell():
        raise _Damaged("the file ends within the record")
    file.seek(place)
    data = file.read(min(size, MAX_RECORD_BYTES))
    # Two line breaks end a record.
    file.seek(place + size)
    after = file.read(4)
    end = place + size + len(after) - len(after.lstrip(b"\r\n"))
    return _Record(data=data, size=size, end=end, last=True)


def _decompressed(file: BinaryIO) -> _Record:
    """A member of gzip. What is too much of it is decompressed to find its end, but not kept."""
    machine = zlib.decompressobj(16 + zlib.MAX_WBITS)
    kept, held = [], 0
    while not machine.eof:
        raw = file.read(_CHUNK_BYTES)
        if not raw:
            raise _Damaged("the file ends within the record")
        while raw and not machine.eof:
            try:
                piece = machine.decompress(raw, _CHUNK_BYTES)
            except zlib.error as error:
                raise _Damaged(str(error)) from None
            raw = machine.unconsumed_tail
            if held < MAX_RECORD_BYTES:
                kept.append(piece)
            held += len(piece)
    data = b"".join(kept)
    size = _size(data[:_MAX_HEADER_BYTES])
    if size > held:
        raise _Damaged(f"the record has {held} bytes and says {size}")
    last = not data[size:].lstrip(b"\r\n").startswith(_PLAIN)
    return _Record(data=data, size=size, end=file.tell() - len(machine.unused_data), last=last)


def _size(head: bytes) -> int:
    """Of a whole record, by its head."""
    ends = _HEADER_END.search(head)
    length = _LENGTH.search(head, 0, ends.start() + 1) if ends else None
    if not head.startswith(_PLAIN) or ends is None or length is None:
        raise _Damaged("no head of a record")
    return ends.end() + int(length[1])


def _page(record: _Record, place: int) -> WarcPage | WarcFault | None:
    try:
        found = next(iter(_archive_iterator()(io.BytesIO(record.data))))
        if found.rec_type != "response" or found.http_headers is None:
            return None
        kind = found.http_headers.get_header("Content-Type") or ""
        if found.http_headers.get_statuscode() != "200" or not kind.lower().startswith(_HTML):
            return None
        data = found.content_stream().read(MAX_PAGE_BYTES + 1)
    except StopIteration:
        raise _Damaged("no head of a record") from None
    # At bytes of others warcio raises much beside its own errors, as when a header is missing.
    except Exception as error:
        raise _Damaged(str(error)) from None
    if record.size > MAX_RECORD_BYTES or len(data) > MAX_PAGE_BYTES:
        why = f"the page has more than {MAX_PAGE_BYTES} bytes"
        return WarcFault(offset=place, slug="page_too_large", why=why)
    said = _CHARSET.search(kind)
    text = decode_html(data, said[1] if said else None)
    return WarcPage(
        offset=place,
        record=found.rec_headers.get_header("WARC-Record-ID") or "",
        url=found.rec_headers.get_header("WARC-Target-URI") or "",
        html=text.encode("utf-8-sig", "replace"),
    )


def _next_record(file: BinaryIO, place: int) -> int | None:
    """Where the next record begins that opens; what lies before is gone through once."""
    while True:
        file.seek(place)
        window = file.read(2 * _CHUNK_BYTES)
        length = ends = -1
        for mark in _MARK.finditer(window, 0, _CHUNK_BYTES + len(_PLAIN) - 1):
            begin = mark.start()
            if mark[0] == _GZIP:
                opens = _opens(memoryview(window)[begin:])
            else:
                # Kept from mark to mark: garbage may be all marks, and have no head to find.
                length = _next(_LENGTH, window, begin, length)
                ends = _next(_HEADER_END, window, begin, ends)
                opens = length < ends < min(len(window), begin + _MAX_HEADER_BYTES)
            if opens:
                return place + begin
        if len(window) <= _CHUNK_BYTES:
            return None
        place += _CHUNK_BYTES


def _next(pattern: re.Pattern[bytes], data: bytes, start: int, known: int) -> int:
    """Where `pattern` next begins from `start` on, or the end; `known`: for an earlier start."""
    if known >= start:
        return known
    found = pattern.search(data, start)
    return found.start() if found else len(data)


def _opens(member: memoryview) -> bool:
    """Whether a member of gzip begins here, and in it a record."""
    peek = member[:_PEEK_BYTES]
    try:
        # The first bytes alone tell most of what merely looks like gzip.
        begin = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(peek, len(_PLAIN))
        if begin != _PLAIN:
            return False
        head = zlib.decompressobj(16 + zlib.MAX_WBITS).decompress(member, _MAX_HEADER_BYTES)
    except zlib.error:
        return False
    return _LENGTH.search(head) is not None


def _archive_iterator() -> Any:
    try:
        from warcio.archiveiterator import ArchiveIterator
    except ImportError:
        why = "WARC files are read by warcio: pip install 'vae-corpus[web]'"
        raise RendererMissing(why) from None
    return ArchiveIterator
