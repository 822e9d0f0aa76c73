"""WARC files: pages in order, found again by their place; damage costs its own record alone."""

from __future__ import annotations

import gzip
import io
import time
from collections.abc import Sequence

import pytest

from renderers.documents.web import warc
from renderers.documents.web.warc import WarcFault, WarcPage, warc_page, warc_pages

_CRLF = b"\r\n"


def _record(
    html: bytes,
    *,
    number: int = 0,
    status: str = "200 OK",
    kind: str = "text/html",
    extra: Sequence[str] = (),
    record: str = "response",
) -> bytes:
    http = _CRLF.join(
        [f"HTTP/1.1 {status}".encode(), f"Content-Type: {kind}".encode()]
        + [line.encode() for line in extra]
        + [b"", html]
    )
    head = (
        f"WARC/1.0\r\nWARC-Type: {record}\r\nWARC-Record-ID: <urn:uuid:{number}>\r\n"
        f"WARC-Target-URI: http://example.org/{number}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + _CRLF * 2


def _file(records: Sequence[bytes], *, compressed: bool) -> io.BytesIO:
    return io.BytesIO(b"".join(gzip.compress(r) if compressed else r for r in records))


def _text(found: WarcPage | WarcFault) -> str:
    assert isinstance(found, WarcPage)
    return found.html.decode("utf-8-sig")


both = pytest.mark.parametrize("compressed", [True, False])


@both
def test_only_pages_are_told_in_order_and_each_is_found_again(compressed: bool) -> None:
    file = _file(
        [
            _record(b"", record="warcinfo"),
            _record(b"<p>one", number=1),
            _record(b"<p>gone", status="404 Not Found"),
            _record(b"\x89PNG", kind="image/png"),
            _record(b"<p>two", number=2, kind="application/xhtml+xml; charset=utf-8"),
        ],
        compressed=compressed,
    )
    found = list(warc_pages(file))
    assert [_text(page) for page in found] == ["<p>one", "<p>two"]
    assert [page.url for page in found if isinstance(page, WarcPage)] == [
        "http://example.org/1",
        "http://example.org/2",
    ]
    assert [page.record for page in found if isinstance(page, WarcPage)] == [
        "<urn:uuid:1>",
        "<urn:uuid:2>",
    ]
    assert [warc_page(file, page.offset) for page in found] == found


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        ("中文".encode(), "text/html"),
        ("中文".encode("gb18030"), "text/html; charset=gb2312"),
        ("中文".encode("gb18030"), "text/html"),
        ('<meta charset="big5">中文'.encode("big5"), "text/html"),
        ("\ufeff中文".encode("utf-16-le"), "text/html"),
        ('<meta charset="no-such">中文'.encode(), "text/html; charset=nor-this"),
    ],
)
def test_whatever_the_encoding_it_becomes_utf_8(data: bytes, kind: str) -> None:
    (page,) = warc_pages(_file([_record(data, kind=kind)], compressed=True))
    assert _text(page).endswith("中文")


@both
def test_codings_of_the_transfer_are_undone(compressed: bool) -> None:
    html = b"<p>coded"
    packed = gzip.compress(html)
    chunked = b"%x\r\n%s\r\n0\r\n\r\n" % (len(html), html)
    records = [
        _record(packed, extra=["Content-Encoding: gzip"]),
        _record(chunked, extra=["Transfer-Encoding: chunked"]),
    ]
    found = list(warc_pages(_file(records, compressed=compressed)))
    assert [_text(page) for page in found] == ["<p>coded"] * 2


@both
def test_damage_ends_with_its_record(compressed: bool) -> None:
    records = [_record(b"<p>%d" % n, number=n) for n in range(4)]
    file = _file(records, compressed=compressed)
    whole = list(warc_pages(file))
    data = bytearray(file.getvalue())
    middle = whole[1].offset
    data[middle + 4 : middle + 30] = b"\xff" * 26
    found = list(warc_pages(io.BytesIO(bytes(data))))
    assert [page for page in found if isinstance(page, WarcPage)] == [whole[0], *whole[2:]]
    (fault,) = (page for page in found if isinstance(page, WarcFault))
    assert (fault.slug, fault.offset) == ("damaged", middle)


@both
def test_a_file_that_ends_early_is_told(compressed: bool) -> None:
    data = _file([_record(b"<p>1"), _record(b"<p>2" * 99)], compressed=compressed).getvalue()
    first, second = warc_pages(io.BytesIO(data[:-20]))
    assert _text(first) == "<p>1"
    assert isinstance(second, WarcFault) and second.slug == "damaged"


@both
def test_a_page_that_is_too_large_is_told_and_the_next_is_read(
    compressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(warc, "MAX_PAGE_BYTES", 5000)
    monkeypatch.setattr(warc, "MAX_RECORD_BYTES", 9000)
    bomb = gzip.compress(bytes(1 << 20))
    records = [
        _record(b"<p>" + b"x" * 6000),
        _record(b"<p>" + b"x" * 60_000),
        _record(bomb, extra=["Content-Encoding: gzip"]),
        _record(b"<p>next"),
    ]
    *large, last = warc_pages(_file(records, compressed=compressed))
    assert [fault.slug for fault in large if isinstance(fault, WarcFault)] == ["page_too_large"] * 3
    assert _text(last) == "<p>next"


def test_a_file_that_is_one_member_of_gzip_is_told() -> None:
    file = io.BytesIO(gzip.compress(_record(b"<p>1") + _record(b"<p>2")))
    page, fault = warc_pages(file)
    assert _text(page) == "<p>1"
    assert isinstance(fault, WarcFault) and fault.slug == "one_gzip_member"


@pytest.mark.parametrize(
    "data", [b"", b"no archive at all" * 999, b"WARC/1.0\r\n" * 9, b"\x1f\x8b\x08"]
)
def test_what_is_no_archive_gives_no_page(data: bytes) -> None:
    assert not [page for page in warc_pages(io.BytesIO(data)) if isinstance(page, WarcPage)]


@pytest.mark.parametrize(
    "piece",
    [
        b"WARC/1.0\r\n",
        b"WARC/1.0\r\n" * 5000 + b"\r\n",
        b"\x1f\x8b\x08",
    ],
    ids=["versions", "versions_in_heads", "gzip"],
)
def test_beginnings_without_end_are_gone_through_once(piece: bytes) -> None:
    page = _record(b"<p>behind")
    garbage = piece * (400_000 // len(piece))
    begun = time.process_time()
    fault, found = warc_pages(io.BytesIO(garbage + b"\r\n\r\n" + page))
    assert time.process_time() - begun < 5
    assert isinstance(fault, WarcFault) and fault.slug == "damaged"
    assert _text(found) == "<p>behind"
    assert isinstance(found, WarcPage) and found.offset == len(garbage) + 4


def test_so_are_heads_that_never_end() -> None:
    begun = time.process_time()
    (fault,) = warc_pages(io.BytesIO(b"WARC/1.0\r\nContent-Length: 9\r\n" * 20_000))
    assert time.process_time() - begun < 5
    assert isinstance(fault, WarcFault) and fault.slug == "damaged"
