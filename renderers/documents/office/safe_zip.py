"""What LibreOffice gets to see of an office file: looked through, unpacked once, written anew.

So a bomb is met here, within the limits, and never there. And the same file gives the same pages,
wherever and whenever: what lies outside the file (pictures, templates, data) is cut off, and fields
that would show the present day keep the text that was stored with them.
"""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass

from renderers.documents.page import DocumentFault

_CONTAINER = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_BINARY_SUFFIXES = (".doc", ".ppt", ".pps", ".xls")
_BINARY = {"WordDocument": ".doc", "PowerPoint Document": ".ppt", "Workbook": ".xls"}
_OPEN_XML = {
    b"wordprocessingml.document": ".docx",
    b"presentationml.presentation": ".pptx",
    b"presentationml.slideshow": ".pptx",
    b"spreadsheetml.sheet": ".xlsx",
}
_OPEN_DOCUMENT = {
    b"application/vnd.oasis.opendocument.text": ".odt",
    b"application/vnd.oasis.opendocument.presentation": ".odp",
    b"application/vnd.oasis.opendocument.spreadsheet": ".ods",
}
SUFFIXES = (*_BINARY_SUFFIXES, ".ppsx", *_OPEN_XML.values(), *_OPEN_DOCUMENT.values())
_CHUNK_BYTES = 1 << 20
_ZIP_MARK = b"PK\x03\x04"
# Zips in zips: a deck holds the table behind a chart, no more.
_MAX_NESTING = 2


@dataclass(frozen=True, kw_only=True)
class OfficeLimits:
    """How large a file may be, packed and unpacked, and how many parts it may have.

    `xml_bytes` is for all parts of XML together, of which LibreOffice makes some 10 to 30 times as
    many bytes in memory. `pdf_bytes` and `memory_bytes` hold for LibreOffice itself.
    """

    file_bytes: int = 256 << 20
    unpacked_bytes: int = 512 << 20
    xml_bytes: int = 64 << 20
    parts: int = 10_000
    pdf_bytes: int = 512 << 20
    memory_bytes: int = 4 << 30


def made_safe(data: bytes, suffix: str, limits: OfficeLimits) -> tuple[bytes, str]:
    """The bytes to give to LibreOffice, and the suffix that they should bear.

    What the file is decides, not its name. DocumentFault when it is none of `SUFFIXES`.
    """
    if not data:
        raise DocumentFault("empty", "no bytes at all")
    if len(data) > limits.file_bytes:
        why = f"the file has {len(data)} bytes, {limits.file_bytes} are allowed"
        raise DocumentFault("document_too_large", why)
    if data.startswith(_CONTAINER):
        return data, _binary_suffix(data, suffix)
    if not data.startswith(_ZIP_MARK):
        raise DocumentFault("broken_document", f"a {suffix} file that starts with {data[:8]!r}")
    try:
        parts = _unpacked(data, limits)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, ValueError) as error:
        raise DocumentFault("broken_document", f"the zip is damaged: {error}") from None
    found = _suffix(parts)
    return _packed({name: _settled(name, part) for name, part in parts.items()}), found


def _binary_suffix(data: bytes, suffix: str) -> str:
    """Formats of before 2007; their names of streams are in UTF-16."""
    if "EncryptedPackage".encode("utf-16-le") in data:
        raise DocumentFault("locked_document", "the file asks for a password")
    for stream, means in _BINARY.items():
        if stream.encode("utf-16-le") in data:
            return means
    raise DocumentFault("broken_document", f"no office file: no stream that a {suffix} file has")


def _unpacked(data: bytes, limits: OfficeLimits) -> dict[str, bytes]:
    budget = _Budget(limits)
    parts: dict[str, bytes] = {}
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for info in budget.entries(packed):
            if info.flag_bits & 1:
                raise DocumentFault("locked_document", "the zip asks for a password")
            parts[info.filename] = budget.read(packed, info)
    for name, part in parts.items():
        if part.startswith(_ZIP_MARK):
            budget.look_into(part, name, _MAX_NESTING)
    return parts


