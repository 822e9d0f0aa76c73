"""What a page may load: itself and what lies beside it. Everything else is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from renderers.documents.web.resources import MAX_TOTAL_BYTES, Resources, content_type, place_of

# `.invalid` is reserved: no name below it has an address. Each document has a name of its own, so
# that nothing which was kept of another is taken for what it asks for.
_ORIGIN = "https://d{number}.document.invalid"
MAX_FILES = 2000
_PICTURE_INSIDE = b"data:image"
# No window, form or download, and no connection elsewhere; without scripts, which the browser has
# then turned off as well, no refreshing either.
_POLICY = "sandbox allow-same-origin{scripts}; connect-src 'self'"
# Peers are found by UDP, past every policy. Scripts find no such thing in any frame.
NO_PEERS = """for (const name of ['RTCPeerConnection', 'webkitRTCPeerConnection', 'WebTransport']) {
  delete globalThis[name];
}"""


@dataclass(kw_only=True)
class Served:
    """A document, where it stands, and what lies beside it."""

    html: bytes
    charset: str
    place: str
    xhtml: bool
    javascript: bool
    resources: Resources | None
    # Whether raster images were asked for, or stand in what was given out.
    has_pictures: bool = False

    def __post_init__(self) -> None:
        self.has_pictures = _PICTURE_INSIDE in self.html


class Guard:
    """Answers every request of a page from what is served, or refuses it.

    Counts what was given out: once the document, of other files no more than the limits.
    """

    def __init__(self, served: Served, number: int) -> None:
        self._served = served
        self._origin = _ORIGIN.format(number=number)
        self.url = f"{self._origin}/{quote(served.place.lstrip('/'))}"
        self._files = self._bytes = 0
        self._opened = False

    def answer(self, route: Any) -> None:
        """Handle a route of Playwright."""
        request = route.request
        if request.is_navigation_request():
            self._navigate(route, request)
            return
        place = place_of(request.url, self._origin)
        data = self._read(place) if place is not None and request.method == "GET" else None
        if place is None or data is None:
            route.abort("blockedbyclient")
        else:
            route.fulfill(
                body=data,
                headers={
                    "content-type": content_type(place),
                    "access-control-allow-origin": "*",
                },
            )

    def _navigate(self, route: Any, request: Any) -> None:
        if request.frame.parent_frame is not None:
            # A page in the page would be text that nobody tells; refused, it would show an error.
            route.fulfill(body=b"", headers={"content-type": "text/html"})
        elif self._opened or request.url != self.url:
            route.fulfill(status=204)
        else:
            self._opened = True
            kind = "application/xhtml+xml" if self._served.xhtml else "text/html"
            kind += f"; charset={self._served.charset}"
            policy = _POLICY.format(scripts=" allow-scripts" if self._served.javascript else "")
            headers = {"content-type": kind, "content-security-policy": policy}
            route.fulfill(body=self._served.html, headers=headers)

    def _read(self, place: str) -> bytes | None:
        if self._served.resources is None or self._files >= MAX_FILES:
            return None
        data = self._served.resources.read(place)
        self._files += 1
        if data is None or self._bytes + len(data) > MAX_TOTAL_BYTES:
            return None
        self._bytes += len(data)
        picture = content_type(place).startswith("image/")
        self._served.has_pictures |= picture or _PICTURE_INSIDE in data
        return data
