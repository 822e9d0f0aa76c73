"""EPUB and WARC files that are hostile: bombs, climbing names, endless and broken records."""

from __future__ import annotations

import gzip
from collections.abc import Iterator, Mapping

from hostile_set.case import BOMB, BROKEN, EMPTY, LOCKED, RENDERED, TOO_MUCH, Hostile
from hostile_set.office import zipped

_SECRET = "root:"
_PAGE = "<html xmlns='http://www.w3.org/1999/xhtml'><body><p>Seen</p></body></html>"
# What is no XML is read as HTML, and then a browser shows what is left of the markup.
_MARKUP_SHOWS = ("an_address_of_itself", "laughs_in_the_page", "an_entity_of_the_system")
_NOTHING = frozenset({"no_pages"}) | BROKEN


def cases() -> Iterator[Hostile]:
    for name, data, fates in _books():
        says = None if name in _MARKUP_SHOWS else "Seen"
        yield Hostile(name=name, suffix=".epub", data=data, fates=fates, says=says, secret=_SECRET)
    for name, data, fates in _crawls():
        yield Hostile(name=name, suffix=".warc", data=data, fates=fates, secret=_SECRET)
    for name, data, fates in _packed_crawls():
        yield Hostile(name=name, suffix=".warc.gz", data=data, fates=fates, secret=_SECRET)


_Rows = Iterator[tuple[str, bytes, frozenset[str]]]


def _book(
    page: str = _PAGE,
    *,
    href: str = "a.xhtml",
    count: int = 1,
    head: str = "",
    more: Mapping[str, str | bytes] | None = None,
) -> bytes:
    items = f'<item id="a" href="{href}" media-type="application/xhtml+xml"/>'
    spine = '<itemref idref="a"/>' * count
    container = "urn:oasis:names:tc:opendocument:xmlns:container"
    return zipped(
        {
            "mimetype": "application/epub+zip",
            "META-INF/container.xml": f'<container xmlns="{container}" version="1.0"><rootfiles>'
            '<rootfile full-path="b.opf" media-type="application/oebps-package+xml"/>'
            "</rootfiles></container>",
            "b.opf": f'{head}<package xmlns="http://www.idpf.org/2007/opf" version="3.0">'
            f"<manifest>{items}</manifest><spine>{spine}</spine></package>",
            "a.xhtml": page,
            **(more or {}),
        }
    )


