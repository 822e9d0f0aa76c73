"""Headless Chromium that cannot reach anything: neither the network nor a file.

It knows the fonts of named folders alone, and it dies with the process that started it. What is
asked of it has a time limit: past that the browser is killed with all its processes, and the next
page starts another. Playwright steers it.
"""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from renderers.documents.page import DocumentFault, RendererMissing
from renderers.documents.web.browser_fonts import browser_fonts
from renderers.documents.web.browser_window import Window

# Raised when the same page would give other pixels or another text.
VERSION = "1"

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_START_S = 60
# A window is ended after these, so that what it keeps of them does not grow.
_MOST_DOCUMENTS = 200
# A port where nothing listens, as a proxy for everything, loopback included.
_NOWHERE = "http://127.0.0.1:9"
_FLAGS = (
    # The same pixels everywhere: no GPU, no hinting, grey edges, glyphs at fractions of a px (so
    # that lines break alike at every scale), sRGB, and no code that depends on the processor.
    "--disable-gpu",
    "--font-render-hinting=none",
    "--enable-font-subpixel-positioning",
    "--disable-lcd-text",
    "--force-color-profile=srgb",
    "--disable-skia-runtime-opts",
    "--disable-partial-raster",
    "--disable-checker-imaging",
    "--disable-threaded-animation",
    # A second wall behind the refusal of every request: no name has an address, no peer is found.
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--force-webrtc-ip-handling-policy=disable_non_proxied_udp",
    "--disable-quic",
    "--dns-prefetch-disable",
    "--disable-crash-reporter",
    "--disable-breakpad",
    "--js-flags=--max-old-space-size=512",
)


