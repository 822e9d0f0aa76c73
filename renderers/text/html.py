"""What a reader sees of an HTML file: its paragraphs, without what surrounds them."""

from __future__ import annotations

import codecs
import re
from html.parser import HTMLParser

# As in the HTML standard: what a page says of its encoding stands this near its beginning.
_PRESCAN_BYTES = 1024
_DECLARED = re.compile(rb"""(?:charset|<\?xml[^>]*?encoding)\s*=\s*["']?\s*([\w.:-]+)""", re.I)
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# Browsers read each of these as a larger encoding.
_LARGER = {"gb2312": "gb18030", "gbk": "gb18030", "iso8859-1": "cp1252", "ascii": "cp1252"}
_UNDECLARED = ("utf-8", "gb18030")

# Nobody reads these as prose: code, controls, and the ways round a site.
_SKIPPED = {
    "aside", "button", "footer", "head", "header", "math", "menu", "nav", "noscript", "object",
    "option", "script", "select", "style", "svg", "template", "textarea", "title",
}  # fmt: skip
_SKIPPED_ROLES = {"banner", "complementary", "contentinfo", "navigation", "search", "toolbar"}
_VOID = {
    "area",
    "base",
    "br",
    "col",
    "embed",
    "hr",
    "img",
    "input",
    "link",
    "meta",
    "source",
    "wbr",
}
_INLINE = {
    "a", "abbr", "acronym", "b", "bdi", "bdo", "big", "cite", "code", "data", "del", "dfn", "em",
    "font", "i", "img", "ins", "kbd", "label", "mark", "q", "s", "samp", "small", "span", "strike",
    "strong", "sub", "sup", "time", "tt", "u", "var", "wbr",
}  # fmt: skip
# A block with a larger share of its letters in links is a menu, unless it is longer than menus are.
# Characters, some seconds of them.
_MOST_LOOKED_AT = 10**9
_LINKED_SHARE, _LONG_CHARS = 0.6, 400


def encoding_of(data: bytes, header: str | None = None) -> str:
    """The name of a codec: by its mark, what the server or the page says, else what fits."""
    for mark, name in _MARKS:
        if data.startswith(mark):
            return name
    found = _DECLARED.search(data[:_PRESCAN_BYTES])
    for label in (header, found and found[1].decode("ascii")):
        codec = _codec(label) if label else None
        if codec is not None:
            return codec
    for name in _UNDECLARED:
        try:
            data.decode(name)
        except UnicodeDecodeError:
            continue
        return name
    return "cp1252"


def decode_html(data: bytes, header: str | None = None) -> str:
    """The text of a page; what does not decode becomes U+FFFD. `header`: what the server says."""
    text = data.decode(encoding_of(data, header), "replace")
    return text.removeprefix("\ufeff")


def prose(html: str) -> str:
    """The blocks of text of a page, a blank line between them; "" when there are none.

    Without scripts, styles, controls, hidden parts, the ways round a site, and blocks of links.
    """
    if _looks_too_far(html):
        return ""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    reader.end_block()
    return "\n\n".join(reader.blocks)


def _looks_too_far(html: str) -> bool:
    """Whether the parser would look to the end of the page from too many places.

    It does so from each mark that opens something and has no end.
    """
    pairs = (("<", ">"), ("<!--", "-->"), ("<![", "]"), ("<?", ">"))
    most_open = max(html.count(start) - html.count(end) for start, end in pairs)
    return most_open * len(html) > _MOST_LOOKED_AT


def _codec(label: str) -> str | None:
    try:
        name = codecs.lookup(label.strip().strip("\"'")).name
    except (LookupError, ValueError):
        return None
    # A page that was read so far is not in UTF-16, whatever it says.
    return "utf-8" if name.startswith("utf-16") else _LARGER.get(name, name)


class _Reader(HTMLParser):
    """Gathers the blocks. Between the two tags of a skipped element nothing is gathered."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.blocks: list[str] = []
        self._pieces: list[str] = []
        self._linked = 0
        self._links = self._preformatted = 0
        self._skipped: str | None = None
        self._depth = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if self._skipped is not None:
            self._depth += tag == self._skipped
        elif tag not in _VOID and (tag in _SKIPPED or _is_hidden(dict(attrs))):
            self._skipped, self._depth = tag, 1
        elif tag == "br":
            self._pieces.append("\n")
        elif tag == "a":
            self._links = 1
        else:
            self._preformatted += tag == "pre"
            if tag not in _INLINE:
                self.end_block()

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        # Only in void elements does HTML heed the slash.
        if tag in _VOID:
            self.handle_starttag(tag, attrs)

    def handle_endtag(self, tag: str) -> None:
        if self._skipped is not None:
            self._depth -= tag == self._skipped
            if self._depth == 0:
                self._skipped = None
                if tag not in _INLINE:
                    self.end_block()
        elif tag == "a":
            self._links = 0
        else:
            if tag not in _INLINE:
                self.end_block()
            self._preformatted = max(0, self._preformatted - (tag == "pre"))

    def handle_data(self, data: str) -> None:
        if self._skipped is None:
            self._pieces.append(data if self._preformatted else re.sub(r"\s+", " ", data))
            if self._links:
                self._linked += len(data.strip())

    def end_block(self) -> None:
        """What was gathered is a block, unless it is a menu."""
        lines = (line.strip() for line in "".join(self._pieces).split("\n"))
        text = "\n".join(line for line in lines if line)
        if text and (self._linked < _LINKED_SHARE * len(text) or len(text) > _LONG_CHARS):
            self.blocks.append(text)
        self._pieces.clear()
        self._linked = 0


def _is_hidden(attributes: dict[str, str | None]) -> bool:
    style = (attributes.get("style") or "").replace(" ", "").lower()
    return (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or attributes.get("role") in _SKIPPED_ROLES
        or "display:none" in style
        or "visibility:hidden" in style
    )
