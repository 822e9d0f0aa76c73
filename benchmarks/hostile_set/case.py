"""A hostile document, and what may become of it."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass

RENDERED = frozenset({"rendered"})
# Also of a record of a WARC file.
BROKEN = frozenset({"broken_document", "damaged"})
LOCKED = frozenset({"locked_document"})
EMPTY = frozenset({"empty"})
BOMB = frozenset({"zip_bomb", "document_too_large", "page_too_large"})
TOO_LARGE = frozenset({"side_too_long", "too_many_pixels"})
# What asks for more time or memory than it may have. Its name depends on which limit it meets.
TOO_MUCH = frozenset(
    {"document_timeout", "page_timeout", "too_much_memory", "page_crashed"}
    | {"hangs_worker", "kills_worker"}
)
UNTRUSTED = frozenset({"text_not_trusted"})


@dataclass(frozen=True, kw_only=True)
class Hostile:
    """`fates`: the slugs, or `rendered`, any of which each of its pages may come to.

    `says`: what a page that is rendered may claim to show, besides nothing at all; None: anything.
    Of white space and capitals nothing is asked. `secret`: what no page may show or say.
    """

    name: str
    suffix: str
    data: bytes
    fates: frozenset[str]
    says: str | None = None
    secret: str | None = None


def zeros(count_mb: int, byte: bytes = b"\0") -> bytes:
    """A zlib stream of so many MiB of one byte, put together without compressing them all."""
    return repeated(byte * (1 << 20), count_mb)


def repeated(piece: bytes, times: int) -> bytes:
    """The zlib stream of `piece`, `times` over."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    # After a full flush a block depends on nothing before, so it may stand there again and again.
    block = packer.compress(piece) + packer.flush(zlib.Z_FULL_FLUSH)
    return b"\x78\xda" + block * times + b"\x03\x00" + _adler(piece, times).to_bytes(4, "big")


def _adler(piece: bytes, times: int) -> int:
    """Adler-32 of `piece`, `times` over: both sums grow by the same at each turn."""
    base = 65521
    once = zlib.adler32(piece)
    low, high = (once & 0xFFFF) - 1, (once >> 16) - len(piece)
    size = len(piece)
    total_low = (1 + times * low) % base
    turns = times * (times - 1) // 2
    total_high = (times * size + times * high + turns * size * low) % base
    return (total_high << 16) | total_low


HELVETICA = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def pdf(objects: Sequence[str | bytes], trailer: str = "") -> bytes:
    """The file of these objects, numbered from 1; the first is the catalogue."""
    whole, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(whole))
        raw = body.encode("latin-1") if isinstance(body, str) else body
        whole += b"%d 0 obj\n%b\nendobj\n" % (number, raw)
    start, count = len(whole), len(objects) + 1
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    whole += f"xref\n0 {count}\n0000000000 65535 f \n{table}".encode()
    whole += f"trailer\n<</Size {count}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n".encode()
    return bytes(whole)


def stream(content: str | bytes, entries: str = "") -> bytes:
    raw = content.encode("latin-1") if isinstance(content, str) else content
    return b"<</Length %d%b>>\nstream\n%b\nendstream" % (len(raw), entries.encode(), raw)


def page(
    content: str | bytes = "",
    *more: str | bytes,
    resources: str = "",
    entries: str = "",
    content_entries: str = "",
    catalogue: str = "",
    box: str = "0 0 300 200",
) -> bytes:
    """A document of one page, with Helvetica as /F; `more` are objects, numbered from 5 on."""
    return pdf(
        [
            f"<</Type/Catalog/Pages 2 0 R{catalogue}>>",
            "<</Type/Pages/Kids[3 0 R]/Count 1>>",
            f"<</Type/Page/Parent 2 0 R/MediaBox[{box}]/Contents 4 0 R"
            f"/Resources<</Font<</F {HELVETICA}>>{resources}>>{entries}>>",
            stream(content, content_entries),
            *more,
        ]
    )


def line(text: str, *, size: int = 20, at: tuple[int, int] = (20, 100), before: str = "") -> str:
    """Operators that show a line of text."""
    return f"BT {before} /F {size} Tf {at[0]} {at[1]} Td ({text}) Tj ET "
