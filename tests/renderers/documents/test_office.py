from __future__ import annotations

import ctypes
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import numpy as np
import pypdfium2
import pytest
from PIL import Image

from renderers.documents.office import safe_zip
from renderers.documents.office.converter import Office
from renderers.documents.page import DocumentFault, RendererMissing
from tests.renderers.documents.office_files import (
    docx,
    linked_picture,
    odt,
    packed,
    paragraph,
    pptx,
    relation,
)
from tests.tiny_font import write_font

needs_office = pytest.mark.skipif(
    shutil.which("soffice") is None,
    reason="apt-get install libreoffice-impress-nogui libreoffice-writer-nogui",
)
MAGENTA = (255, 0, 255)


@pytest.fixture(scope="module")
def fonts(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    folder = tmp_path_factory.mktemp("fonts")
    write_font(folder / "tiny.ttf")
    return (str(folder),)


@pytest.fixture(scope="module")
def office(fonts: tuple[str, ...]) -> Iterator[Office]:
    with Office(fonts) as office:
        yield office


def text_of(pdf: bytes) -> str:
    return "".join(page.get_textpage().get_text_range() for page in pypdfium2.PdfDocument(pdf))


def pixels(pdf: bytes) -> np.ndarray:
    bitmap = pypdfium2.PdfDocument(pdf)[0].render(rev_byteorder=True)
    return np.array(bitmap.to_numpy()[:, :, :3])


def slug_of(data: bytes, suffix: str = ".docx") -> str:
    with pytest.raises(DocumentFault) as raised:
        safe_zip.made_safe(data, suffix, safe_zip.OfficeLimits())
    return raised.value.slug


WORDS = docx(paragraph("First words"))
DECK = pptx("<a:p><a:r><a:t>First slide</a:t></a:r></a:p>", "<a:p><a:r><a:t>2</a:t></a:r></a:p>")


@needs_office
@pytest.mark.parametrize(
    ("data", "suffix", "pages"),
    [
        (WORDS, ".docx", 1),
        (odt("<text:p>First words</text:p>"), ".odt", 1),
        (DECK, ".pptx", 2),
        (DECK, ".docx", 2),
    ],
    ids=["docx", "odt", "pptx", "a wrong name"],
)
def test_each_kind_becomes_pages(office: Office, data: bytes, suffix: str, pages: int) -> None:
    pdf = office.pdf(data, suffix, timeout_s=60)
    assert len(pypdfium2.PdfDocument(pdf)) == pages
    assert text_of(pdf).startswith("First")


@needs_office
def test_another_process_draws_the_same_pixels(office: Office, fonts: tuple[str, ...]) -> None:
    data = docx(paragraph("The same on every machine. ") * 30)
    first = pixels(office.pdf(data, ".docx", timeout_s=60))
    with Office(fonts) as other:
        assert other.version() == office.version()
        np.testing.assert_array_equal(first, pixels(other.pdf(data, ".docx", timeout_s=60)))


@needs_office
def test_only_named_fonts_are_drawn(office: Office) -> None:
    names = re.findall(rb"/FontName/\w+\+(\S+)", office.pdf(WORDS, ".docx", timeout_s=60))
    assert set(names) == {b"Tiny-Regular"}


@needs_office
def test_tables_are_marked_in_the_pdf(office: Office) -> None:
    cell = f"<w:tc><w:tcPr/>{paragraph('cell')}</w:tc>"
    grid = '<w:tblGrid><w:gridCol w:w="2000"/><w:gridCol w:w="2000"/></w:tblGrid>'
    table = f"<w:tbl><w:tblPr/>{grid}<w:tr>{cell}{cell}</w:tr></w:tbl>{paragraph('')}"
    pdf = office.pdf(docx(table), ".docx", timeout_s=60)
    assert b"/Table" in pdf and b"/TD" in pdf


class _Server:
    """Counts who asks for what."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        asked = self.asked

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                asked.append(self.path)
                self.send_error(404)

            do_HEAD = do_OPTIONS = do_PROPFIND = do_GET

            def log_message(self, *_: object) -> None:
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.address = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


@pytest.fixture(scope="module")
def server() -> Iterator[_Server]:
    server = _Server()
    yield server
    server.server.shutdown()
    server.server.server_close()


def _linking(address: str) -> dict[str, bytes]:
    """Files that want what lies at this address, in ways that settings alone do not stop."""
    link = f'xlink:href="{address}" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"'
    shape = '<text:p><draw:rect draw:style-name="G" svg:width="5cm" svg:height="5cm"/></text:p>'
    filling = (
        f'<office:automatic-styles><draw:fill-image draw:name="b" {link}/>'
        '<style:style style:name="G" style:family="graphic"><style:graphic-properties'
        ' draw:fill="bitmap" draw:fill-image-name="b"/></style:style></office:automatic-styles>'
    )
    svg = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
        f' width="99" height="99"><image width="99" height="99" xlink:href="{address}"/></svg>'
    )
    picture = '<draw:image xlink:href="Pictures/a.svg" xlink:type="simple"/>'
    frame = f'<text:p><draw:frame svg:width="5cm" svg:height="5cm">{picture}</draw:frame></text:p>'
    return {
        "picture.docx": docx(
            paragraph("x") + linked_picture("e1"),
            relations=relation("e1", "image", address, outside=True),
        ),
        "template.docx": docx(
            paragraph("x"),
            settings='<w:attachedTemplate r:id="t1"/>',
            settings_relations=relation("t1", "attachedTemplate", address, outside=True),
        ),
        "filling.odt": odt(shape, before=filling),
        "section.odt": odt(
            f'<text:section text:name="s"><text:section-source {link}/>'
            "<text:p>x</text:p></text:section>"
        ),
        "svg.odt": odt(frame, parts={"Pictures/a.svg": svg}),
    }


LINKING = ("picture.docx", "template.docx", "filling.odt", "section.odt", "svg.odt")


@needs_office
@pytest.mark.parametrize("rewritten", [True, False], ids=["rewritten", "as it is"])
@pytest.mark.parametrize("name", LINKING)
def test_nothing_is_fetched(
    office: Office,
    server: _Server,
    name: str,
    rewritten: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not rewritten:
        _leave_as_it_is(monkeypatch)
    data = _linking(f"{server.address}/a.png")[name]
    office.pdf(data, Path(name).suffix, timeout_s=60)
    assert server.asked == []


@needs_office
@pytest.mark.parametrize("rewritten", [True, False], ids=["rewritten", "as it is"])
@pytest.mark.parametrize("name", LINKING)
def test_no_other_file_is_read(
    office: Office, tmp_path: Path, name: str, rewritten: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not rewritten:
        _leave_as_it_is(monkeypatch)
    secret = tmp_path / "secret.png"
    Image.new("RGB", (64, 64), MAGENTA).save(secret)
    pdf = office.pdf(_linking(secret.as_uri())[name], Path(name).suffix, timeout_s=60)
    assert not (np.abs(pixels(pdf).astype(int) - MAGENTA) < 30).all(-1).any()


def _leave_as_it_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the walls around the process are left then, where the system can build them."""
    if not _has_landlock():
        pytest.skip("needs Linux 6.7 with Landlock")
    monkeypatch.setattr(
        "renderers.documents.office.converter.made_safe", lambda data, suffix, _: (data, suffix)
    )


def _has_landlock() -> bool:
    version = sys.platform == "linux" and ctypes.CDLL(None).syscall(444, None, 0, 1)
    return bool(version >= 4)


@needs_office
def test_macros_do_not_run(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    _leave_as_it_is(monkeypatch)
    call = "vnd.sun.star.script:Standard.M.Main?language=Basic&amp;location=document"
    listener = (
        "<office:scripts><office:event-listeners>"
        '<script:event-listener script:language="ooo:script" script:event-name="dom:load"'
        f' xlink:href="{call}" xlink:type="simple"/>'
        "</office:event-listeners></office:scripts>"
    )
    space = 'xmlns:library="http://openoffice.org/2000/library"'
    library = 'library:name="Standard" library:readonly="false"'
    source = 'Sub Main\nThisComponent.Text.String = "IT RAN"\nEnd Sub'
    data = odt(
        "<text:p>As written</text:p>",
        before=listener,
        parts={
            "Basic/script-lc.xml": f'<library:libraries {space} xmlns:xlink="http://www.w3.org/1999/'
            'xlink"><library:library library:name="Standard" library:link="false"/>'
            "</library:libraries>",
            "Basic/Standard/script-lb.xml": f"<library:library {space} {library}>"
            '<library:element library:name="M"/></library:library>',
            "Basic/Standard/M.xml": '<script:module xmlns:script="http://openoffice.org/2000/script"'
            f' script:name="M" script:language="StarBasic">{source}</script:module>',
        },
    )
    assert text_of(office.pdf(data, ".odt", timeout_s=60)).strip() == "As written"


@needs_office
def test_dates_stay_those_of_the_file(office: Office) -> None:
    field = "<text:date>12/31/1999</text:date> <text:time>noon</text:time>"
    pdf = office.pdf(odt(f"<text:p>{field}</text:p>"), ".odt", timeout_s=60)
    assert text_of(pdf).strip() == "12/31/1999 noon"
    field = '<a:fld id="{0}" type="datetime1"><a:t>12/31/1999</a:t></a:fld>'
    pdf = office.pdf(pptx(f"<a:p>{field}</a:p>"), ".pptx", timeout_s=60)
    assert text_of(pdf).strip() == "12/31/1999"
    pdf = office.pdf(
        docx(f'<w:p><w:fldSimple w:instr=" DATE ">{_run("31.12.1999")}</w:fldSimple></w:p>'),
        ".docx",
        timeout_s=60,
    )
    assert text_of(pdf).strip() == "31.12.1999"


def _run(text: str) -> str:
    return f"<w:r><w:t>{text}</w:t></w:r>"


@needs_office
def test_after_a_time_out_the_next_file_is_drawn(office: Office) -> None:
    long = docx(paragraph("Many words. " * 50) * 2000)
    with pytest.raises(DocumentFault) as raised:
        office.pdf(long, ".docx", timeout_s=0.05)
    assert raised.value.slug == "document_timeout"
    assert office.pdf(DECK, ".pptx", timeout_s=60)


@needs_office
def test_a_crash_is_not_the_fault_of_the_next_file(office: Office) -> None:
    office.version()
    os.kill(_children_of(os.getpid())[0], signal.SIGKILL)
    assert office.pdf(DECK, ".pptx", timeout_s=60)


@needs_office
def test_it_ends_with_whoever_started_it(fonts: tuple[str, ...], tmp_path: Path) -> None:
    code = (
        "import sys, time; from renderers.documents.office.converter import Office\n"
        f"office = Office({fonts!r}); office.version(); print('started', flush=True)\n"
        "time.sleep(60)"
    )
    environment = os.environ | {
        "PYTHONPATH": os.pathsep.join(path for path in sys.path if path),
        "TMPDIR": str(tmp_path),
    }
    starter = subprocess.Popen(
        [sys.executable, "-P", "-c", code], stdout=subprocess.PIPE, env=environment
    )
    with starter:
        assert starter.stdout is not None and starter.stdout.readline() == b"started\n"
        (child,) = _children_of(starter.pid)
        starter.kill()
    until = time.monotonic() + 10
    while _runs(child) or any(tmp_path.iterdir()):
        assert time.monotonic() < until, "LibreOffice or its folder is still there"
        time.sleep(0.02)


def _children_of(pid: int) -> list[int]:
    found = subprocess.run(["pgrep", "-P", str(pid), "-f", "office.child"], capture_output=True)
    return [int(line) for line in found.stdout.split()]


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_without_libreoffice_the_error_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, fonts: tuple[str, ...]
) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(RendererMissing, match="apt-get install libreoffice-impress-nogui"):
        Office(fonts)


@pytest.mark.parametrize(
    ("data", "slug"),
    [
        (b"", "empty"),
        (b"<html>no office file</html>", "broken_document"),
        (packed({"a.txt": "no office file"}), "broken_document"),
        (DECK[: len(DECK) // 2], "broken_document"),
        (odt("", manifest='<manifest:encryption-data manifest:checksum="x"/>'), "locked_document"),
        (
            bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504) + "EncryptedPackage".encode("utf-16-le"),
            "locked_document",
        ),
        (odt("", before="<!DOCTYPE x [<!ENTITY a 'b'>]>"), "broken_document"),
    ],
    ids=["empty", "text", "zip", "truncated", "locked odt", "locked docx", "entities"],
)
def test_what_is_wrong_is_named_before_libreoffice_sees_it(data: bytes, slug: str) -> None:
    assert slug_of(data) == slug


def test_bombs_are_met_before_libreoffice_sees_them() -> None:
    assert slug_of(docx(paragraph(" " * (65 << 20)))) == "zip_bomb"
    assert slug_of(packed({f"{n}.xml": "" for n in range(10_001)})) == "zip_bomb"
    bomb = packed({"a": bytes(64 << 20)})
    assert slug_of(packed({f"{n}.docx": bomb for n in range(9)})) == "zip_bomb"
    for _ in range(4):
        bomb = packed({"a.docx": bomb})
    assert slug_of(bomb) == "zip_bomb"


def test_a_part_that_says_less_than_it_has_is_no_way_round() -> None:
    data = bytearray(docx(paragraph(" " * (65 << 20))))
    size = (65 << 20).to_bytes(4, "little")[2:]
    while (place := bytes(data).find(size)) >= 0:
        data[place - 2 : place + 2] = (1000).to_bytes(4, "little")
    assert slug_of(bytes(data)) in ("zip_bomb", "broken_document")
