"""Blocks of text as coverage, set by three hands that are not this project's renderer.

Pillow with libraqm lays out lines; Chromium lays out and draws paragraphs; lines of PDF pages come
as they were printed. Each gives how much of each pixel is under ink and where the characters are,
so that one painter (`text_blocks_set`) colours them all.
"""

from __future__ import annotations

import html
import io
import tempfile
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from text_pages import Page

Rgb = NDArray[np.uint8]
Coverage = NDArray[np.float32]

# A machine that is busy with something else may keep a picture waiting for minutes.
_PATIENCE_MS = 300_000
# Where each visible character is drawn, by the browser's own word.
_PLACES = """() => {
  const found = [];
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walk.nextNode(); node; node = walk.nextNode()) {
    if (getComputedStyle(node.parentElement).visibility === 'hidden') continue;
    for (let i = 0; i < node.length; i++) {
      const char = node.data[i];
      if (!char.trim()) continue;
      const range = document.createRange();
      range.setStart(node, i); range.setEnd(node, i + 1);
      const box = range.getBoundingClientRect();
      if (box.width && box.height)
        found.push([char, box.left + box.width / 2, box.top + box.height / 2]);
    }
  }
  return found;
}"""
_SHOW = """async (body) => {
  document.body.innerHTML = body;
  document.body.offsetWidth;
  await document.fonts.ready;
  await Promise.all([...document.images].map(image => image.decode().catch(() => 0)));
}"""


@dataclass(frozen=True, kw_only=True)
class Ink:
    """Coverage float32[H, W] in 0 to 1, the characters, their middles float32[N, 2] in px."""

    coverage: Coverage
    text: str
    middles: NDArray[np.float32]
    em_px: float
    hand: str

    @property
    def cropped(self) -> Ink:
        """Without margins, but for a pixel."""
        rows, columns = (np.flatnonzero(self.coverage.max(axis=a) > 0.02) for a in (1, 0))
        top, left = max(rows[0] - 1, 0), max(columns[0] - 1, 0)
        part = self.coverage[top : rows[-1] + 2, left : columns[-1] + 2]
        return Ink(
            coverage=np.ascontiguousarray(part),
            text=self.text,
            middles=self.middles - np.array([left, top], np.float32),
            em_px=self.em_px,
            hand=self.hand,
        )


def is_han(char: str) -> bool:
    """Whether a character is Chinese or its punctuation, as a page's truth has it."""
    return unicodedata.east_asian_width(char) in "WF" or "\u2e80" <= char <= "\u9fff"


def units(text: str) -> list[str]:
    """What a line may break between: words with the space after them, single Chinese characters."""
    found: list[str] = []
    for char in text:
        joins = found and not is_han(char) and not is_han(found[-1][-1])
        if (
            joins
            and not (found[-1][-1] == " " and char != " ")
            or found
            and char in "，。、；：！？）」』》,.;:!?)"
        ):
            found[-1] += char
        else:
            found.append(char)
    return found


def pillow_ink(
    text: str, face: Path, em_px: float, width_px: float, leading: float, align: str
) -> Ink:
    """Lines set with Pillow's own layout through libraqm, grey antialiasing, hinted as it does."""
    font = ImageFont.truetype(str(face), em_px, layout_engine=ImageFont.Layout.RAQM)
    lines = [""]
    for unit in units(text):
        if lines[-1] and font.getlength((lines[-1] + unit).rstrip()) > width_px:
            lines.append("")
        lines[-1] += unit
    lines = [line.strip() for line in lines if line.strip()]
    lengths = [font.getlength(line) for line in lines]
    step, pad = leading * em_px, int(em_px)
    size = (int(max(lengths)) + 2 * pad, int(step * len(lines)) + 2 * pad)
    picture = Image.new("L", size)
    draw = ImageDraw.Draw(picture)
    shown, middles = [], []
    for number, (line, length) in enumerate(zip(lines, lengths, strict=True)):
        spare = {"left": 0.0, "centre": 0.5, "right": 1.0}[align] * (max(lengths) - length)
        x, y = pad + spare, pad + number * step
        draw.text((x, y), line, fill=255, font=font)
        for at, char in enumerate(line):
            if char.strip():
                before = font.getlength(line[:at])
                middles.append((x + before + font.getlength(char) / 2, y + em_px * 0.6))
                shown.append(char)
    return Ink(
        coverage=np.asarray(picture, np.float32) / 255,
        text="".join(shown),
        middles=np.array(middles, np.float32).reshape(-1, 2),
        em_px=em_px,
        hand="pillow",
    )


