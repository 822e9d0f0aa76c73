"""Real pages with the characters that are truly on them: PDFs of Debian packages.

The text layer is the truth. Pages are rendered so that their letters have an em of 6 to 20 px, and
cut into tiles. No package is both for fitting and for measuring (of two packages CONFIRM takes
documents of their own). Composites set the ink of a page onto a photograph.
"""

from __future__ import annotations

import ctypes
import fnmatch
import gzip
import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pypdfium2
import pypdfium2.raw as pdfium
from numpy.typing import NDArray

from vae_corpus import debian

Rgb = NDArray[np.uint8]

# (script, package, end of the file's name)
FIT = (
    ("latin", "debmake-doc", "debmake-doc.en.pdf"),
    ("latin", "gnuplot-doc", "gnuplot.pdf"),
    ("latin", "asymptote-doc", "doc/asymptote/asymptote.pdf"),
    ("latin", "octave-doc", "octave.pdf"),
    ("han", "debmake-doc", "debmake-doc.zh-cn.pdf"),
    ("han", "debian-reference-zh-cn", "debian-reference.zh-cn.pdf"),
    ("han", "texlive-publishers-doc", "pkuthss/pkuthss.pdf"),
    ("han", "texlive-publishers-doc", "bjfuthesis/example/thesis.pdf"),
)
TEST = (
    ("latin", "gap-doc", "ref/manual.pdf"),
    ("latin", "developers-reference", "developers-reference.pdf"),
    ("latin", "debian-policy", "policy.pdf.gz"),
    ("latin", "ghostscript-doc", "GS9_Color_Management.pdf"),
    ("han", "debian-reference-zh-tw", "debian-reference.zh-tw.pdf"),
    ("han", "debian-edu-doc-zh-cn", "debian-edu-bookworm-manual.pdf"),
    ("han", "maint-guide-zh-cn", "maint-guide.zh-cn.pdf"),
    ("han", "debian-faq-zh-cn", "debian-faq.zh-cn.pdf.gz"),
)
# Looked at once, after everything was chosen. Only auctex and the theses are not of the same family
# of books as some of the others: translations, or another release.
CONFIRM = (
    ("latin", "auctex", "tex-ref.pdf"),
    ("latin", "maint-guide", "maint-guide.en.pdf"),
    ("latin", "debian-faq", "debian-faq.en.pdf.gz"),
    ("latin", "debian-reference-en", "debian-reference.en.pdf"),
    ("han", "maint-guide-zh-tw", "maint-guide.zh-tw.pdf"),
    ("han", "debian-edu-doc-zh-cn", "debian-edu-bullseye-manual.pdf"),
    ("han", "texlive-publishers-doc", "cquthesis/cquthesis.pdf"),
    ("han", "texlive-publishers-doc", "seuthesis/sample-doctor.pdf"),
)
EM_PX = (6, 20)
_HAN = ((0x2E80, 0x9FFF), (0xF900, 0xFAFF), (0xFF00, 0xFFEF), (0x20000, 0x3FFFF))


@dataclass(frozen=True)
class Page:
    """A rendered page: uint8[H, W, 3], its visible characters, their boxes and ems in px."""

    script: str
    source: str
    rgb: Rgb
    text: str
    boxes: NDArray[np.float32]
    ems: NDArray[np.float32]
    em_px: float


@dataclass(frozen=True)
class Tile:
    """A cut of a page, with what stands in it."""

    page: Page
    x: int
    y: int
    side: int

    @property
    def rgb(self) -> Rgb:
        return np.ascontiguousarray(
            self.page.rgb[self.y : self.y + self.side, self.x : self.x + self.side]
        )

    @property
    def inside(self) -> NDArray[np.bool_]:
        """Characters whose middle lies in the tile."""
        b = self.page.boxes
        x, y = (b[:, 0] + b[:, 2]) / 2 - self.x, (b[:, 1] + b[:, 3]) / 2 - self.y
        return (x >= 0) & (x < self.side) & (y >= 0) & (y < self.side)

    @property
    def han_share(self) -> float:
        text = [c for c, i in zip(self.page.text, self.inside, strict=True) if i]
        return sum(map(is_han, text)) / max(1, len(text))


def is_han(char: str) -> bool:
    """Whether a character is as wide as it is high: Han, its punctuation, full-width forms."""
    return any(low <= ord(char) <= high for low, high in _HAN)


