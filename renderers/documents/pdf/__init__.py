"""PDF pages through pdfium: pixels, the characters of the text layer, figures and tables."""

from renderers.documents.pdf.document import Pdf, open_pdf, render_version

__all__ = ["Pdf", "open_pdf", "render_version"]
