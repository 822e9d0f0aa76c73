"""A window of the browser: one document after the other, and none sees another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from renderers.documents.web.page_cuts import MOST_PX
from renderers.documents.web.page_walls import NO_PEERS, Guard, Served

if TYPE_CHECKING:
    from renderers.documents.web.browser import Browser


class Window:
    """A Playwright page in a context of its own, and the protocol of Chromium's tools beside it."""

    def __init__(self, browser: Browser, running: Any, face: str, *, javascript: bool) -> None:
        self.face, self.javascript = face, javascript
        self.generation = browser.generation
        self.shown = 0
        self._browser = browser
        self._guard: Guard | None = None
        self._context = running.new_context(
            java_script_enabled=javascript,
            no_viewport=True,
            accept_downloads=False,
            service_workers="block",
            offline=True,
            locale="en-US",
            timezone_id="UTC",
            reduced_motion="reduce",
        )
        self._context.route("**/*", self._answer)
        if javascript:
            # WebSockets go round the other route.
            self._context.route_web_socket("**/*", lambda socket: socket.close())
            self._context.add_init_script(NO_PEERS)
        self._page = self._context.new_page()
        self._cdp = self._context.new_cdp_session(self._page)
        fonts = browser.fonts
        families = {
            "standard": face,
            "serif": fonts.serif,
            "sansSerif": fonts.sans,
            "fixed": fonts.mono,
        }
        # Can be said only once, so windows differ by their faces.
        self.send("Page.setFontFamilies", fontFamilies=families)

    def show(self, served: Served, *, width_px: int, dark: bool, timeout_s: float) -> int:
        """Begin to load a document; gives the number of a world in it that no script sees."""
        self.shown += 1
        self._guard = Guard(served, self._browser.next_number())
        self.set_scale(1.0, width_px=width_px)
        self._page.emulate_media(color_scheme="dark" if dark else "light")
        self._page.goto(self._guard.url, wait_until="commit", timeout=timeout_s * 1000)
        frame = self.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        world = self.send("Page.createIsolatedWorld", frameId=frame)
        return int(world["executionContextId"])

    def set_scale(self, scale: float, *, width_px: int) -> None:
        """Pixels per CSS px, of all that is drawn from now on."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width_px,
            height=MOST_PX,
            deviceScaleFactor=scale,
            mobile=False,
        )

    def send(self, method: str, **parameters: Any) -> Any:
        """What Chromium answers."""
        return self._cdp.send(method, parameters)

    def wait(self, duration_ms: int) -> None:
        """Let the page go on."""
        self._page.wait_for_timeout(duration_ms)

    def end(self) -> None:
        """Close it for good."""
        self._context.close()

    def _answer(self, route: Any) -> None:
        if self._guard is None:
            route.abort("blockedbyclient")
        else:
            self._guard.answer(route)
