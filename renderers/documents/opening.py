"""Which renderer draws a file, told by the end of its name, and the documents that are open."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, BinaryIO, cast

from renderers.documents.page import Document, DocumentFault
from renderers.documents.pdf import open_pdf, render_version
from renderers.documents.pdf.fonts import pdf_fonts
from renderers.documents.recipe import DocumentRecipe
from vae_corpus import storage
from vae_corpus.seeds import generator

_OFFICE = (".pptx", ".odp", ".docx", ".odt", ".ppt", ".doc")
_MAX_OPEN = 4


@dataclass(frozen=True, kw_only=True)
class Tools:
    """What documents are drawn with.

    `fonts` are folders; `javascript` lets scripts of web pages run. `timeout_s` is what a program
    may take that draws for us; `max_bytes` what a file may have that is read as a whole. `texts`
    (files and folders by language) and `pictures` are for documents that are typeset.
    """

    fonts: tuple[str, ...] = ()
    javascript: bool = False
    timeout_s: float = 30.0
    max_bytes: int = 256 * 1024**2
    texts: tuple[tuple[str, tuple[str, ...]], ...] = ()
    pictures: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class FileRef:
    """A document in a file or at a URL, or the record of a WARC file that begins at `record`."""

    uri: str
    recipe: DocumentRecipe
    record: int | None = None


@dataclass(frozen=True, kw_only=True)
class TypesetRef:
    """Document `number` of those that `seed` draws, set in type when it is opened.

    `kinds` and `languages` are weights, as of `TypesetSettings`.
    """

    seed: int
    number: int
    kinds: tuple[tuple[str, float], ...]
    languages: tuple[tuple[str, float], ...]


Ref = FileRef | TypesetRef


def is_warc(name: str) -> bool:
    """Whether a file holds many documents, by its name."""
    return name.lower().endswith((".warc", ".warc.gz"))


def kind_of(name: str) -> str | None:
    """`pdf`, `web` or `office` by the end of a file's name; None for what is not read."""
    low = name.lower()
    return next((kind for kind, suffixes in KINDS.items() if low.endswith(suffixes)), None)


KINDS = {
    "pdf": (".pdf",),
    "web": (".html", ".htm", ".xhtml", ".md", ".markdown", ".epub", ".warc", ".warc.gz"),
    "office": _OFFICE,
}
SUFFIXES = tuple(suffix for suffixes in KINDS.values() for suffix in suffixes)