def page_ink(page: Page, lines: int, chars: int, rng: np.random.Generator) -> Ink | None:
    """So many neighbouring lines of a printed page, of about so many characters, at its em.

    Whole words only (Chinese: characters); ink of others is left out.
    """
    em, box = page.em_px, page.boxes
    left, top, right, bottom = box.T
    rows = np.round((bottom / em) * 2).astype(int)
    levels = np.unique(rows)
    if len(levels) < 4 * lines:
        return None
    start = int(rng.integers(len(box) - 1))
    below = bottom[start]
    # Lines follow each other in reading order, so a run of characters is a block.
    stop = start
    while stop < len(box) and bottom[stop] < below + lines * 1.7 * em and bottom[stop] > below - em:
        stop += 1
    first = next((i for i in range(start, stop) if i == 0 or _apart(page, i)), stop)
    wide = chars / lines * em * (1.02 if page.script == "han" else 0.52)
    inside = [i for i in range(first, stop) if left[first] - 2 <= left[i]]
    inside = [i for i in inside if right[i] <= left[first] + wide]
    kept = [i for i in inside if _whole(page, i, set(inside))]
    if not max(3, 0.5 * chars) <= len(kept) <= 400:
        return None
    coverage = 1 - page.rgb.astype(np.float32).mean(axis=2) / 255
    mask = np.zeros_like(coverage)
    grow = 0.16 * em
    for i in kept:
        mask[_span(top[i] - grow, bottom[i] + grow), _span(left[i] - grow, right[i] + grow)] = 1
    for i in set(range(len(box))) - set(kept):
        mask[_span(top[i], bottom[i]), _span(left[i], right[i])] = 0
    inked = coverage[mask > 0]
    # Listings stand on grey plates, some headings are white.
    paper = float(np.median(inked)) if inked.size else 1.0
    if paper > 0.3 or inked.max() < 0.6:
        return None
    coverage = np.clip((coverage - paper) / (inked.max() - paper), 0, 1) * mask
    # A text layer may hold what is not drawn, or drawn in a pale colour.
    at = [(_span(top[i], bottom[i]), _span(left[i], right[i])) for i in kept]
    if any(coverage[place].max(initial=0) < 0.6 for place in at):
        return None
    middles = np.stack([(left + right)[kept] / 2, (top + bottom)[kept] / 2], axis=1)
    return Ink(
        coverage=coverage,
        text="".join(page.text[i] for i in kept),
        middles=middles.astype(np.float32),
        em_px=float(np.median(page.ems[kept])),
        hand="pdf",
    )


def _apart(page: Page, i: int) -> bool:
    """Whether a word begins with character `i`; every Chinese character is a word."""
    one, before = page.boxes[i], page.boxes[i - 1]
    gap = one[0] - before[2]
    new_line = abs(one[3] - before[3]) > 0.9 * page.em_px
    return bool(is_han(page.text[i]) or new_line or gap > 0.17 * page.em_px)


def _whole(page: Page, i: int, inside: set[int]) -> bool:
    """Whether all characters of the word of `i` are inside."""
    first = i
    while first > 0 and not _apart(page, first):
        first -= 1
        if first not in inside:
            return False
    last = i + 1
    while last < len(page.text) and not _apart(page, last):
        if last not in inside:
            return False
        last += 1
    return first in inside


def _span(start: float, stop: float) -> slice:
    return slice(max(0, int(np.floor(start))), max(0, int(np.ceil(stop))))


class Browser:
    """Chromium on one page that knows the faces; a context manager."""

    def __init__(self, faces: Sequence[Path]) -> None:
        self.names = {path: f"face{n}" for n, path in enumerate(dict.fromkeys(faces))}

    def __enter__(self) -> Browser:
        from playwright.sync_api import sync_playwright

        self._folder = tempfile.TemporaryDirectory()
        rules = "".join(
            f"@font-face {{ font-family: {name}; src: url('{path.as_uri()}') }}"
            for path, name in self.names.items()
        )
        start = Path(self._folder.name) / "start.html"
        style = f"<style>{rules} body {{ margin: 0 }} * {{ box-sizing: border-box }}</style>"
        start.write_text(f"<!doctype html><meta charset=utf-8>{style}<body></body>", "utf-8")
        self._driver = sync_playwright().start()
        # Files may use fonts of other folders; grey antialiasing, the same on every screen.
        self._browser = self._driver.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=[
                "--no-sandbox",
                "--disable-gpu",
                "--allow-file-access-from-files",
                "--disable-lcd-text",
                "--force-color-profile=srgb",
            ],
        )
        self.version = self._browser.version
        self._page = self._browser.new_page()
        self._page.goto(start.as_uri())
        return self

    def __exit__(self, *_: object) -> None:
        self._browser.close()
        self._driver.stop()
        self._folder.cleanup()

    def show(self, body: str, width: int, height: int) -> tuple[Rgb, str, NDArray[np.float32]]:
        """A picture uint8[H, W, 4] of the body, its visible characters and their middles in px."""
        self._page.set_viewport_size({"width": width, "height": height})
        self._page.evaluate(_SHOW, body)
        places: list[Any] = self._page.evaluate(_PLACES)
        data = self._page.screenshot(omit_background=True, timeout=_PATIENCE_MS)
        with Image.open(io.BytesIO(data)) as picture:
            rgba = np.asarray(picture.convert("RGBA"))
        seen = [p for p in places if 0 <= p[1] < width and 0 <= p[2] < height]
        middles = np.array([p[1:] for p in seen], np.float32).reshape(-1, 2)
        return rgba, "".join(p[0] for p in seen), middles

    def ink(
        self, text: str, face: Path, em_px: float, width_px: float, leading: float, align: str
    ) -> Ink:
        """A paragraph as the browser breaks and draws it."""
        pad = int(em_px)
        style = (
            f"position:absolute;left:{pad}px;top:{pad}px;width:{width_px:.1f}px;"
            f"font:{em_px:.2f}px/{leading:.2f} {self.names[face]};"
            f"text-align:{'center' if align == 'centre' else align};overflow-wrap:anywhere"
        )
        size = int(width_px) + 2 * pad, 1100
        rgba, shown, middles = self.show(
            f'<p style="{style};margin:0">{html.escape(text)}</p>', *size
        )
        return Ink(
            coverage=rgba[:, :, 3].astype(np.float32) / 255,
            text=shown,
            middles=middles,
            em_px=em_px,
            hand="chromium",
        )
