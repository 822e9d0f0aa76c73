"""PDF documents written by hand, so that a test says what is in them and needs no other library."""

from __future__ import annotations

from collections.abc import Sequence

HELVETICA = "<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>"


def document(objects: Sequence[str], trailer: str = "") -> bytes:
    """The file of these objects, numbered from 1; the first is the catalogue."""
    whole, places = b"%PDF-1.7\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(whole))
        whole += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
    start = len(whole)
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    count = len(objects) + 1
    whole += f"xref\n0 {count}\n0000000000 65535 f \n{table}".encode()
    end = f"trailer\n<</Size {count}/Root 1 0 R{trailer}>>\nstartxref\n{start}\n%%EOF\n"
    return whole + end.encode()


def stream(content: str, entries: str = "") -> str:
    return f"<</Length {len(content)}{entries}>>\nstream\n{content}\nendstream"


def page(
    content: str = "",
    *,
    size: tuple[float, float] = (400, 300),
    fonts: dict[str, str] | None = None,
    annotations: Sequence[str] = (),
    fields: bool = False,
    need_appearances: bool = False,
    more: Sequence[str] = (),
) -> bytes:
    """One page. `fonts` and `annotations` are objects in full; `more` are numbered from 10 on."""
    named = " ".join(f"/{name} {font}" for name, font in (fonts or {"F": HELVETICA}).items())
    resources = f"<</Font<<{named}>>>>"
    form = ""
    if fields:
        needs = "/NeedAppearances true" if need_appearances else ""
        form = f"/AcroForm<</Fields 6 0 R/DR<</Font<</Helv {HELVETICA}>>>>/DA(/Helv 12 Tf){needs}>>"
    width, height = size
    first = 10 + len(more)
    references = " ".join(f"{first + i} 0 R" for i in range(len(annotations)))
    objects = [
        f"<</Type/Catalog/Pages 2 0 R{form}>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {width} {height}]/Contents 4 0 R"
        f"/Resources 5 0 R/Annots 6 0 R>>",
        stream(content),
        resources,
        f"[{references}]",
        *["null"] * 3,
        *more,
        *annotations,
    ]
    return document(objects)


def text(lines: Sequence[str], size: int = 12, top: float = 260, mode: int = 0) -> str:
    """Operators for lines of Latin text in the font F."""
    shown = " ".join(f"({line}) Tj 0 -{size + 4} Td" for line in lines)
    return f"BT /F {size} Tf {mode} Tr 20 {top} Td {shown} ET"


def cjk_font(name: str = "STSong-Light", encoding: str = "UniGB-UCS2-H", order: str = "GB1") -> str:
    """A font that the document names and does not carry."""
    descriptor = (
        f"<</Type/FontDescriptor/FontName/{name}/Flags 6/Ascent 752/Descent -271/CapHeight 737"
        "/StemV 58/ItalicAngle 0/FontBBox[-25 -254 1000 880]>>"
    )
    below = (
        f"<</Type/Font/Subtype/CIDFontType0/BaseFont/{name}/FontDescriptor {descriptor}/DW 1000"
        f"/CIDSystemInfo<</Registry(Adobe)/Ordering({order})/Supplement 4>>>>"
    )
    return (
        f"<</Type/Font/Subtype/Type0/BaseFont/{name}-{encoding}/Encoding/{encoding}"
        f"/DescendantFonts[{below}]>>"
    )


def cjk_text(lines: Sequence[str], coding: str = "utf-16-be", size: int = 14, mode: int = 0) -> str:
    """Operators for lines in the font F, whose encoding is `coding`."""
    shown = " ".join(f"<{line.encode(coding).hex()}> Tj 0 -{size + 6} Td" for line in lines)
    return f"BT /F {size} Tf {mode} Tr 20 240 Td {shown} ET"


def appearance(content: str, box: str) -> str:
    """How a field or an annotation looks."""
    entries = f"/Type/XObject/Subtype/Form/BBox[{box}]/Resources<</Font<</Helv {HELVETICA}>>>>"
    return stream(content, entries)


def text_field(name: str, value: str, box: str, appearance: str = "") -> str:
    return (
        f"<</Type/Annot/Subtype/Widget/FT/Tx/T({name})/V({value})/Rect[{box}]/F 4"
        f"/DA(/Helv 12 Tf 0 g){appearance}>>"
    )