def _books() -> _Rows:
    good = _book()
    yield "empty", b"", EMPTY
    yield "truncated", good[: len(good) // 2], BROKEN
    yield "a_zip_of_something", zipped({"a.txt": "Seen"}), BROKEN
    yield "a_bomb", _book(more={f"{n}.png": bytes(16 << 20) for n in range(64)}), BOMB | RENDERED
    yield "a_page_of_100_mb", _book(" " * (100 << 20) + _PAGE), BOMB
    yield "50000_parts", _book(more={f"{n}.txt": "" for n in range(50_000)}), BOMB
    yield "a_page_100000_times", _book(count=100_000), RENDERED | BROKEN | BOMB
    for name, href in {
        "climbing": "../../../../../../etc/passwd",
        "climbing_in_disguise": "..%2f..%2f..%2f..%2fetc%2fpasswd",
        "absolute": "/etc/passwd",
        "of_a_file": "file:///etc/passwd",
        "of_the_network": "http://127.0.0.1:9/a.xhtml",
        "of_nothing": "b.xhtml",
        "of_itself": "b.opf",
    }.items():
        yield f"an_address_{name}", _book(href=href), BROKEN | RENDERED | frozenset({"no_pages"})
    yield (
        "parts_that_climb",
        _book(more={"../../tmp/climbed": "x", "/tmp/climbed": "x"}),
        (RENDERED | BROKEN),
    )
    laughs = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    head = f"<!DOCTYPE x [<!ENTITY a0 'ha'>{laughs}]>"
    yield "laughs_in_the_package", _book(head=head, href="&a9;"), BROKEN | BOMB
    yield (
        "laughs_in_the_page",
        _book(head + _PAGE.replace("Seen", "&a9;")),
        BROKEN | BOMB | RENDERED,
    )
    outside = "<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
    yield (
        "an_entity_of_the_system",
        _book(outside + _PAGE.replace("</p>", "&a;</p>")),
        (BROKEN | RENDERED),
    )
    lock = (
        '<encryption><EncryptedData><CipherReference URI="a.xhtml"/></EncryptedData></encryption>'
    )
    yield "locked", _book(more={"META-INF/encryption.xml": lock}), LOCKED
    script = _PAGE.replace("</p>", "</p><script>for(;;);</script>")
    yield "a_script_without_end", _book(script), RENDERED
    frame = _PAGE.replace("</p>", "</p><iframe src='file:///etc/passwd'></iframe>")
    yield "a_frame_of_the_system", _book(frame), RENDERED


def _record(body: bytes, *, kind: str = "response", length: int | None = None) -> bytes:
    size = len(body) if length is None else length
    head = f"WARC/1.0\r\nWARC-Type: {kind}\r\nWARC-Target-URI: http://a.example/\r\n"
    head += f"Content-Type: application/http;msgtype=response\r\nContent-Length: {size}\r\n\r\n"
    return head.encode() + body + b"\r\n\r\n"


def _answer(body: bytes, headers: str = "Content-Type: text/html") -> bytes:
    return f"HTTP/1.1 200 OK\r\n{headers}\r\n\r\n".encode() + body


def _crawls() -> _Rows:
    page = b"<!DOCTYPE html><p>Seen</p>"
    good = _record(_answer(page))
    any_fate = RENDERED | _NOTHING | TOO_MUCH
    yield "empty", b"", EMPTY
    yield "garbage", bytes((n * 193 + n // 7) % 256 for n in range(20_000)), _NOTHING
    yield "cut_in_its_head", good[:40], _NOTHING
    yield "cut_in_its_body", good[:-20], any_fate
    yield "a_record_of_10_to_the_18", _record(_answer(page), length=10**18), any_fate
    yield "a_record_of_less_than_nothing", _record(_answer(page), length=-1), any_fate
    yield "a_good_one_after_a_bad_one", _record(b"\0" * 99) + good, any_fate
    yield "no_page_at_all", _record(b"GET / HTTP/1.1\r\n\r\n", kind="request"), _NOTHING
    yield "100000_empty_records", _record(b"") * 100_000, any_fate
    yield "a_head_of_50_mb", b"WARC/1.0\r\n" + b"X: y\r\n" * 8_000_000 + b"\r\n", _NOTHING
    moved = b"HTTP/1.1 301 Moved\r\nLocation: http://a.example/\r\n\r\n"
    yield "moved_to_itself", _record(moved), _NOTHING
    picture = _answer(bytes(999), "Content-Type: image/png")
    yield "a_picture", _record(picture), _NOTHING
    bomb = gzip.compress(bytes(300 << 20), 1)
    packed = "Content-Type: text/html\r\nContent-Encoding: gzip"
    yield "a_page_of_300_mb_packed", _record(_answer(bomb, packed)), any_fate | BOMB
    twice = gzip.compress(bomb)
    yield "packed_twice", _record(_answer(twice, packed + ", gzip")), any_fate | BOMB
    chunks = "Content-Type: text/html\r\nTransfer-Encoding: chunked"
    yield "a_chunk_of_2_to_the_64", _record(_answer(b"ffffffffffffffff\r\nSeen", chunks)), any_fate
    charset = "Content-Type: text/html; charset=no-such-set"
    yield "an_unknown_charset", _record(_answer(page, charset)), any_fate
    secret = _answer(b"<!DOCTYPE html><p>Seen<iframe src=file:///etc/passwd>")
    yield "a_page_that_reads_files", _record(secret), any_fate


def _packed_crawls() -> _Rows:
    good = gzip.compress(_record(_answer(b"<!DOCTYPE html><p>Seen</p>")))
    any_fate = RENDERED | _NOTHING | TOO_MUCH | BOMB
    yield "cut", good[: len(good) // 2], any_fate
    yield "damaged_in_the_middle", good + good[:30] + b"\xff" * 9 + good[39:] + good, any_fate
    yield "a_bomb", gzip.compress(bytes(300 << 20), 1), any_fate
    yield "not_packed_at_all", _record(_answer(b"<p>Seen")), any_fate
    yield "100000_members_of_nothing", gzip.compress(b"") * 100_000, any_fate
