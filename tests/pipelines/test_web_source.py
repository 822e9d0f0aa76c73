"""Pages of the web and of offices as a source of documents, and what is told without a browser."""

from __future__ import annotations

import functools
import gzip
import importlib.util
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from fonts.charsets import ASCII_PRINTABLE
from pipelines.sources import DocumentSource, Item, documents, drawn
from renderers.documents.labels import lines_in
from tests.once import made_once
from tests.pipelines.browser import needs_chromium
from tests.pipelines.reading import assert_fetch_gives_the_same, read_all, slugs
from tests.pipelines.test_documents import pages_of
from tests.tiny_font import write_font

needs_warc = pytest.mark.skipif(
    importlib.util.find_spec("warcio") is None, reason="warcio is not installed"
)

pytestmark = pytest.mark.usefixtures("forked_children")


@pytest.fixture(scope="session")
def fonts(shared: Path) -> tuple[str, ...]:
    def make(folder: Path) -> None:
        folder.mkdir()
        write_font(folder / "frames.ttf", ASCII_PRINTABLE, family="Frames")

    return (str(made_once(shared / "web-fonts", make)),)


def page(words: str) -> bytes:
    return f"<!doctype html><title>t</title><h1>A title</h1><p>{words}</p>".encode()


def said(item: Item) -> str:
    assert item.page is not None, item.fault
    height, width = item.page.rgb.shape[:2]
    return " ".join(line["text"] for line in lines_in(item.page, 0, 0, width, height))


def record(html: bytes, number: int) -> bytes:
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n" + html
    head = (
        f"WARC/1.0\r\nWARC-Type: response\r\nWARC-Record-ID: <urn:uuid:{number}>\r\n"
        f"WARC-Target-URI: http://example.org/{number}\r\n"
        f"Content-Type: application/http; msgtype=response\r\nContent-Length: {len(http)}\r\n\r\n"
    )
    return head.encode() + http + b"\r\n\r\n"


