"""Which renderer draws a file: told by the end of its name."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePosixPath

from renderers.documents.page import Document, DocumentFault, RendererMissing
from renderers.documents.pdf import open_pdf, render_version
from renderers.documents.pdf.fonts import pdf_fonts
from renderers.documents.recipe import DocumentRecipe
from vae_corpus import storage

PDF = (".pdf",)
SUFFIXES = PDF

_MAX_OPEN = 4


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What documents are drawn with: folders of fonts, and the bytes that a file may have."""

    fonts: tuple[str, ...] = ()
    max_bytes: int = 1024**3


@dataclass(frozen=True, kw_only=True)
class FileRef:
    """A document in a file or at a URL, `uri`, that is opened by `recipe`."""

    uri: str
    recipe: DocumentRecipe


def suffix_of(name: str) -> str:
    """`.pdf` of `a/B.PDF`."""
    return PurePosixPath(name).suffix.lower()


def drawn_by(suffix: str, tools: Tools) -> str:
    """Names all that decides the pixels of documents of this kind, beside the documents.

    RendererMissing where the program for them is not here.
    """
    return _KINDS[suffix].version(tools)


class Opener:
    """The documents last used, most recent last."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._open: OrderedDict[FileRef, Document] = OrderedDict()

    def get(self, ref: FileRef) -> Document:
        """DocumentFault when it is broken; RendererMissing; OSError when it cannot be read now."""
        if ref not in self._open:
            kind = _KINDS.get(suffix_of(ref.uri))
            if kind is None:
                raise DocumentFault("unsupported_format", f"{suffix_of(ref.uri)} is not read here")
            self._open[ref] = kind.open(ref, self._tools)
            if len(self._open) > _MAX_OPEN:
                self._open.popitem(last=False)[1].close()
        self._open.move_to_end(ref)
        return self._open[ref]

    def close(self) -> None:
        """Let go of all of them."""
        while self._open:
            self._open.popitem()[1].close()


@dataclass(frozen=True)
class _Kind:
    open: Callable[[FileRef, Tools], Document]
    version: Callable[[Tools], str]


def _open_pdf(ref: FileRef, tools: Tools) -> Document:
    fonts = pdf_fonts(tools.fonts)
    if storage.is_local(ref.uri):
        # pdfium reads those parts of a file that it needs.
        return open_pdf(ref.uri, _size(ref.uri, tools), fonts)
    file = storage.open_read(ref.uri)
    return open_pdf(file, _size(ref.uri, tools), fonts)


def _size(uri: str, tools: Tools) -> int:
    size = os.stat(uri).st_size if storage.is_local(uri) else storage.size_bytes(uri)
    if size is None:
        raise FileNotFoundError(f"{uri} is gone")
    if size > tools.max_bytes:
        raise DocumentFault("file_too_large", f"{size} bytes, {tools.max_bytes} are allowed")
    return size


_PDF = _Kind(_open_pdf, lambda tools: render_version(pdf_fonts(tools.fonts)))
_KINDS = dict.fromkeys(PDF, _PDF)

__all__ = [
    "SUFFIXES",
    "FileRef",
    "Opener",
    "RendererMissing",
    "Tools",
    "drawn_by",
    "suffix_of",
]