class Opener:
    """The documents last used, most recent last, and the programs that draw them."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._open: OrderedDict[Ref, Document] = OrderedDict()
        self._browser: Any = None
        self._office: Any = None
        self._typesetter: Any = None

    def version(self, kind: str) -> str:
        """Names all that decides the pixels of a kind of documents, beside the documents.

        `pdf`, `web`, `office` or `typeset`. RendererMissing where the program is not here.
        """
        pdf = f"pdf {render_version(self._fonts)}"
        if kind == "web":
            return f"web {self._chromium().digest} javascript {self._tools.javascript}"
        if kind == "office":
            return f"office {self._libreoffice().version()} {pdf}"
        if kind == "typeset":
            return f"typeset {self._typeset().digest} {pdf}"
        return pdf

    def get(self, ref: Ref) -> Document:
        """DocumentFault when it is broken; RendererMissing; OSError when it cannot be read now."""
        if ref not in self._open:
            self._open[ref] = self._opened(ref)
            if len(self._open) > _MAX_OPEN:
                # A browser that was killed takes its documents along.
                with contextlib.suppress(DocumentFault):
                    self._open.popitem(last=False)[1].close()
        self._open.move_to_end(ref)
        return self._open[ref]

    def close(self) -> None:
        """Let go of all of them."""
        while self._open:
            with contextlib.suppress(DocumentFault):
                self._open.popitem()[1].close()
        for program in (self._browser, self._office):
            if program is not None:
                program.close()

    def _opened(self, ref: Ref) -> Document:
        if isinstance(ref, TypesetRef):
            return self._open_typeset(ref)
        if is_warc(ref.uri):
            return self._open_record(ref)
        suffix = Path(ref.uri).suffix.lower()
        opened = _OPEN.get(suffix)
        if opened is None:
            raise DocumentFault("unsupported_format", f"{suffix or ref.uri} is not read here")
        return opened(self, ref)

    def _open_typeset(self, ref: TypesetRef) -> Document:
        from renderers.documents.typeset import NoFamily, TypesettingFault, Unwritable

        rng = generator(ref.seed, "typeset", ref.number)
        press = self._typeset()
        try:
            recipe = press.draw(rng, dict(ref.kinds), dict(ref.languages))
            data = press.pdf(recipe)
        except (NoFamily, Unwritable, TypesettingFault) as error:
            raise DocumentFault("not_typeset", str(error)) from None
        pdf = open_pdf(data, len(data), self._fonts)
        return replace(pdf, facts={"typeset": recipe.to_json()})

    def _open_pdf(self, ref: FileRef) -> Document:
        # pdfium reads those parts of a file that it needs, of most files all.
        file = ref.uri if storage.is_local(ref.uri) else storage.stream(ref.uri)
        return open_pdf(file, _size(ref.uri), self._fonts)

    def _open_office(self, ref: FileRef) -> Document:
        data = self._read(ref.uri)
        suffix = Path(ref.uri).suffix.lower()
        # Opening has more time than a page.
        made = self._libreoffice().pdf(data, suffix, timeout_s=4 * self._tools.timeout_s)
        # LibreOffice draws boxes for what its fonts do not have, and says the characters.
        return replace(open_pdf(made, len(made), self._fonts), written_by=self._fonts.faces)

    def _open_html(self, ref: FileRef) -> Document:
        from renderers.documents.web.html import open_html

        return open_html(
            self._read(ref.uri),
            resources=_beside(ref.uri),
            place=storage.name_of(ref.uri),
            xhtml=ref.uri.lower().endswith(".xhtml"),
            **self._web(ref),
            javascript=self._tools.javascript,
        )

    def _open_markdown(self, ref: FileRef) -> Document:
        from renderers.documents.web.markdown import open_markdown

        return open_markdown(
            self._read(ref.uri),
            resources=_beside(ref.uri),
            place=storage.name_of(ref.uri),
            **self._web(ref),
        )

    def _open_epub(self, ref: FileRef) -> Document:
        from renderers.documents.web.epub import open_epub

        return open_epub(self._read(ref.uri), **self._web(ref))

    def _open_record(self, ref: FileRef) -> Document:
        from renderers.documents.web.html import open_html
        from renderers.documents.web.warc import WarcFault, warc_page

        assert ref.record is not None
        with storage.open_read(ref.uri) as file:
            page = warc_page(cast(BinaryIO, file), ref.record)
        if isinstance(page, WarcFault):
            raise DocumentFault(page.slug, page.why)
        return open_html(
            page.html, resources=None, **self._web(ref), javascript=self._tools.javascript
        )

    def _web(self, ref: FileRef) -> dict[str, Any]:
        return {
            "recipe": ref.recipe,
            "browser": self._chromium(),
            "timeout_s": self._tools.timeout_s,
        }

    def _read(self, uri: str) -> bytes:
        size = _size(uri)
        if size > self._tools.max_bytes:
            why = f"{size} bytes, {self._tools.max_bytes} are allowed"
            raise DocumentFault("document_too_large", why)
        return storage.read_bytes(uri)

    @property
    def _fonts(self) -> Any:
        return pdf_fonts(self._tools.fonts)

    def _chromium(self) -> Any:
        if self._browser is None:
            from renderers.documents.web.browser import Browser

            self._browser = Browser(fonts=[Path(folder) for folder in self._tools.fonts])
        return self._browser

    def _libreoffice(self) -> Any:
        if self._office is None:
            from renderers.documents.office.converter import Office

            self._office = Office(self._tools.fonts)
        return self._office

    def _typeset(self) -> Any:
        if self._typesetter is None:
            from renderers.documents.typeset.press import press

            self._typesetter = press(self._tools.fonts, self._tools.texts, self._tools.pictures)
        return self._typesetter


_OPEN: Mapping[str, Callable[[Opener, FileRef], Document]] = {
    ".pdf": Opener._open_pdf,
    ".html": Opener._open_html,
    ".htm": Opener._open_html,
    ".xhtml": Opener._open_html,
    ".md": Opener._open_markdown,
    ".markdown": Opener._open_markdown,
    ".epub": Opener._open_epub,
    **dict.fromkeys(_OFFICE, Opener._open_office),
}


def _size(uri: str) -> int:
    size = os.stat(uri).st_size if storage.is_local(uri) else storage.size_bytes(uri)
    if size is None:
        raise FileNotFoundError(2, "No such file or directory", uri)
    return size


def _beside(uri: str) -> Path | None:
    """What a page may load: what lies in its folder. Nothing at a URL, one file each."""
    return Path(uri).parent if storage.is_local(uri) else None