def archive(records: list[bytes], *, compressed: bool = True) -> bytes:
    return b"".join(gzip.compress(one, mtime=0) if compressed else one for one in records)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A page with a style sheet and a picture beside it, notes in Markdown, and others."""
    folder = tmp_path / "site"
    (folder / "sub").mkdir(parents=True)
    (folder / "style.css").write_text("body {background: rgb(0, 200, 0)} p {font-size: 20px}")
    styled = b'<link rel="stylesheet" href="style.css">' + page("words with a style")
    (folder / "index.html").write_bytes(styled)
    (folder / "sub" / "plain.htm").write_bytes(page("words without one"))
    (folder / "notes.md").write_text("# Notes\n\nwords of *notes*\n")
    (folder / "robots.txt").write_text("no document")
    return folder


@needs_chromium
def test_a_folder_of_pages_is_drawn_with_its_styles(site: Path, fonts: tuple[str, ...]) -> None:
    source = DocumentSource(name="w", uri=str(site), fonts=fonts)
    items = {item.member: item for item in read_all(source)}
    assert sorted(items) == ["index.html#page=1", "notes.md#page=1", "sub/plain.htm#page=1"]
    assert said(items["index.html#page=1"]) == "A title words with a style"
    assert said(items["notes.md#page=1"]) == "Notes words of notes"
    green = items["index.html#page=1"].page
    assert green is not None and green.rgb[-1, -1].tolist() == [0, 200, 0]
    for item in items.values():
        assert item.page is not None and item.page.known.doubt is None
        assert item.page.facts["renderer"].startswith("chromium")
    assert_fetch_gives_the_same(source)


@needs_chromium
def test_broken_pages_are_rows_with_a_slug_and_the_others_go_on(
    site: Path, fonts: tuple[str, ...]
) -> None:
    (site / "empty.html").write_bytes(b"")
    (site / "broken.epub").write_bytes(b"no archive")
    (site / "paper.pdf").write_bytes(pages_of(2))
    source = DocumentSource(name="w", uri=str(site), fonts=fonts)
    items = read_all(source)
    faults = {item.member: item.fault[0] for item in items if item.fault}
    assert faults.pop("broken.epub") == "broken_document"
    # A page without any content is white, or nothing.
    assert not faults or list(faults) == ["empty.html"]
    drawn_ones = {item.member for item in items if not item.fault}
    assert drawn_ones >= {"paper.pdf#page=1", "paper.pdf#page=2", "index.html#page=1"}


def in_parts(
    source: DocumentSource, monkeypatch: pytest.MonkeyPatch, part_bytes: int
) -> list[list[Item]]:
    monkeypatch.setattr(documents, "_SMALL_BYTES", 0)
    monkeypatch.setattr(documents, "_PART_BYTES", part_bytes)
    return [list(source.read(unit)) for unit in source.units()]


RECORDS = [record(page(f"words of page {n} " * (1 + 9 * n)), n) for n in range(3)]


@needs_chromium
@needs_warc
@pytest.mark.parametrize("compressed", [True, False])
def test_an_archive_in_parts_loses_and_doubles_nothing(
    tmp_path: Path, fonts: tuple[str, ...], compressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = "crawl.warc.gz" if compressed else "crawl.warc"
    data = archive(RECORDS, compressed=compressed)
    (tmp_path / name).write_bytes(data)
    source = DocumentSource(name="w", uri=str(tmp_path), fonts=fonts)
    whole = read_all(source)
    starts = [len(archive(RECORDS[:n], compressed=compressed)) for n in range(3)]
    assert [item.member for item in whole] == [f"{name}#record={at}#page=1" for at in starts]
    assert [said(item).split()[5] for item in whole] == ["0", "1", "2"]
    assert_fetch_gives_the_same(source)
    # Parts that end at a record, within a record, and many of which hold none.
    for size in (starts[1], 100, len(data) // 2):
        parts = in_parts(source, monkeypatch, size)
        assert len(parts) > 1 and sum(parts, []) == whole


def counted(source: DocumentSource, monkeypatch: pytest.MonkeyPatch) -> Callable[[], list[str]]:
    """Members and faults without a browser: every record has one page."""

    def places(self: DocumentSource, name: str, uri: str, first: int) -> list[int]:
        return [first]

    def item(self: DocumentSource, name: str, uri: str, place: int) -> Item:
        return Item(member=self._member(name, place), uri=uri, offset=place, data=b"")

    monkeypatch.setattr(DocumentSource, "_places", places)
    monkeypatch.setattr(DocumentSource, "item", item)
    monkeypatch.setattr(DocumentSource, "_renderers", lambda self, names: "none")
    return lambda: [
        f"{item.member} {item.fault[0] if item.fault else ''}" for item in read_all(source)
    ]


@needs_warc
@pytest.mark.parametrize("compressed", [True, False])
def test_parts_of_any_size_have_the_same_records(
    tmp_path: Path, compressed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = [record(page(f"page {n} " * n), n) for n in range(12)]
    data = bytearray(archive(records, compressed=compressed))
    broken = len(archive(records[:5], compressed=compressed))
    data[broken + 4 : broken + 30] = b"\xff" * 26
    (tmp_path / ("a.warc.gz" if compressed else "a.warc")).write_bytes(data)
    source = DocumentSource(name="w", uri=str(tmp_path))
    read = counted(source, monkeypatch)
    whole = read()
    assert len(whole) == 12 and sum(line.endswith("damaged") for line in whole) == 1
    monkeypatch.setattr(documents, "_SMALL_BYTES", 0)
    for size in (*range(37, 1200, 61), broken):
        monkeypatch.setattr(documents, "_PART_BYTES", size)
        assert read() == whole


@needs_warc
def test_a_damaged_record_at_the_very_border_of_parts_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Two parts of the same size, of which the second begins with damage.
    first = archive([record(b"x" * 400, 0)], compressed=False)
    second = first[:4] + b"\xff" * 26 + first[30:]
    (tmp_path / "a.warc").write_bytes(first + second)
    source = DocumentSource(name="w", uri=str(tmp_path))
    read = counted(source, monkeypatch)
    whole = read()
    assert len(whole) == 2
    monkeypatch.setattr(documents, "_SMALL_BYTES", 0)
    monkeypatch.setattr(documents, "_PART_BYTES", len(first))
    assert read() == whole


@needs_chromium
@needs_warc
def test_a_damaged_record_is_a_row_of_its_own(tmp_path: Path, fonts: tuple[str, ...]) -> None:
    data = bytearray(archive(RECORDS))
    at = len(archive(RECORDS[:1]))
    data[at + 4 : at + 30] = b"\xff" * 26
    (tmp_path / "crawl.warc.gz").write_bytes(data)
    source = DocumentSource(name="w", uri=str(tmp_path), fonts=fonts)
    items = read_all(source)
    faults = [(item.member, item.fault[0]) for item in items if item.fault]
    assert faults == [(f"crawl.warc.gz#record={at}", "damaged")]
    assert len(items) == 3


@needs_chromium
@needs_warc
def test_pages_of_each_record_are_bounded(tmp_path: Path, fonts: tuple[str, ...]) -> None:
    long = page("<br>".join(f"line {n}" for n in range(900)))
    (tmp_path / "a.warc.gz").write_bytes(archive([record(long, n) for n in range(2)]))
    source = DocumentSource(name="w", uri=str(tmp_path), fonts=fonts, max_pages=2)
    numbers = [item.member.rpartition("#page=")[2] for item in read_all(source)]
    assert len(numbers) == 4 and numbers[:2] == numbers[2:] != ["1", "2"]


@pytest.fixture
def without_programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither Chromium nor LibreOffice can be found, by processes that are started from here on."""
    nothing = tmp_path / "no-programs"
    nothing.mkdir()
    monkeypatch.setenv("PATH", str(nothing))
    for name in ("_renderings", "_version"):
        plain = getattr(drawn, name).__wrapped__
        monkeypatch.setattr(drawn, name, functools.cache(plain))