def find_chromium() -> str:
    """The program's path; RendererMissing when it is not installed."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None:
        raise RendererMissing("web pages are drawn by Chromium: apt-get install chromium")
    return found


class Browser:
    """A Chromium, started when it is first asked for and again after it was killed.

    Only one thread may use it, and no event loop of asyncio may run in that thread: so of two in a
    thread, one is closed before the other starts.
    """

    def __init__(self, *, fonts: Sequence[Path]) -> None:
        self.fonts = browser_fonts(tuple(fonts))
        # Counts the starts: a page of an earlier one is gone.
        self.generation = 0
        self._program = find_chromium()
        self._play: Any = None
        self._running: Any = None
        # The process that leads all of Chromium's, once it was started.
        # The process that leads all of Chromium's, once it was started.
        self.pid: int | None = None
        self._expired = False
        self._documents = 0
        self._free: dict[str, list[Window]] = {}
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    @property
    def name(self) -> str:
        """`chromium` and its version; starts it."""
        return f"chromium {self._started().version}"

    def holds(self, generation: int) -> bool:
        """Whether what was opened in that start is still there."""
        alive = self._running is not None and self._running.is_connected()
        return generation == self.generation and bool(alive)

    @property
    def digest(self) -> str:
        """What decides the pixels of a page beside its document and recipes; starts it."""
        return f"{VERSION} {self.name} {self.fonts.digest}"

    def lend(self, face: str, *, javascript: bool) -> Window:
        """A window whose text is of the family `face` where it names none.

        Without scripts no page can leave anything behind, so windows are used again: a fresh one
        costs as much as all the rest of a short document.
        """
        running = self._started()
        free = self._free.setdefault(face, [])
        if free and not javascript:
            return free.pop()
        return Window(self, running, face, javascript=javascript)

    def take_back(self, window: Window) -> None:
        """When its document is closed."""
        if not self.holds(window.generation):
            return
        if window.javascript or window.shown >= _MOST_DOCUMENTS:
            window.end()
        else:
            self._free[window.face].append(window)

    def next_number(self) -> int:
        """Another for each document."""
        self._documents += 1
        return self._documents

    @contextmanager
    def within(self, timeout_s: float) -> Iterator[None]:
        """Kill the browser when the block takes longer, or when the page in it has crashed.

        DocumentFault `page_timeout` or `page_crashed` for whatever Playwright then says.
        """
        from playwright.sync_api import Error

        self._expired = False
        watch = threading.Timer(timeout_s, self._expire)
        watch.daemon = True
        watch.start()
        try:
            yield
        except Error as error:
            watch.cancel()
            expired = self._expired or "Timeout" in error.message
            self._kill()
            if expired:
                why = f"the page was not done in {timeout_s:g} s"
                raise DocumentFault("page_timeout", why) from None
            said = error.message.splitlines()[0] if error.message else "no message"
            raise DocumentFault("page_crashed", f"the browser says: {said}") from None
        finally:
            watch.cancel()

    def close(self) -> None:
        """End it. It starts again when it is asked for again."""
        self._free.clear()
        running, play = self._running, self._play
        self._running = self._play = None
        watch = threading.Timer(10, self._kill_processes)
        watch.daemon = True
        watch.start()
        # What was killed cannot be closed in order.
        with suppress(Exception):
            if running is not None:
                running.close()
        with suppress(Exception):
            if play is not None:
                play.stop()
        watch.cancel()
        self._kill_processes()
        if self._folder is not None:
            self._folder.cleanup()
            self._folder = None

    def _started(self) -> Any:
        if self._running is None or not self._running.is_connected():
            self.close()
            self._start()
        return self._running

    def _start(self) -> None:
        try:
            from playwright.sync_api import sync_playwright
        except ImportError:
            raise RendererMissing(
                "web pages are drawn through Playwright: pip install 'vae-corpus[web]'"
            ) from None
        self._folder = tempfile.TemporaryDirectory(
            prefix="vae-corpus-browser-", ignore_cleanup_errors=True
        )
        home = Path(self._folder.name)
        config = home / "fonts.conf"
        config.write_text(self.fonts.config(home / "fontconfig"), encoding="utf-8")
        before = _descendants(os.getpid())
        self._play = sync_playwright().start()
        self._running = self._play.chromium.launch(
            executable_path=self._launcher(home),
            args=list(_FLAGS),
            # The sandbox does not start as root.
            chromium_sandbox=os.geteuid() != 0,
            env={
                "PATH": os.environ.get("PATH", os.defpath),
                "HOME": str(home),
                "TMPDIR": str(home),
                "FONTCONFIG_FILE": str(config),
                "LANG": "C.UTF-8",
            },
            proxy={"server": _NOWHERE},
            timeout=_START_S * 1000,
        )
        self.pid = _session_leader(_descendants(os.getpid()) - before)
        self.generation += 1

    def _launcher(self, home: Path) -> str:
        """A script that starts Chromium so that it dies with the process that steers it."""
        setpriv = shutil.which("setpriv")
        if setpriv is None:
            return self._program
        script = home / "chromium"
        script.write_text(f'#!/bin/sh\nexec {setpriv} --pdeathsig KILL {self._program} "$@"\n')
        script.chmod(0o700)
        return str(script)

    def _expire(self) -> None:
        self._expired = True
        self._kill_processes()

    def _kill(self) -> None:
        self._kill_processes()
        self.close()

    def _kill_processes(self) -> None:
        # Chromium leads a session of its own, in which all its processes are.
        pid, self.pid = self.pid, None
        if pid is not None:
            with suppress(ProcessLookupError):
                os.killpg(pid, signal.SIGKILL)


def _session_leader(pids: set[int]) -> int | None:
    own = os.getsid(0)
    for pid in sorted(pids):
        with suppress(ProcessLookupError):
            if os.getsid(pid) == pid != own and os.getpgid(pid) == pid:
                return pid
    return None


def _descendants(root: int) -> set[int]:
    parents: dict[int, int] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                stat = (entry / "stat").read_text()
                parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = {root}
    while more := {pid for pid, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {root}