class _Budget:
    """What is left of the limits of one file, with all zips inside it."""

    def __init__(self, limits: OfficeLimits) -> None:
        self._bytes, self._xml, self._parts = limits.unpacked_bytes, limits.xml_bytes, limits.parts

    def entries(self, packed: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
        """Those that are no folders; DocumentFault for what is announced alone."""
        infos = [info for info in packed.infolist() if not info.is_dir()]
        self._parts -= len(infos)
        if self._parts < 0:
            raise DocumentFault("zip_bomb", f"it has {len(infos)} parts")
        if (announced := sum(info.file_size for info in infos)) > self._bytes:
            raise DocumentFault("zip_bomb", f"it unpacks to {announced} bytes")
        return infos

    def read(self, packed: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
        """The part, unpacked as far as the limits go, whatever it announces."""
        chunks = []
        with packed.open(info) as part:
            while chunk := part.read(_CHUNK_BYTES):
                self._bytes -= len(chunk)
                self._xml -= len(chunk) if _is_xml(info.filename) else 0
                if min(self._bytes, self._xml) < 0:
                    raise DocumentFault("zip_bomb", f"{info.filename} unpacks to more than allowed")
                chunks.append(chunk)
        return b"".join(chunks)

    def look_into(self, data: bytes, name: str, depth: int) -> None:
        if not depth:
            raise DocumentFault("zip_bomb", f"{name} is a zip in zips in a zip")
        try:
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                for info in self.entries(packed):
                    if (part := self.read(packed, info)).startswith(_ZIP_MARK):
                        self.look_into(part, info.filename, depth - 1)
        except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, RuntimeError):
            return  # LibreOffice will not open it either


def _is_xml(name: str) -> bool:
    return name.lower().endswith((".xml", ".rels", ".svg", ".rdf"))


def _suffix(parts: dict[str, bytes]) -> str:
    if b"encryption-data" in parts.get("META-INF/manifest.xml", b""):
        raise DocumentFault("locked_document", "the file asks for a password")
    kind = parts.get("mimetype", b"").strip().removesuffix(b"-template")
    if kind in _OPEN_DOCUMENT:
        return _OPEN_DOCUMENT[kind]
    types = parts.get("[Content_Types].xml", b"")
    for mark, means in _OPEN_XML.items():
        if mark in types or mark.replace(b"document", b"template") in types:
            return means
    if b".main+xml" in types:
        for mark, means in ((b"word/", ".docx"), (b"ppt/", ".pptx"), (b"xl/", ".xlsx")):
            if mark in types:
                return means
    raise DocumentFault("broken_document", "a zip, but no office file")


# A relation to what is not inside the file, and is more than a link to click.
_OUTSIDE = re.compile(
    rb"<(?:\w+:)?Relationship\s(?![^>]*/hyperlink[\"'])"
    rb"[^>]*?\bTargetMode\s*=\s*[\"']External[^>]*>"
)
# An address that is not simply the name of a part, or an image in the address itself.
_ADDRESS = re.compile(rb"(\bhref\s*=\s*)([\"'])(?!#|data:image/)([^\"']*)\2")
_A_PART = re.compile(rb"(?!.*\.\.)[^:&\\/#?][^:&\\]*", re.DOTALL)
# Fields of the present day and hour: what they said when the file was stored is kept.
_NOW = (
    (rb"<text:(?:date|time)\b[^>]*?(/?)>", rb"<text:span\1>"),
    (rb"</text:(?:date|time)>", rb"</text:span>"),
    (rb"(<presentation:date-time-decl\b[^>]*:source=[\"'])current-date", rb"\1fixed"),
    (rb"(<a:fld\b[^>]*\btype=[\"'])datetime[^\"']*", rb"\1stored"),
    (rb"(<w:instrText\b[^>]*>\s*)(DATE|TIME)\b", rb"\1STORED\2"),
    (rb"(\bw:instr=[\"']\s*)(DATE|TIME)\b", rb"\1STORED\2"),
)


def _settled(name: str, part: bytes) -> bytes:
    """A part without addresses outside the file and without the present day."""
    if not _is_xml(name):
        return part
    if b"<!ENTITY" in part:
        raise DocumentFault("broken_document", f"{name} defines entities of XML")
    if name.endswith(".rels"):
        return _OUTSIDE.sub(b"", part)
    part = _ADDRESS.sub(_own_part, part)
    for field, stored in _NOW:
        part = re.sub(field, stored, part)
    return part


def _own_part(found: re.Match[bytes]) -> bytes:
    """The same attribute, leading nowhere if it led out of the file."""
    before, quote, address = found.groups()
    return found[0] if _A_PART.fullmatch(address) else before + quote + quote


def _packed(parts: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_STORED) as packed:
        # ODF wants `mimetype` to be the first.
        for name in sorted(parts, key=lambda name: name != "mimetype"):
            packed.writestr(zipfile.ZipInfo(name), parts[name])
    return whole.getvalue()
