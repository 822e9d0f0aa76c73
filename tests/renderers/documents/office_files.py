"""Office files written by hand, so that a test says what is in them and needs no other library."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

_XML = '<?xml version="1.0" encoding="UTF-8"?>'
_OPEN_XML = "http://schemas.openxmlformats.org"
_RELATION = f"{_OPEN_XML}/officeDocument/2006/relationships"
_MAIN = "application/vnd.openxmlformats-officedocument"
_WORD = (
    f'xmlns:w="{_OPEN_XML}/wordprocessingml/2006/main" xmlns:r="{_RELATION}"'
    f' xmlns:wp="{_OPEN_XML}/drawingml/2006/wordprocessingDrawing"'
    f' xmlns:a="{_OPEN_XML}/drawingml/2006/main" xmlns:pic="{_OPEN_XML}/drawingml/2006/picture"'
)
_SLIDE = (
    f'xmlns:a="{_OPEN_XML}/drawingml/2006/main" xmlns:r="{_RELATION}"'
    f' xmlns:p="{_OPEN_XML}/presentationml/2006/main"'
)
_ODF = " ".join(
    f'xmlns:{name}="urn:oasis:names:tc:opendocument:xmlns:{rest}:1.0"'
    for name, rest in (
        *(("office", "office"), ("text", "text"), ("draw", "drawing"), ("style", "style")),
        *(("svg", "svg-compatible"), ("script", "script"), ("presentation", "presentation")),
        *(("fo", "xsl-fo-compatible"), ("table", "table")),
    )
)
_ODF += ' xmlns:xlink="http://www.w3.org/1999/xlink" xmlns:ooo="http://openoffice.org/2004/office"'


def packed(parts: Mapping[str, str | bytes]) -> bytes:
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    return whole.getvalue()


def docx(
    body: str, *, relations: str = "", settings: str = "", settings_relations: str = ""
) -> bytes:
    """A Word document; relations are the elements that `relation` makes."""
    main = f"{_MAIN}.wordprocessingml"
    return packed(
        {
            "[Content_Types].xml": _types(
                {
                    "/word/document.xml": f"{main}.document.main+xml",
                    "/word/settings.xml": f"{main}.settings+xml",
                }
            ),
            "_rels/.rels": _relations(relation("r1", "officeDocument", "word/document.xml")),
            "word/document.xml": f"{_XML}<w:document {_WORD}><w:body>{body}</w:body></w:document>",
            "word/_rels/document.xml.rels": _relations(
                relation("s1", "settings", "settings.xml") + relations
            ),
            "word/settings.xml": f"{_XML}<w:settings {_WORD}>{settings}</w:settings>",
            "word/_rels/settings.xml.rels": _relations(settings_relations),
        }
    )


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


def linked_picture(relation_id: str) -> str:
    """A picture of 5 cm that lies where the relation leads to."""
    side = 1_800_000
    shape = (
        f'<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext cx="{side}" cy="{side}"/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr>'
    )
    return (
        f'<w:p><w:r><w:drawing><wp:inline><wp:extent cx="{side}" cy="{side}"/>'
        '<wp:docPr id="1" name="x"/><a:graphic>'
        f'<a:graphicData uri="{_OPEN_XML}/drawingml/2006/picture"><pic:pic>'
        '<pic:nvPicPr><pic:cNvPr id="1" name="x"/><pic:cNvPicPr/></pic:nvPicPr>'
        f'<pic:blipFill><a:blip r:link="{relation_id}"/><a:stretch><a:fillRect/></a:stretch>'
        f"</pic:blipFill>{shape}</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing>"
        "</w:r></w:p>"
    )


def relation(name: str, kind: str, target: str, *, outside: bool = False) -> str:
    mode = ' TargetMode="External"' if outside else ""
    return f'<Relationship Id="{name}" Type="{_RELATION}/{kind}" Target="{target}"{mode}/>'


def pptx(*slides: str) -> bytes:
    """A deck; each slide has one box with these paragraphs of DrawingML."""
    main = f"{_MAIN}.presentationml"
    types = {"/ppt/presentation.xml": f"{main}.presentation.main+xml"}
    numbers = range(1, len(slides) + 1)
    types |= {f"/ppt/slides/slide{n}.xml": f"{main}.slide+xml" for n in numbers}
    ids = "".join(f'<p:sldId id="{255 + n}" r:id="s{n}"/>' for n in numbers)
    relations = "".join(relation(f"s{n}", "slide", f"slides/slide{n}.xml") for n in numbers)
    parts = {
        "[Content_Types].xml": _types(types),
        "_rels/.rels": _relations(relation("r1", "officeDocument", "ppt/presentation.xml")),
        "ppt/presentation.xml": f"{_XML}<p:presentation {_SLIDE}><p:sldIdLst>{ids}</p:sldIdLst>"
        '<p:sldSz cx="9144000" cy="5143500"/></p:presentation>',
        "ppt/_rels/presentation.xml.rels": _relations(relations),
    }
    for number, text in zip(numbers, slides, strict=True):
        parts[f"ppt/slides/slide{number}.xml"] = (
            f"{_XML}<p:sld {_SLIDE}><p:cSld><p:spTree><p:nvGrpSpPr><p:cNvPr id='1' name=''/>"
            "<p:cNvGrpSpPr/><p:nvPr/></p:nvGrpSpPr><p:grpSpPr/><p:sp><p:nvSpPr>"
            "<p:cNvPr id='2' name='box'/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:spPr><a:xfrm>"
            "<a:off x='914400' y='914400'/><a:ext cx='5000000' cy='2000000'/></a:xfrm>"
            "<a:prstGeom prst='rect'><a:avLst/></a:prstGeom></p:spPr><p:txBody><a:bodyPr/>"
            f"{text}</p:txBody></p:sp></p:spTree></p:cSld></p:sld>"
        )
    return packed(parts)


def odt(
    body: str,
    *,
    before: str = "",
    parts: Mapping[str, str | bytes] | None = None,
    manifest: str = "",
) -> bytes:
    """A text of OpenDocument; `before` stands in front of its body."""
    kind = "application/vnd.oasis.opendocument.text"
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    files = {"/": kind, "content.xml": "text/xml", **dict.fromkeys(parts or {}, "")}
    entries = "".join(
        f'<manifest:file-entry manifest:full-path="{path}" manifest:media-type="{media}"/>'
        for path, media in files.items()
    )
    return packed(
        {
            "mimetype": kind,
            "META-INF/manifest.xml": f'{_XML}<manifest:manifest xmlns:manifest="{space}"'
            f' manifest:version="1.3">{entries}{manifest}</manifest:manifest>',
            "content.xml": f'{_XML}<office:document-content {_ODF} office:version="1.3">{before}'
            f"<office:body><office:text>{body}</office:text></office:body>"
            "</office:document-content>",
            **(parts or {}),
        }
    )


def _types(parts: Mapping[str, str]) -> str:
    overrides = "".join(
        f'<Override PartName="{name}" ContentType="{kind}"/>' for name, kind in parts.items()
    )
    relations = "application/vnd.openxmlformats-package.relationships+xml"
    return (
        f'{_XML}<Types xmlns="{_OPEN_XML}/package/2006/content-types">'
        f'<Default Extension="rels" ContentType="{relations}"/>'
        f'<Default Extension="xml" ContentType="application/xml"/>{overrides}</Types>'
    )


def _relations(elements: str) -> str:
    space = f"{_OPEN_XML}/package/2006/relationships"
    return f'{_XML}<Relationships xmlns="{space}">{elements}</Relationships>'
