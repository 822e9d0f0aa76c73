"""HTML documents as a browser shows them: pieces of a long page, each at a scale of its own.

Text comes from the page itself, each character with its place. What it leaves on the page is
measured: the same piece is drawn with and without text, and where they differ is ink. So text that
is hidden, transparent, cut off or covered is not told, and boxes end where the ink does.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.resources import files as package_files
from pathlib import Path
from typing import Any, cast

import cv2
import numpy as np
from numpy.typing import NDArray

from renderers.documents.page import Document, DocumentFault, PageImage, Region, RegionKind
from renderers.documents.recipe import DocumentRecipe, PageRecipe
from renderers.documents.scale import most_scale, page_scale
from renderers.documents.web.browser import Browser
from renderers.documents.web.browser_window import Window
from renderers.documents.web.page_characters import INK_LEVELS, Said, floats, merged
from renderers.documents.web.page_cuts import MAX_PIECES, MOST_PX, cut
from renderers.documents.web.page_generated import STYLES, Run, generated_runs
from renderers.documents.web.page_walls import Served
from renderers.documents.web.resources import Folder, Resources
from renderers.text.html import encoding_of
from vae_corpus.pictures.decode import Limits

MAX_HTML_BYTES = 64 * 1024**2
# Above this, letters of 8 px would be drawn larger than any band asks for.
_MOST_SCALE = 3.0
_PICTURE = "picture"
_POLL_MS = 10
_SCRIPT = (package_files("renderers.documents.web") / "page_script.js").read_text(encoding="utf-8")
# Of larger documents, markers and other text that stands in no element is not asked for.
_MAX_NODES = 150_000


def open_html(
    html: bytes,
    *,
    resources: Path | Resources | None,
    recipe: DocumentRecipe,
    browser: Browser,
    place: str = "index.html",
    xhtml: bool = False,
    javascript: bool = False,
    timeout_s: float = 30.0,
) -> Document:
    """The document, drawn by `browser`; each call may take `timeout_s`.

    `resources`: what the document may load, a folder or what else holds files; it stands at `place`
    in it, so `../page.css` is found. With `javascript` its scripts run; what they ask of the
    network is refused all the same, and two runs may differ. DocumentFault `empty`,
    `document_too_large`, `page_timeout` or `page_crashed`.
    """
    if not html.strip():
        raise DocumentFault("empty", "no bytes at all")
    if len(html) > MAX_HTML_BYTES:
        why = f"the document has {len(html)} bytes, {MAX_HTML_BYTES} are allowed"
        raise DocumentFault("document_too_large", why)
    beside = Folder(resources) if isinstance(resources, Path) else resources
    served = Served(
        html=html,
        charset=encoding_of(html),
        place=place,
        xhtml=xhtml,
        javascript=javascript,
        resources=beside,
    )
    return HtmlDocument(served, recipe, browser, timeout_s)


class HtmlDocument:
    """An open document. When its browser was killed, the next call opens it again."""

    def __init__(
        self, served: Served, recipe: DocumentRecipe, browser: Browser, timeout_s: float
    ) -> None:
        self._served, self._recipe, self._browser = served, recipe, browser
        self._timeout_s = timeout_s
        self._window: Window | None = None
        self._world = 0
        self._generated: list[Run] | None = None
        self._pieces: list[tuple[int, int]] = []
        self._drawn = False
        self._face = browser.fonts.pick(recipe.face)
        try:
            with self._opened():
                pass
        except DocumentFault:
            self.close()
            raise

    @property
    def pages(self) -> int:
        return len(self._pieces)

    def render(self, number: int, recipe: PageRecipe, limits: Limits) -> PageImage:
        with self._opened():
            if self._drawn and self._served.has_pictures:
                # Chromium draws a small image out of a larger one that it has at hand: pages would
                # depend on those before.
                self._give_back()
                self._open()
            page = self._render(number, recipe, limits)
            self._drawn = True
            return page

    def close(self) -> None:
        if self._window is not None and self._browser.holds(self._window.generation):
            with self._browser.within(self._timeout_s):
                self._give_back()
        self._window = None

    def _give_back(self) -> None:
        window, self._window = self._window, None
        assert window is not None
        self._browser.take_back(window)

    @contextmanager
    def _opened(self) -> Iterator[None]:
        with self._browser.within(self._timeout_s):
            if self._window is None or not self._browser.holds(self._window.generation):
                self._open()
            yield

    def _open(self) -> None:
        window = self._browser.lend(self._face, javascript=self._served.javascript)
        self._window = window
        self._world = window.show(
            self._served,
            width_px=self._recipe.viewport_px,
            dark=self._recipe.dark,
            timeout_s=self._timeout_s,
        )
        self._ask(_SCRIPT)
        self._wait()
        self._ask("corpus.prepare()")
        lines = self._ask(f"corpus.lines({MAX_PIECES * MOST_PX})")
        self._pieces = cut(_height(lines), floats(lines["rows"]))
        self._generated = None
        self._drawn = False

    def _wait(self) -> None:
        """Until all is loaded; a script can keep its page from that, so half the time is enough."""
        waited_ms = 0
        while not self._ask("corpus.loaded()"):
            if self._served.javascript and waited_ms > 500 * self._timeout_s:
                return
            self._tool.wait(_POLL_MS)
            waited_ms += _POLL_MS

    def _render(self, number: int, recipe: PageRecipe, limits: Limits) -> PageImage:
        begin, end = self._pieces[number]
        self._begin = begin
        top = begin - self._ask(f"corpus.scroll({begin})")
        bottom = top + end - begin
        said = self._read(top, bottom)
        size = (float(self._recipe.viewport_px), float(bottom - top))
        plain = said.characters(top, 1.0, None)
        most = min(_MOST_SCALE, most_scale(size, limits))
        scale = page_scale(plain, size, recipe, most=most)
        layout = self._ask("corpus.layout()")
        self._tool.set_scale(scale, width_px=self._recipe.viewport_px)
        if self._ask("corpus.layout()") != layout:
            # Styles may depend on the scale, and move what was read.
            said = self._read(top, bottom)
        found = [
            (kind, _on_page(sides, top, scale))
            for kind, *sides in self._ask(f"corpus.regions({top}, {bottom})")
        ]
        shown, ink = self._draw(slice(round(top * scale), round(bottom * scale)))
        return PageImage(
            rgb=shown,
            characters=said.characters(top, scale, ink),
            regions=tuple(
                Region(cast(RegionKind, kind), sides) for kind, sides in found if kind != _PICTURE
            ),
            pictures=tuple(sides for kind, sides in found if kind == _PICTURE),
            facts={
                "renderer": self._browser.name,
                "scale": round(scale, 4),
                "viewport_px": self._recipe.viewport_px,
                "dark": self._recipe.dark,
                "face": self._face,
            },
        )

    def _read(self, top: float, bottom: float) -> Said:
        if self._generated is None:
            self._generated = self._find_generated()
        said = Said.of(self._ask(f"corpus.read({top}, {bottom}, {MOST_PX})"))
        if not self._generated:
            return said
        runs = [run for run in self._generated if abs(run[2] - self._begin) < 2 * MOST_PX]
        asked = f"corpus.generated({json.dumps(runs)}, {top}, {bottom})"
        return merged(said, Said.of(self._ask(asked)))

    def _find_generated(self) -> list[Run]:
        if self._ask("document.getElementsByTagName('*').length") > _MAX_NODES:
            return []
        return list(
            generated_runs(
                self._tool.send("DOMSnapshot.captureSnapshot", computedStyles=list(STYLES))
            )
        )

    def _draw(self, rows: slice) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
        """Those rows of the window, and which of their pixels are ink of text."""
        shown = self._shot()[rows]
        self._ask("corpus.hideText(true)")
        bare = self._shot()[rows]
        self._ask("corpus.hideText(false)")
        return shown, cv2.absdiff(shown, bare).max(axis=2) > INK_LEVELS

    def _shot(self) -> NDArray[np.uint8]:
        shot = self._tool.send("Page.captureScreenshot", format="png", optimizeForSpeed=True)
        data = base64.b64decode(shot["data"])
        flags = cv2.IMREAD_COLOR_RGB
        return cast("NDArray[np.uint8]", cv2.imdecode(np.frombuffer(data, np.uint8), flags))

    @property
    def _tool(self) -> Window:
        assert self._window is not None
        return self._window

    def _ask(self, expression: str) -> Any:
        """What the expression gives in a world of ours, apart from the page's scripts."""
        answer = self._tool.send(
            "Runtime.evaluate",
            expression=expression,
            contextId=self._world,
            returnByValue=True,
        )
        if "exceptionDetails" in answer:
            said = answer["exceptionDetails"].get("exception", {}).get("description", "no message")
            raise DocumentFault("page_crashed", f"the page cannot be read: {said.splitlines()[0]}")
        return answer["result"].get("value")


def _height(lines: dict[str, float]) -> float:
    """Of the document in CSS px: what scrolls, but little more than what there is to see."""
    if lines["height"] <= MOST_PX:
        return max(lines["end"], min(lines["body"], lines["height"]))
    return min(lines["height"], max(lines["end"], MOST_PX) + MOST_PX)


def _on_page(sides: list[float], top: float, scale: float) -> tuple[float, float, float, float]:
    left, upper, right, lower = sides
    return (left * scale, (upper - top) * scale, right * scale, (lower - top) * scale)
