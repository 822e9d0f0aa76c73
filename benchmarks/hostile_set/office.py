"""Office files that are hostile: bombs, locks, links out of the file, nested without end."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping

from hostile_set.case import BOMB, BROKEN, EMPTY, LOCKED, RENDERED, TOO_MUCH, Hostile

_XML = '<?xml version="1.0"?>'
_OPEN = "http://schemas.openxmlformats.org"
_RELATION = f"{_OPEN}/officeDocument/2006/relationships"
_WORD = f'xmlns:w="{_OPEN}/wordprocessingml/2006/main" xmlns:r="{_RELATION}"'
_KIND = "application/vnd.oasis.opendocument.text"
_ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{rest}:1.0"'
    for name, rest in (
        *(("office", "office"), ("text", "text"), ("draw", "drawing"), ("style", "style")),
        *(("svg", "svg-compatible"), ("table", "table"), ("script", "script")),
    )
)
_ODF += ' xmlns:xlink="http://www.w3.org/1999/xlink"'
_ANY = RENDERED | BROKEN | TOO_MUCH
_SECRET = "root:"
_SEEN = "<w:p><w:r><w:t>Seen</w:t></w:r></w:p>"


def cases() -> Iterator[Hostile]:
    for name, suffix, data, fates in (*_bytes(), *_bombs(), *_deep()):
        yield Hostile(name=name, suffix=suffix, data=data, fates=fates)
    for name, suffix, data in (*_word_links(), *_text_links()):
        yield Hostile(
            name=name,
            suffix=suffix,
            data=data,
            fates=RENDERED | BROKEN,
            # LibreOffice writes a name of its own into a frame whose document is not there.
            says="Object 1" if name.startswith("frame_from") else "Seen",
            secret=_SECRET,
        )


_Rows = Iterator[tuple[str, str, bytes, frozenset[str]]]


def zipped(parts: Mapping[str, str | bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(zipfile.ZipInfo(name), part, zipfile.ZIP_DEFLATED)
    return whole.getvalue()


def _docx(body: str, relations: str = "", more: Mapping[str, str | bytes] | None = None) -> bytes:
    main = "application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    rels = "application/vnd.openxmlformats-package.relationships+xml"
    space = f"{_OPEN}/package/2006/relationships"
    return zipped(
        {
            "[Content_Types].xml": f'{_XML}<Types xmlns="{_OPEN}/package/2006/content-types">'
            f'<Default Extension="rels" ContentType="{rels}"/>'
            '<Default Extension="xml" ContentType="application/xml"/>'
            f'<Override PartName="/word/document.xml" ContentType="{main}"/></Types>',
            "_rels/.rels": f'{_XML}<Relationships xmlns="{space}"><Relationship Id="a"'
            f' Type="{_RELATION}/officeDocument" Target="word/document.xml"/></Relationships>',
            "word/document.xml": f"{_XML}<w:document {_WORD}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": f'{_XML}<Relationships xmlns="{space}">{relations}'
            "</Relationships>",
            **(more or {}),
        }
    )


def _odt(body: str, before: str = "", locked: str = "") -> bytes:
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    entry = '<m:file-entry m:full-path="{}" m:media-type="{}">{}</m:file-entry>'
    return zipped(
        {
            "mimetype": _KIND,
            "META-INF/manifest.xml": f'{_XML}<m:manifest xmlns:m="{space}" m:version="1.3">'
            f"{entry.format('/', _KIND, '')}{entry.format('content.xml', 'text/xml', locked)}"
            "</m:manifest>",
            "content.xml": f'{_XML}<office:document-content {_ODF} office:version="1.3">{before}'
            f"<office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>",
        }
    )


def _bytes() -> _Rows:
    good = _docx(_SEEN)
    noise = bytes((n * 193 + n // 7) % 256 for n in range(20_000))
    for suffix in (".docx", ".odt", ".pptx"):
        yield "empty", suffix, b"", EMPTY
        yield "garbage", suffix, noise, BROKEN
        yield "truncated", suffix, good[: len(good) * 2 // 3], BROKEN
        yield "html_by_this_name", suffix, b"<!DOCTYPE html><p>Seen", BROKEN
        yield "a_zip_of_something", suffix, zipped({"a.txt": "Seen"}), BROKEN
    yield "a_letter_named_slides", ".pptx", good, RENDERED
    container = bytes.fromhex("d0cf11e0a1b11ae1") + bytes(504)
    locked = container + "EncryptedPackage".encode("utf-16-le").ljust(512, b"\0")
    yield "locked", ".docx", locked, LOCKED
    yield "locked", ".odt", _odt("", locked='<m:encryption-data m:checksum="a"/>'), LOCKED
    yield "a_container_of_nothing", ".doc", container + bytes(512), BROKEN
    bits = bytearray(good)
    for mark, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := bits.find(mark, at + 1)) >= 0:
            bits[at + place] |= 1
    yield "a_locked_zip", ".docx", bytes(bits), LOCKED | BROKEN


def _bombs() -> _Rows:
    space = b" " * (100 << 20)
    yield "a_text_of_100_mb", ".docx", _docx(space.decode()), BOMB
    lying = bytearray(_docx(space.decode()))
    for size in (len(part) for part in _parts(lying)):
        if size > 1 << 20:
            lying = bytearray(bytes(lying).replace(size.to_bytes(4, "little"), b"\0\x10\0\0"))
    yield "a_text_that_says_less_than_it_has", ".docx", bytes(lying), BOMB | BROKEN
    yield "a_picture_of_1_gb", ".docx", _gigabyte(), BOMB
    many = {f"word/a{n}.xml": "" for n in range(50_000)}
    yield "50000_parts", ".docx", _docx(_SEEN, more=many), BOMB
    inner = zipped({f"{n}.bin": bytes(10 << 20) for n in range(4)})
    nest = zipped({f"{n}.zip": inner for n in range(16)})
    yield "zips_in_zips", ".docx", _docx(_SEEN, more={"word/embeddings/a.docx": nest}), BOMB
    for _ in range(8):
        inner = zipped({"a.zip": inner})
    yield "zips_8_deep", ".docx", _docx(_SEEN, more={"word/embeddings/a.docx": inner}), BOMB
    laughs = "".join(f"<!ENTITY a{n} '{f'&a{n - 1};' * 10}'>" for n in range(1, 10))
    entities = f"{_XML}<!DOCTYPE x [<!ENTITY a0 'ha'>{laughs}]>"
    body = (
        f"<w:document {_WORD}><w:body><w:p><w:r><w:t>&a9;</w:t></w:r></w:p></w:body></w:document>"
    )
    laughing = _docx("", more={})
    yield (
        "a_billion_laughs",
        ".docx",
        _replaced(laughing, "word/document.xml", entities + body),
        BROKEN,
    )
    outside = f"{_XML}<!DOCTYPE x [<!ENTITY a SYSTEM 'file:///etc/passwd'>]>"
    body = body.replace("&a9;", "&a;")
    yield (
        "an_entity_of_the_system",
        ".docx",
        _replaced(laughing, "word/document.xml", outside + body),
        (BROKEN),
    )
    climbing = _docx(_SEEN, more={"../../../tmp/climbed": "x", "/tmp/climbed": "x"})
    yield "parts_that_climb", ".docx", climbing, RENDERED | BROKEN


def _parts(data: bytes | bytearray) -> list[bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return [archive.read(name) for name in archive.namelist()]


def _replaced(data: bytes, name: str, part: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = {known: archive.read(known) for known in archive.namelist()}
    return zipped(parts | {name: part})


def _gigabyte() -> bytes:
    """A document with a part of 1 GiB of zeros, each 16 MiB of which are packed once."""
    parts = {f"word/media/{n}.bmp": bytes(16 << 20) for n in range(64)}
    return _docx(_SEEN, more=parts)


def _deep() -> _Rows:
    table = "<w:tbl><w:tr><w:tc>"
    back = "</w:tc></w:tr></w:tbl>"
    for depth in (1000, 100_000):
        body = table * depth + _SEEN + (back + "<w:p/>") * (depth - 1) + back
        yield f"tables_{depth}_deep", ".docx", _docx(body), _ANY
    cell = "<table:table><table:table-row><table:table-cell>"
    end = "</table:table-cell></table:table-row></table:table>"
    yield "tables_1000_deep", ".odt", _odt(cell * 1000 + end * 1000), _ANY
    yield (
        "groups_20000_deep",
        ".odt",
        _odt("<text:p>" + "<draw:g>" * 20_000 + "</draw:g>" * 20_000 + "</text:p>"),
        _ANY,
    )
    yield "a_million_paragraphs", ".docx", _docx("<w:p/>" * 1_000_000), _ANY
    yield (
        "a_list_of_2_million_runs",
        ".docx",
        _docx("<w:p>" + "<w:r><w:t>x</w:t></w:r>" * 500_000 + "</w:p>"),
        _ANY,
    )
    spread = '<text:p>Seen<text:s text:c="2000000000"/></text:p>'
    yield "2_to_the_31_spaces", ".odt", _odt(spread), _ANY
    rows = '<table:table><table:table-row table:number-rows-repeated="1000000000">'
    rows += '<table:table-cell table:number-columns-repeated="1000000000"/></table:table-row>'
    yield "a_table_of_10_to_the_18_cells", ".odt", _odt(rows + "</table:table>"), _ANY
    size = '<w:r><w:rPr><w:sz w:val="2000000000"/></w:rPr><w:t>Seen</w:t></w:r>'
    yield "letters_of_10_to_the_9_points", ".docx", _docx(f"<w:p>{size}</w:p>"), _ANY
    paper = '<w:sectPr><w:pgSz w:w="2000000000" w:h="2000000000"/></w:sectPr>'
    yield "paper_of_2_to_the_31", ".docx", _docx(_SEEN + paper), _ANY


def _word_links() -> Iterator[tuple[str, str, bytes]]:
    file, network = "file:///etc/passwd", "http://127.0.0.1:9/a"
    for kind in ("image", "attachedTemplate", "oleObject", "aFChunk", "subDocument", "frame"):
        for name, target in (("file", file), ("network", network)):
            link = f'<Relationship Id="e" Type="{_RELATION}/{kind}" Target="{target}"'
            link += ' TargetMode="External"/>'
            body = _SEEN + '<w:altChunk r:id="e"/>' * (kind == "aFChunk")
            body += '<w:subDoc r:id="e"/>' * (kind == "subDocument")
            yield f"{kind}_from_{name}", ".docx", _docx(body, link)
    for name, code in {
        "dde": 'DDEAUTO c:\\\\windows\\\\system32\\\\cmd.exe "/k calc"',
        "included_text": f'INCLUDETEXT "{file}"',
        "included_picture": f'INCLUDEPICTURE "{file}" \\d',
        "data_of_a_table": f'DATABASE \\c "{file}" \\s "SELECT 1"',
    }.items():
        field = f'<w:p><w:fldSimple w:instr=" {code.replace(chr(34), "&quot;")} "><w:r><w:t>Seen'
        yield f"field_of_{name}", ".docx", _docx(field + "</w:t></w:r></w:fldSimple></w:p>")


def _text_links() -> Iterator[tuple[str, str, bytes]]:
    for name, target in (("file", "file:///etc/passwd"), ("network", "http://127.0.0.1:9/a")):
        link = f'xlink:href="{target}" xlink:type="simple"'
        yield (
            f"section_from_{name}",
            ".odt",
            _odt(
                f'<text:section text:name="s"><text:section-source {link} text:filter-name="Text"/>'
                "<text:p>Seen</text:p></text:section>"
            ),
        )
        frame = '<text:p>Seen<draw:frame svg:width="5cm" svg:height="5cm">{}</draw:frame></text:p>'
        for kind in ("image", "object", "plugin", "applet"):
            yield f"{kind}_from_{name}", ".odt", _odt(frame.format(f"<draw:{kind} {link}/>"))
        # LibreOffice draws the name of a frame whose document is not there.
        inner = f'<draw:floating-frame draw:name="Seen" {link}/>'
        yield f"frame_from_{name}", ".odt", _odt(frame.format(inner).replace(">Seen<", "><"))
    call = "vnd.sun.star.script:Standard.M.Main?language=Basic&amp;location=document"
    event = '<script:event-listener script:language="ooo:script" script:event-name="dom:load"'
    macro = f'<office:scripts><office:event-listeners>{event} xlink:href="{call}"/>'
    macro += "</office:event-listeners></office:scripts>"
    yield "a_macro_at_opening", ".odt", _odt("<text:p>Seen</text:p>", macro)
