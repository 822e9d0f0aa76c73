"""EPUB books: chapter after chapter, each a web page whose pictures are in the archive."""

from __future__ import annotations

import posixpath
from collections.abc import Callable
from typing import Any, NamedTuple
from urllib.parse import unquote
from xml.parsers import expat

from renderers.documents.page import Document, DocumentFault, PageImage
from renderers.documents.recipe import DocumentRecipe, PageRecipe
from renderers.documents.web.archive import Archive, joined
from renderers.documents.web.browser import Browser
from renderers.documents.web.html import open_html
from vae_corpus.pictures.decode import Limits

MAX_CHAPTERS = 1000
_MAX_XML_BYTES = 8 * 1024**2
_XHTML, _HTML = "application/xhtml+xml", "text/html"
# Ways of scrambling fonts, which leave the text open.
_FONT_SCRAMBLERS = (
    "http://www.idpf.org/2008/embedding",
    "http://ns.adobe.com/pdf/enc#RC",
)


class Chapter(NamedTuple):
    """A file of the book, in the order of reading."""

    place: str
    html: bytes
    xhtml: bool


def open_epub(
    data: bytes, *, recipe: DocumentRecipe, browser: Browser, timeout_s: float = 30.0
) -> Document:
    """The book; each call for one chapter may take `timeout_s`.

    DocumentFault as in `open_html`, `locked_document` for books under a digital lock, and
    `broken_document` for what is no EPUB.
    """
    if not data:
        raise DocumentFault("empty", "no bytes at all")
    archive = Archive(data)
    return _Book(archive, chapters(archive), recipe, browser, timeout_s)


def chapters(archive: Archive) -> list[Chapter]:
    """Those of the spine that are there, in order."""
    _check_lock(archive)
    package = _package_place(archive)
    items: dict[str, tuple[str, str]] = {}
    spine: list[str] = []

    def element(name: str, attributes: dict[str, str]) -> None:
        if name == "item":
            link = unquote(attributes.get("href", ""))
            place = joined(posixpath.dirname(package), link)
            items[attributes.get("id", "")] = (place, attributes.get("media-type", ""))
        elif name == "itemref":
            spine.append(attributes.get("idref", ""))

    _read_xml(_wanted(archive, package), element)
    found = []
    for name in dict.fromkeys(spine):
        place, kind = items.get(name, ("", ""))
        html = archive.read(place) if kind in (_XHTML, _HTML) else None
        if html is not None and html.strip():
            found.append(Chapter(place, html, kind == _XHTML and _is_xml(html)))
    if not found:
        raise DocumentFault("broken_document", "the book's spine names no chapter that is there")
    if len(found) > MAX_CHAPTERS:
        why = f"the book has {len(found)} chapters, {MAX_CHAPTERS} are allowed"
        raise DocumentFault("document_too_large", why)
    return found


class _Book:
    """Chapters are opened one at a time; how many pages each has is asked once."""

    def __init__(
        self,
        archive: Archive,
        found: list[Chapter],
        recipe: DocumentRecipe,
        browser: Browser,
        timeout_s: float,
    ) -> None:
        self._archive, self._chapters = archive, found
        self._recipe, self._browser, self._timeout_s = recipe, browser, timeout_s
        self._at = -1
        self._open: Document | None = None
        self._counts = [self._chapter(number).pages for number in range(len(found))]

    @property
    def pages(self) -> int:
        return sum(self._counts)

    def render(self, number: int, recipe: PageRecipe, limits: Limits) -> PageImage:
        chapter = 0
        while number >= self._counts[chapter]:
            number -= self._counts[chapter]
            chapter += 1
        return self._chapter(chapter).render(number, recipe, limits)

    def close(self) -> None:
        if self._open is not None:
            self._open.close()
        self._open, self._at = None, -1

    def _chapter(self, number: int) -> Document:
        if self._open is None or self._at != number:
            self.close()
            chapter = self._chapters[number]
            self._open = open_html(
                chapter.html,
                resources=self._archive,
                recipe=self._recipe,
                browser=self._browser,
                place=chapter.place,
                xhtml=chapter.xhtml,
                timeout_s=self._timeout_s,
            )
            self._at = number
        return self._open


def _check_lock(archive: Archive) -> None:
    lock = archive.read("META-INF/encryption.xml")
    if lock is None:
        return
    methods: list[str] = []

    def element(name: str, attributes: dict[str, str]) -> None:
        # The method, if it is told, stands inside of what is encrypted by it.
        if name == "EncryptedData":
            methods.append("a method that it does not tell")
        elif name == "EncryptionMethod" and methods:
            methods[-1] = attributes.get("Algorithm", methods[-1])

    _read_xml(lock, element)
    if locked := [method for method in methods if method not in _FONT_SCRAMBLERS]:
        raise DocumentFault("locked_document", f"the book is encrypted with {locked[0]}")


def _package_place(archive: Archive) -> str:
    places: list[str] = []

    def element(name: str, attributes: dict[str, str]) -> None:
        if name == "rootfile":
            places.append(attributes.get("full-path", ""))

    _read_xml(_wanted(archive, "META-INF/container.xml"), element)
    if not places:
        raise DocumentFault("broken_document", "the container names no package of the book")
    return places[0]


def _wanted(archive: Archive, place: str) -> bytes:
    data = archive.read(place)
    if data is None:
        raise DocumentFault("broken_document", f"the book has no {place}")
    return data


def _read_xml(data: bytes, element: Callable[[str, dict[str, str]], None]) -> None:
    """Call `element` with the local name and the attributes of every element.

    DocumentFault `broken_document` for what is no XML, and for entities of its own, which can grow
    without end.
    """
    parser = expat.ParserCreate(namespace_separator=" ")

    def refuse(*_declaration: Any) -> None:
        raise DocumentFault("broken_document", "the book's XML declares entities")

    def begin(name: str, attributes: dict[str, str]) -> None:
        element(name.rpartition(" ")[2], attributes)

    parser.EntityDeclHandler = refuse
    parser.StartElementHandler = begin
    if len(data) > _MAX_XML_BYTES:
        raise DocumentFault("document_too_large", f"XML of {len(data)} bytes in the book")
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise DocumentFault("broken_document", f"the book's XML is damaged: {error}") from None


def _is_xml(html: bytes) -> bool:
    """Whether a browser can read it as XML; else it is read as HTML, which forgives."""
    try:
        _read_xml(html, lambda _name, _attributes: None)
    except DocumentFault:
        return False
    return True
