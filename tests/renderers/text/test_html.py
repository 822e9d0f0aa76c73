"""Prose out of HTML, alone, in folders and in WARC files."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from renderers.text.corpora import TextSource
from renderers.text.files import documents
from renderers.text.html import decode_html, prose

_PAGE = """<!doctype html><html><head><title>Title</title><style>p{}</style></head><body>
<nav><a href=a>Home</a> <a href=b>Elsewhere</a></nav><div role=navigation>Way round</div>
<ul><li><a href=a>A menu of links</a></li></ul>
<main><h1>The heading</h1><p>A paragraph with <b>bold</b> and a <a href=c>link</a>
over two lines.<p hidden>Not seen</p><p>Another&nbsp;one &amp; more.<script>var code;</script></p>
<pre>first line
second line</pre><table><tr><td>One cell<td>Another cell</table>
<img src=a alt=words><br><span style="display: none">nothing</span>Loose text</main>
<footer>Imprint</footer></body></html>"""


def test_it_reads_paragraphs_and_leaves_out_what_surrounds_them() -> None:
    assert prose(_PAGE).split("\n\n") == [
        "The heading",
        "A paragraph with bold and a link over two lines.",
        "Another one & more.",
        "first line\nsecond line",
        "One cell",
        "Another cell",
        "Loose text",
    ]


@pytest.mark.parametrize(
    "html",
    ["", "<", "<p", "<!--", "<script>x", "</p></p>", "<nav>" * 9, "<![CDATA[", "&#xffffffff;"],
)
def test_broken_pages_are_read_as_far_as_they_go(html: str) -> None:
    prose(html)
    assert prose("<p>text</p>" + html).startswith("text")


@pytest.mark.parametrize(
    ("data", "header", "text"),
    [
        ("é中".encode(), None, "é中"),
        ("中文字".encode("gb18030"), None, "中文字"),
        (b"\xe9", None, "é"),
        (b'<meta charset="iso-8859-1">\x93', None, '<meta charset="iso-8859-1">“'),
        ("é".encode("utf-16-be"), "utf-16be", None),
    ],
)
def test_encodings_are_found(data: bytes, header: str | None, text: str | None) -> None:
    decoded = decode_html(data, header)
    assert text is None or decoded == text


def test_folders_of_html_are_prose_and_pages_without_any_are_passed_over(tmp_path: Path) -> None:
    (tmp_path / "a.html").write_text("<p>The first page says this.</p>")
    (tmp_path / "b.htm.gz").write_bytes(gzip.compress(b"<p>The second one says that.</p>"))
    (tmp_path / "c.html").write_text("<nav>Only a menu</nav>")
    (tmp_path / "d.js").write_text("var notProse = 1;")
    (tmp_path / "e.inv").write_bytes(b"\xff\x00\xff")
    assert list(documents([tmp_path])) == ["The first page says this.", "The second one says that."]
    source = TextSource.from_paths([tmp_path], language="en")
    assert source.paragraphs == ("The first page says this.", "The second one says that.")


def test_archives_of_the_web_are_prose(tmp_path: Path) -> None:
    pytest.importorskip("warcio")
    http = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n\r\n<p>What a server said.</p>"
    lines = ["WARC/1.0", "WARC-Type: response", "WARC-Target-URI: http://example.org/"]
    head = "\r\n".join([*lines, f"Content-Length: {len(http)}", "", ""]).encode()
    record = head + http + b"\r\n\r\n"
    (tmp_path / "a.warc").write_bytes(record + record)
    (tmp_path / "b.warc.gz").write_bytes(gzip.compress(record))
    assert list(documents([tmp_path])) == ["What a server said."] * 3
