"""EPUB: chapters in order, pictures out of the archive, and nothing of what hostile ones try."""

from __future__ import annotations

import io
import struct
import zipfile
from contextlib import closing
from pathlib import Path

import cv2
import numpy as np
import pytest

from renderers.documents.page import DocumentFault
from renderers.documents.web.archive import Archive, joined
from renderers.documents.web.browser import Browser
from renderers.documents.web.epub import chapters, open_epub
from tests.pipelines.browser import needs_chromium
from tests.renderers.documents.pages import RECIPE, look
from vae_corpus.pictures.decode import Limits

_CONTAINER = """<?xml version="1.0"?>
<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container">
<rootfiles><rootfile full-path="OPS/book.opf"/></rootfiles></container>"""
_RED = cv2.imencode(".png", np.full((50, 80, 3), (0, 0, 255), np.uint8))[1].tobytes()


def _chapter(body: str) -> str:
    return (
        '<?xml version="1.0" encoding="utf-8"?><html xmlns="http://www.w3.org/1999/xhtml">'
        f"<head><title/></head><body>{body}</body></html>"
    )


def _book(
    files: dict[str, str | bytes], *, names: tuple[str, ...] = ("b.xhtml", "a.xhtml")
) -> bytes:
    items = "".join(
        f'<item id="i{n}" href="{name}" media-type="application/xhtml+xml"/>'
        for n, name in enumerate(names)
    )
    refs = "".join(f'<itemref idref="i{n}"/>' for n in range(len(names)))
    package = (
        f'<package xmlns="http://www.idpf.org/2007/opf"><manifest>{items}</manifest>'
        f"<spine>{refs}</spine></package>"
    )
    whole: dict[str, str | bytes] = {
        "META-INF/container.xml": _CONTAINER,
        "OPS/book.opf": package,
        "OPS/a.xhtml": _chapter("<p>second</p>"),
        "OPS/b.xhtml": _chapter('<p>first</p><img src="img/red.png"/>'),
        "OPS/img/red.png": _RED,
        **files,
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in whole.items():
            archive.writestr(name, data)
    return file.getvalue()


@needs_chromium
def test_chapters_follow_the_spine_and_show_their_pictures(chromium: Browser) -> None:
    book = open_epub(_book({}), recipe=RECIPE, browser=chromium)
    with closing(book):
        assert book.pages == 2
        second, first = (book.render(number, look(16), Limits()) for number in (1, 0))
    assert (first.characters.text, second.characters.text) == ("first", "second")
    left, top, right, bottom = (round(side) for side in first.pictures[0])
    assert (first.rgb[top + 2 : bottom - 2, left + 2 : right - 2] == (255, 0, 0)).all()


@needs_chromium
def test_a_chapter_that_is_no_xml_is_read_as_html(chromium: Browser) -> None:
    book = open_epub(
        _book({"OPS/b.xhtml": "<p>not closed<br>text"}), recipe=RECIPE, browser=chromium
    )
    with closing(book):
        assert "not closed" in book.render(0, look(16), Limits()).characters.text


@needs_chromium
def test_nothing_outside_the_archive_is_shown(chromium: Browser, tmp_path: Path) -> None:
    secret = tmp_path / "secret.css"
    secret.write_text("p::before { content: 'secret' }")
    styles = "".join(
        f'<link rel="stylesheet" href="{link}"/>'
        for link in (f"../../../../{secret}", f"file://{secret}", f"/{secret}")
    )
    book = open_epub(
        _book({"OPS/b.xhtml": _chapter(f"{styles}<p>text</p>"), "../../evil.css": "x"}),
        recipe=RECIPE,
        browser=chromium,
    )
    with closing(book):
        assert book.render(0, look(16), Limits()).characters.text == "text"


@pytest.mark.parametrize("link", ["../../etc/passwd", "/etc/passwd", "a/../../../b", "../..", ".."])
def test_a_link_that_leads_outside_names_nothing(link: str) -> None:
    assert joined("OPS", link) == ""
    assert joined("OPS", "../css/page.css") == "css/page.css"


def _slug(data: bytes) -> str:
    with pytest.raises(DocumentFault) as fault:
        chapters(Archive(data))
    return fault.value.slug


def test_entities_that_grow_are_refused() -> None:
    lol = '<!DOCTYPE l [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>'
    for place, text in (("META-INF/container.xml", _CONTAINER), ("OPS/book.opf", "<package/>")):
        head, _, rest = text.rpartition("?>")
        hostile = f"{head}{'?>' if head else ''}{lol}{rest}"
        assert _slug(_book({place: hostile})) == "broken_document"


def test_a_chapter_with_entities_of_its_own_is_not_read_as_xml() -> None:
    lol = '<!DOCTYPE html [<!ENTITY a "ha">]>' + _chapter("<p>&a;</p>").partition("?>")[2]
    assert not chapters(Archive(_book({"OPS/b.xhtml": lol})))[0].xhtml


def test_what_unpacks_to_too_much_is_refused() -> None:
    assert _slug(_book({"OPS/zeros": bytes(50 << 20)})) == "document_too_large"


def test_a_size_that_lies_gives_no_more_than_it_says() -> None:
    data = bytearray(_book({"OPS/img/red.png": b"x" * 1000}))
    start = data.rindex(b"PK\x01\x02", 0, data.rindex(b"OPS/img/red.png"))
    data[start + 24 : start + 28] = struct.pack("<I", 10)
    assert len(Archive(bytes(data)).read("OPS/img/red.png") or b"") <= 10


def test_locked_books_are_told_and_scrambled_fonts_are_not_locks() -> None:
    lock = (
        '<encryption xmlns:e="x"><e:EncryptedData><e:EncryptionMethod Algorithm="{}"/>'
        "</e:EncryptedData></encryption>"
    )
    aes = lock.format("http://www.w3.org/2001/04/xmlenc#aes128-cbc")
    assert _slug(_book({"META-INF/encryption.xml": aes})) == "locked_document"
    fonts = lock.format("http://www.idpf.org/2008/embedding")
    assert len(chapters(Archive(_book({"META-INF/encryption.xml": fonts})))) == 2


@pytest.mark.parametrize(
    "data",
    [
        b"no archive",
        _book({"META-INF/container.xml": "<container/>"}),
        _book({"OPS/book.opf": "<package"}),
        _book({}, names=("missing.xhtml",)),
    ],
)
def test_what_is_no_book_is_broken(data: bytes) -> None:
    with pytest.raises(DocumentFault) as fault:
        open_epub(data, recipe=RECIPE, browser=None)  # type: ignore[arg-type]
    assert fault.value.slug == "broken_document"