def pages(
    which: Sequence[tuple[str, str, str]],
    per_file: int,
    seed: int = 0,
    em_px: tuple[int, int] = EM_PX,
) -> Iterator[Page]:
    """So many pages of each file, spread over it, each at an em drawn from `em_px`."""
    folders = debian.fetch(sorted({package for _, package, _ in which}))
    for script, package, end in which:
        path = min(p for p in folders[package].rglob("*.pdf*") if str(p).endswith(end))
        data = path.read_bytes()
        document = pypdfium2.PdfDocument(gzip.decompress(data) if path.suffix == ".gz" else data)
        made = 0
        rng = np.random.default_rng([seed, int(hashlib.sha256(end.encode()).hexdigest()[:8], 16)])
        numbers = np.linspace(0, len(document) - 1, 3 * per_file + 2).astype(int)
        for number in numbers[1:-1]:
            found = _render(document[int(number)], script, f"{package} {number}", em_px, rng)
            if found is not None:
                made += 1
                yield found
            if made == per_file:
                break
        document.close()


def _render(
    page: Any, script: str, source: str, em_range: tuple[int, int], rng: np.random.Generator
) -> Page | None:
    layer = page.get_textpage()
    count = layer.count_chars()
    chars, boxes, sizes = [], [], []
    for i in range(count):
        char = layer.get_text_range(i, 1)
        if not char.strip() or len(char) != 1:
            continue
        left, bottom, right, top = layer.get_charbox(i)
        if right - left <= 0 or top - bottom <= 0:
            continue
        chars.append(char)
        boxes.append((left, top, right, bottom))
        sizes.append(_font_size(layer, i, top - bottom))
    # Dots that lead to page numbers are characters to a PDF, and ornament to everyone else.
    if len(chars) < 300 or chars.count(".") > 0.1 * len(chars):
        return None
    em_pt = float(np.median(sizes))
    em_px = float(np.exp(rng.uniform(*np.log(em_range))))
    scale = em_px / em_pt
    rgb = np.asarray(page.render(scale=scale).to_pil().convert("RGB"))
    place = np.array(boxes, np.float32) * scale
    place[:, [1, 3]] = page.get_height() * scale - place[:, [1, 3]]
    return Page(
        script, source, rgb, "".join(chars), place, np.array(sizes, np.float32) * scale, em_px
    )


def _font_size(layer: Any, index: int, height: float) -> float:
    """The em in points: the font's size times the scale of its matrix."""
    matrix = pdfium.FS_MATRIX()
    size = pdfium.FPDFText_GetFontSize(layer, index)
    if pdfium.FPDFText_GetMatrix(layer, index, ctypes.byref(matrix)):
        size *= float(np.hypot(matrix.c, matrix.d)) or 1.0
    return size if size > 1 else height


def tiles(page: Page, sides: Sequence[int], each: int, seed: int = 0) -> Iterator[Tile]:
    """So many tiles of each side that fits, at random places."""
    digest = int(hashlib.sha256(page.source.encode()).hexdigest()[:8], 16)
    rng = np.random.default_rng([seed, digest])
    height, width = page.rgb.shape[:2]
    for side in sides:
        if side <= min(height, width):
            for _ in range(each):
                x, y = int(rng.integers(width - side + 1)), int(rng.integers(height - side + 1))
                yield Tile(page, x, y, side)


def composite(tile: Rgb, photo: Rgb, rng: np.random.Generator) -> Rgb:
    """The ink of a page on a crop of a photograph, in black or white, from faint to strong."""
    height, width = tile.shape[:2]
    y, x = (
        int(rng.integers(s - c + 1)) for s, c in zip(photo.shape, (height, width), strict=False)
    )
    ground = photo[y : y + height, x : x + width].astype(np.float32)
    ink = 1 - cv2.cvtColor(tile, cv2.COLOR_RGB2GRAY).astype(np.float32)[:, :, None] / 255
    colour = 0.0 if ground.mean() > 127 else 255.0
    strength = rng.uniform(0.6, 1.0)
    return np.clip(ground + (colour - ground) * ink * strength, 0, 255).astype(np.uint8)


def photographs(folder: Path, without: Sequence[str] = ()) -> list[Rgb]:
    """Pictures below a folder of `clarity_pictures.py`, at most 1,600 px wide.

    Left out are files whose names match a pattern.
    """
    found = []
    for path in sorted(folder.rglob("*")):
        wanted = path.is_file() and not any(fnmatch.fnmatch(path.name, p) for p in without)
        picture = cv2.imread(str(path)) if wanted else None
        if picture is None or min(picture.shape[:2]) < 256:
            continue
        scale = min(1.0, 1600 / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if min(small.shape[:2]) >= 256:
            found.append(np.ascontiguousarray(small[:, :, ::-1]))
    return found
