"""What is filled into the fields of a PDF page and written into its annotations."""

from __future__ import annotations

from typing import Any, NamedTuple

from renderers.documents.page import Box
from renderers.documents.pdf.raw import utf16

_MAX_ANNOTATIONS = 5_000


class Filled(NamedTuple):
    """Texts whose places nobody tells, and the rectangles that hold them, in points."""

    texts: list[str]
    boxes: list[Box]


def filled_in(page: Any) -> Filled:
    """Field by field. A check mark counts as the number of its field."""
    import pypdfium2.raw as pdfium

    form = page.formenv
    texts: list[str] = []
    boxes: list[Box] = []
    for place in range(min(pdfium.FPDFPage_GetAnnotCount(page), _MAX_ANNOTATIONS)):
        annotation = pdfium.FPDFPage_GetAnnot(page, place)
        kind = pdfium.FPDFAnnot_GetSubtype(annotation)
        before = len(texts)
        if kind == pdfium.FPDF_ANNOT_WIDGET and form:
            if pdfium.FPDFAnnot_IsChecked(form, annotation):
                texts.append(f"[{place}]")
            texts.append(utf16(pdfium.FPDFAnnot_GetFormFieldValue, form, annotation))
        elif kind in (pdfium.FPDF_ANNOT_FREETEXT, pdfium.FPDF_ANNOT_STAMP):
            texts.append(utf16(pdfium.FPDFAnnot_GetStringValue, annotation, b"Contents"))
        if any(text.strip() for text in texts[before:]):
            rectangle = pdfium.FS_RECTF()
            if pdfium.FPDFAnnot_GetRect(annotation, rectangle):
                sides = rectangle.left, rectangle.bottom, rectangle.right, rectangle.top
                boxes.append(sides)
        pdfium.FPDFPage_CloseAnnot(annotation)
    return Filled([text for text in texts if text], boxes)