def test_without_programs_their_documents_are_rows_and_the_others_go_on(
    tmp_path: Path, fonts: tuple[str, ...], without_programs: None
) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    for name in ("a.html", "b.md", "c.epub", "d.pptx", "e.odt"):
        (folder / name).write_bytes(page("words"))
    (folder / "paper.pdf").write_bytes(pages_of(2))
    source = DocumentSource(name="w", uri=str(folder), fonts=fonts)
    items = read_all(source)
    faults = {item.member: item.fault for item in items if item.fault}
    assert {name: fault[0] for name, fault in faults.items()} == dict.fromkeys(
        ("a.html", "b.md", "c.epub", "d.pptx", "e.odt"), "renderer_missing"
    )
    assert "apt-get install chromium" in faults["a.html"][1]
    assert "libreoffice" in faults["d.pptx"][1].lower()
    drawn_ones = {item.member for item in items if not item.fault}
    assert drawn_ones == {"paper.pdf#page=1", "paper.pdf#page=2"}


@needs_warc
def test_without_a_browser_every_record_is_a_row(
    tmp_path: Path, fonts: tuple[str, ...], without_programs: None
) -> None:
    (tmp_path / "a.warc.gz").write_bytes(archive(RECORDS))
    source = DocumentSource(name="w", uri=str(tmp_path), fonts=fonts)
    assert slugs(source) == ["renderer_missing"] * 3


@needs_chromium
def test_a_node_without_a_browser_refuses_what_one_with_it_listed(
    site: Path, fonts: tuple[str, ...], request: pytest.FixtureRequest
) -> None:
    from pipelines.sources import SourceError

    source = DocumentSource(name="w", uri=str(site), fonts=fonts)
    units = list(source.units())
    request.getfixturevalue("without_programs")
    assert shutil.which("chromium") is None
    with pytest.raises(SourceError, match="other renderers"):
        list(source.read(units[0]))
