"""What became of a hostile document, whether it may, and what it took."""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from hostile_set.case import Hostile

_EVERY_S = 0.05


class Page(NamedTuple):
    """A page as a renderer gave it: `rendered` or a slug, how long it took, what it says."""

    slug: str
    seconds: float
    text: str = ""


Render = Callable[[Path], list[Page]]


class Verdict(NamedTuple):
    name: str
    suffix: str
    bytes: int
    pages: list[Page]
    seconds: float
    peak_mb: float
    wrong: str


def judge(hostile: Hostile, path: Path, render: Render) -> Verdict:
    """Render the file at `path` and hold the outcome against what may come of it."""
    begun = time.monotonic()
    with _Watch() as watch:
        pages = render(path)
    seconds = time.monotonic() - begun
    return Verdict(
        name=hostile.name,
        suffix=hostile.suffix,
        bytes=len(hostile.data),
        pages=pages,
        seconds=round(seconds, 2),
        peak_mb=round(watch.peak_bytes / 1e6),
        wrong=_wrong(hostile, pages),
    )


def _wrong(hostile: Hostile, pages: list[Page]) -> str:
    if not pages:
        return "nothing came of it"
    for number, page in enumerate(pages, 1):
        fates = hostile.fates
        # Who says nothing claims nothing, and who doubts may.
        if "text_not_trusted" in fates and page.slug == "rendered" and not page.text.strip():
            continue
        if "rendered" in fates and page.slug == "text_not_trusted":
            continue
        if page.slug not in fates:
            return f"page {number}: {page.slug}, allowed: {', '.join(sorted(hostile.fates))}"
        if page.slug != "rendered":
            continue
        if hostile.secret is not None and hostile.secret in page.text:
            return f"page {number} shows what lies outside the file"
        if hostile.says is not None and _plain(page.text) not in ("", _plain(hostile.says)):
            return f"page {number} claims {page.text[:40]!r}, it shows {hostile.says!r}"
    return ""


def _plain(text: str) -> str:
    return re.sub(r"\s+", "", text).casefold()


class _Watch:
    """The most memory (RSS) that the processes below this one had at once."""

    def __init__(self) -> None:
        self.peak_bytes = 0
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> _Watch:
        self._thread.start()
        return self

    def __exit__(self, *_: Any) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(_EVERY_S):
            self.peak_bytes = max(self.peak_bytes, _below(os.getpid()))


def _below(pid: int) -> int:
    """Bytes of all descendants, as Linux tells them."""
    parents, sizes = {}, {}
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit():
            continue
        try:
            fields = (folder / "stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents[int(folder.name)] = int(fields[1])
        sizes[int(folder.name)] = int(fields[21]) * os.sysconf("SC_PAGE_SIZE")
    below, newest = set(), {pid}
    while newest:
        newest = {child for child, parent in parents.items() if parent in newest} - below
        below |= newest
    return sum(sizes[child] for child in below)
