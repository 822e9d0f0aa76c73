"""The sealed set of text blocks: over photographs, alone and several; and tiles of pages.

A block has a place, an ink and a ground, drawn one after the other from a generator of its own
number; what a person could not read is drawn again. Luma is that of BT.601; contrast is measured
between the ink and the mean of the ground around it, before compression.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

import cv2
import numpy as np
import text_blocks_sources as sources
from numpy.typing import NDArray
from text_blocks_ink import Browser, Ink, is_han, page_ink, pillow_ink, units
from text_blocks_paint import detail, paint, paint_coloured, saved
from text_pages import Page, pages, tiles

Rgb = NDArray[np.uint8]
Floats = NDArray[np.float32]

TILE_PX = 256
SHARES = ((0.03, 0.10), (0.10, 0.30), (0.30, 0.60))
_MAIN_EM, _SMALL_EM, _LARGE_EM = (8.0, 20.0), (5.5, 8.0), (20.0, 40.0)
# kind: em px, characters, how many
BLOCKS: dict[str, tuple[tuple[float, float], tuple[int, int], int]] = {
    "block": (_MAIN_EM, (10, 300), 480),
    "coloured": ((9.5, 20.0), (10, 300), 130),
    "short": (_MAIN_EM, (4, 9), 40),
    "small": (_SMALL_EM, (10, 300), 30),
    "large": (_LARGE_EM, (5, 300), 30),
}
# Shares of the tile that letters of such a size or so few of them can take.
_ASIDE = {"short": (0.006, 0.08), "small": (0.03, 0.30), "large": (0.06, 0.60)}
_WHOLE = 48
_TRIES = 3000
_SEED = 20270214
# Documents of plain lines: the others are tables and slides.
_PRINTED = tuple(d for d in sources.DOCUMENTS if not d[2].startswith(("refcard", "cqubeamer")))


@dataclass(frozen=True, kw_only=True)
class Sample:
    """A picture uint8[H, W, 3] and what is true of it; `fullest`: in the fullest 256 px window."""

    kind: str
    source: str
    rgb: Rgb
    text: str = ""
    em_px: float = 0.0
    share: float = 0.0
    contrast: float = 0.0
    ground: str = ""
    hand: str = ""
    fullest: int = 0

    @property
    def chars(self) -> int:
        return len(self.text)

    @property
    def script(self) -> str:
        """As `TextDensity` names it, by the share of 0.85."""
        share = sum(map(is_han, self.text)) / max(1, len(self.text))
        return "han" if share >= 0.85 else "latin" if share <= 0.15 else "mixed"


@cache
def _printed() -> tuple[Page, ...]:
    """Pages to take lines from, at many ems."""
    found = [
        *pages(_PRINTED, 5, seed=13, em_px=(8, 20)),
        *pages(_PRINTED, 2, seed=14, em_px=(6, 8)),
    ]
    return (*found, *pages(_PRINTED, 1, seed=15, em_px=(20, 36)))


def block_samples(browser: Browser, kind: str, count: int) -> Iterator[Sample]:
    """Tiles of 256 px with a block each."""
    em_range, (fewest, most), _ = BLOCKS[kind]
    for number in range(count):
        rng = np.random.default_rng([_SEED, list(BLOCKS).index(kind), number])
        for _ in range(_TRIES):
            # A third of the pictures is resized after it was saved: to less or to more.
            scale = float(rng.choice([1, 1, 1, rng.uniform(0.6, 0.9), rng.uniform(1.1, 1.4)]))
            side = round(TILE_PX / scale)
            shares = SHARES[number % 3] if kind in ("block", "coloured") else _ASIDE[kind]
            ground, name, surface = _ground(rng, side, number // 3)
            got = _block(browser, rng, surface, kind, em_range, shares, scale)
            if got is None or not fewest <= len(got[1].text) <= most:
                continue
            rgb, ink, contrast, share = got
            rgb = saved(rgb, rng, gentle=kind == "coloured" or contrast < 60 or ink.em_px < 11)
            if side != TILE_PX:
                how = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
                rgb = cv2.resize(rgb, (TILE_PX, TILE_PX), interpolation=how)
            yield Sample(
                kind=kind,
                source=name,
                rgb=np.ascontiguousarray(rgb),
                text=ink.text,
                em_px=ink.em_px * scale,
                share=share,
                contrast=contrast,
                ground=ground,
                hand=ink.hand,
                fullest=len(ink.text),
            )
            break
        else:
            raise AssertionError(f"no legible {kind} block for number {number}: {shares}")


def whole_samples(browser: Browser, count: int = _WHOLE) -> Iterator[Sample]:
    """Photographs of 512 to 1,024 px with one to four blocks, each in a window of its own."""
    large = [(n, p) for n, p in sources.photographs() if min(p.shape[:2]) >= 540]
    for number in range(count):
        rng = np.random.default_rng([_SEED, 90, number])
        name, photo = large[int(rng.integers(len(large)))]
        side = (512, 768, 1024)[number % 3]
        height, width = (min(side, length) for length in photo.shape[:2])
        rgb = cut(photo, height, width, rng).copy()
        text, middles, ems, contrasts = "", [], [], []
        cells = [(y, x) for y in range(0, height - 255, 256) for x in range(0, width - 255, 256)]
        for cell in rng.permutation(len(cells))[: int(rng.integers(1, 5))]:
            y, x = cells[int(cell)]
            for _ in range(20):
                window = np.ascontiguousarray(rgb[y : y + TILE_PX, x : x + TILE_PX])
                shares = SHARES[int(rng.integers(3))]
                got = _block(browser, rng, window, "block", _MAIN_EM, shares, 1.0)
                if got is not None and len(got[1].text) >= 10:
                    rgb[y : y + TILE_PX, x : x + TILE_PX] = got[0]
                    text += got[1].text
                    middles.append(got[1].middles + np.array([x, y], np.float32))
                    ems += [got[1].em_px] * len(got[1].text)
                    contrasts.append(got[2])
                    break
        if text:
            yield Sample(
                kind="whole",
                source=name,
                rgb=saved(rgb, rng, gentle=min(contrasts) < 60 or min(ems) < 11),
                text=text,
                em_px=float(np.median(ems)),
                contrast=float(np.mean(contrasts)),
                fullest=fullest_window(np.concatenate(middles), height, width),
            )


def fullest_window(middles: Floats, height: int, width: int, step: int = 16) -> int:
    """Characters in the fullest window of 256 x 256 px, windows laid every `step` px."""
    tops = range(0, max(1, height - TILE_PX + 1), step)
    lefts = range(0, max(1, width - TILE_PX + 1), step)
    return max(
        int(((middles >= (x, y)) & (middles < (x + TILE_PX, y + TILE_PX))).all(axis=1).sum())
        for y in tops
        for x in lefts
    )


def page_samples(each: int) -> Iterator[Sample]:
    """Tiles of pages of documents; the text layer is the truth."""
    for page in pages(sources.DOCUMENTS, each):
        for tile in tiles(page, (256, 512), 1):
            text = "".join(c for c, i in zip(page.text, tile.inside, strict=True) if i)
            yield Sample(
                kind=f"page_{tile.side}",
                source=page.source,
                rgb=tile.rgb,
                text=text,
                em_px=page.em_px,
                hand="pdf",
            )


def _ground(rng: np.random.Generator, side: int, number: int) -> tuple[str, str, Rgb]:
    """Its class (smooth, blurred, busy), its source, and a crop: the fittest one of some."""
    wanted = ("smooth", "blurred", "busy")[number % 3]
    stock = [*sources.photographs(), *sources.surfaces()[:25]]
    crops = []
    for _ in range(1 if wanted == "blurred" else 5):
        name, photo = stock[int(rng.integers(len(stock)))]
        smallest = (side + 2) / min(photo.shape[:2])
        scale = float(rng.uniform(min(1.0, max(0.4, smallest)), 1.0)) if smallest <= 1 else smallest
        some = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        crop = cut(some, side, side, rng)
        crops.append((detail(crop), name, crop))
    if wanted == "blurred":
        _, name, crop = crops[0]
        soft = cv2.GaussianBlur(crop, (0, 0), float(rng.uniform(2.5, 7.0))).astype(np.float32)
        soft += rng.normal(0, rng.uniform(0, 2.5), soft.shape[:2])[:, :, None]
        return wanted, name, np.clip(soft, 0, 255).astype(np.uint8)
    order = sorted(crops, key=lambda crop: crop[0])
    amount, name, crop = order[0] if wanted == "smooth" else order[-1]
    return "smooth" if amount < 10 else "busy", name, crop


def cut(photo: Rgb, height: int, width: int, rng: np.random.Generator) -> Rgb:
    y = int(rng.integers(photo.shape[0] - height + 1))
    x = int(rng.integers(photo.shape[1] - width + 1))
    return np.ascontiguousarray(photo[y : y + height, x : x + width])


def _block(
    browser: Browser,
    rng: np.random.Generator,
    ground: Rgb,
    kind: str,
    em_range: tuple[float, float],
    shares: tuple[float, float],
    scale: float,
) -> tuple[Rgb, Ink, float, float] | None:
    """The ground with a block on it, the ink where it lies, its contrast, its share; or nothing."""
    ink = _set_ink(browser, rng, em_range, shares, scale, ground.shape[0])
    if ink is None:
        return None
    placed = _placed(ink, ground.shape[0], rng)
    if placed is None:
        return None
    share = float(np.ptp(placed.middles[:, 0]) + ink.em_px) * float(
        np.ptp(placed.middles[:, 1]) + ink.em_px
    )
    share /= ground.shape[0] * ground.shape[1]
    if not shares[0] * 0.9 <= share <= shares[1] * 1.1:
        return None
    han = any(map(is_han, ink.text))
    painter = paint_coloured if kind == "coloured" else paint
    for _ in range(8):
        painted = painter(ground, placed.coverage, ink.em_px * scale, ink.em_px, han, rng)
        if painted is not None:
            return painted[0], placed, painted[1], share
    return None


def _set_ink(
    browser: Browser,
    rng: np.random.Generator,
    em_range: tuple[float, float],
    shares: tuple[float, float],
    scale: float,
    side: int,
) -> Ink | None:
    """A block of a size that takes the share, in one of three hands."""
    script = str(rng.choice(["latin", "zh-cn", "zh-tw", "mixed"], p=[0.5, 0.24, 0.14, 0.12]))
    # Chinese letters have more strokes for their size.
    han_px = 7.0 if em_range == _SMALL_EM else 10.0
    least = max(em_range[0], 0.0 if script == "latin" else han_px)
    em = float(np.exp(rng.uniform(*np.log((least, em_range[1]))))) / scale
    area = float(np.exp(rng.uniform(*np.log(shares)))) * side**2
    leading = float(rng.uniform(1.1, 1.6))
    possible = [k for k in range(1, 30) if k * leading * em < 0.9 * side]
    possible = [k for k in possible if 2.5 * em <= area / (k * leading * em) <= 0.9 * side]
    if not possible:
        return None
    lines = int(rng.choice(possible))
    width = area / (lines * leading * em)
    chars = int(lines * width / em / (0.52 if script == "latin" else 1.0))
    hand = str(rng.choice(["pillow", "chromium", "pdf"], p=[0.32, 0.3, 0.38]))
    if hand == "pdf":
        if script == "mixed":
            return None
        fit = [p for p in _printed() if (p.script == "latin") == (script == "latin")]
        page = min(fit, key=lambda p: abs(np.log(p.em_px / em)) + rng.uniform(0, 0.12))
        tries = (page_ink(page, lines, chars, rng) for _ in range(6))
        found = next((ink for ink in tries if ink is not None), None)
        off = found is None or abs(np.log(found.em_px / em)) > 0.25 or "\ufffe" in found.text
        return None if off or not em_range[0] <= found.em_px * scale <= em_range[1] else found
    text = _text(script, chars, rng)
    face_script = "zh-cn" if script == "mixed" else script
    needed = {ord(c) for c in text if c.strip()}
    fit_faces = [f for f in sources.readable(face_script, em * scale) if needed <= sources.known(f)]
    if not fit_faces:
        return None
    face = fit_faces[int(rng.integers(len(fit_faces)))]
    align = str(rng.choice(["left", "left", "centre", "right"]))
    setter: Any = pillow_ink if hand == "pillow" else browser.ink
    ink: Ink = setter(text, face, em, width, leading, align)
    return ink if ink.text else None


def _text(script: str, chars: int, rng: np.random.Generator) -> str:
    """About so many visible characters of running text, or a label, broken between units."""
    if script == "mixed":
        parts = [_text(s, max(3, chars // 4), rng) for s in ("zh-cn", "latin") * 3]
        return " ".join(parts[int(rng.integers(2)) :])[: int(chars * 1.2)].strip()
    if script == "latin" and chars < 40 and rng.random() < 0.4:
        return _label(chars, rng)
    stock = sources.sentences(script)
    start, text = int(rng.integers(len(stock))), ""
    while len(text) < 1.4 * chars + 20:
        text += stock[start % len(stock)] + (" " if script == "latin" else "")
        start += 1
    parts = units(text)
    # Begins anywhere in the first sentence, at a word.
    first = int(rng.integers(max(1, min(8, len(parts) - 1))))
    taken, count = "", 0
    for unit in parts[first:]:
        if taken and count + len(unit.strip()) > chars:
            break
        taken += unit
        count += len(unit.strip())
    taken = taken.strip()
    return taken.upper() if script == "latin" and rng.random() < 0.15 else taken


def _label(chars: int, rng: np.random.Generator) -> str:
    """Numbers, prices, addresses, dates and names, as on tickets and in captions."""
    digits = rng.integers(0, 10, 12).tolist()
    one, two, three = ("".join(map(str, digits[i : i + 4])) for i in (0, 4, 8))
    words = [w for w in sources.sentences("latin")[int(rng.integers(900))].split() if w.isalpha()]
    name = " ".join(words[:2]).title() or "Harbour Street"
    kinds = (
        f"${one[:2]}.{two[:2]}",
        f"{name} {one[:2]}",
        f"www.{name.replace(' ', '').lower()}.org",
        f"+{one[:2]} {two[:3]} {three} {one}",
        f"20{one[:2]}-0{1 + digits[4] % 9}-1{digits[5]} 1{digits[6]}:{digits[7] % 6}{digits[8]}",
        f"No. {one}/{two[:2]} {name}",
        f"{name}, {two} {three[:2]}",
        f"© {name} 20{one[:2]}",
    )
    text = ""
    while len(text) < chars:
        text = f"{text}  {kinds[int(rng.integers(len(kinds)))]}".strip()
        if rng.random() < 0.5 and len(text) > 0.6 * chars:
            break
    return text


def _placed(ink: Ink, side: int, rng: np.random.Generator) -> Ink | None:
    """The ink on a canvas of the ground's size: upright, or tilted and in slight perspective."""
    block = ink.cropped
    height, width = block.coverage.shape
    if max(height, width) > side - 4:
        return None
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], np.float32)
    if rng.random() < 0.6:
        moved = corners
    else:
        angle = np.deg2rad(rng.uniform(-9, 9))
        turn = np.array([(np.cos(angle), np.sin(angle)), (-np.sin(angle), np.cos(angle))])
        jitter = rng.uniform(-0.05, 0.05, (4, 2)) * min(height, width)
        moved = ((corners - corners.mean(axis=0)) @ turn + jitter).astype(np.float32)
        moved -= moved.min(axis=0)
    spare = side - np.ceil(moved.max(axis=0)) - 2
    if (spare < 1).any():
        return None
    moved = (moved + np.floor(rng.uniform(0, 1, 2) * spare) + 1).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, moved)
    straight = np.allclose(matrix[:, :2], np.eye(3)[:, :2], atol=1e-6)
    how = cv2.INTER_NEAREST if straight else cv2.INTER_CUBIC
    canvas = cv2.warpPerspective(block.coverage, matrix, (side, side), flags=how)
    middles = cv2.perspectiveTransform(block.middles[None], matrix)[0]
    return replace(block, coverage=np.clip(canvas, 0, 1), middles=middles)
