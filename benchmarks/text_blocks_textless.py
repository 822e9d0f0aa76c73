"""Pictures without text: photographs, and what has strokes, rows or grids as text has.

Surfaces, sheet music, targets and ornaments are real; what is drawn here says `drawn`.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from typing import Any

import cv2
import numpy as np
import text_blocks_sources as sources
from PIL import Image
from text_blocks_set import TILE_PX, Rgb, Sample, cut

Generator = np.random.Generator
_SEED = 20270216
# Targets of calibration; ornaments, walls and skins of one colour; renderings and tilings.
_REAL = (
    ("mrpt-common", r"/[0-3]_(left|right)\.jpg$", 4),
    (
        "lebiniou-data",
        r"/(TILE|7TAPA|DICKSON|dragon|oyster-01|wall179|Wall|z-eyes-hurt|z-fingerprints"
        r"|z-gears)\.png$",
        10,
    ),
    ("soft-ui-design-system", r"/curved(6|11|13|5-small)\.jpg$", 4),
    ("notus-js", r"/(ill_header_3|pattern_react)\.png$", 2),
)


def photograph_samples(each: int) -> Iterator[Sample]:
    """Crops of 256 px and whole photographs, none with text."""
    for number, (name, photo) in enumerate(sources.photographs()):
        rng = np.random.default_rng([_SEED, 91, number])
        for _ in range(each):
            scale = float(rng.uniform(max(0.4, 260 / min(photo.shape[:2])), 1.0))
            some = cv2.resize(photo, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
            yield Sample(kind="crop", source=name, rgb=cut(some, TILE_PX, TILE_PX, rng))
        yield Sample(kind="photograph", source=name, rgb=photo)


def textlike_samples(each: int) -> Iterator[Sample]:
    """Pictures without text whose strokes, rows or grids look like it."""
    real = [*sources.surfaces(), *sources.sheet_music()]
    for package, pattern, most in _REAL:
        real += sources.pictures(package, pattern, most)
    for name, rgb in real:
        yield Sample(kind="textlike", source=name, rgb=rgb, hand="real")
    for place, (kind, draw) in enumerate(_DRAWN.items()):
        for number in range(each):
            rng = np.random.default_rng([_SEED, 100 + place, number])
            yield Sample(
                kind="textlike", source=kind, rgb=_photographed(draw(rng), rng), hand="drawn"
            )


def _paper(rng: Generator, side: int = 360) -> Any:
    """A sheet in some light tone, or dark: what the patterns are drawn on, and their ink."""
    paper, ink = float(rng.uniform(170, 255)), float(rng.uniform(0, 90))
    if rng.random() < 0.3:
        paper, ink = ink, paper
    return np.full((side, side), paper, np.float32), ink


def _bookshelves(rng: Generator) -> Any:
    """Spines without titles, some with bands, some leaning."""
    sheet, ink = _paper(rng)
    paper = sheet[0, 0]
    tall = int(rng.integers(50, 110))
    for top in range(4, 360, tall + 10):
        x = 4
        while x < 350:
            wide, short = int(rng.integers(5, 17)), int(rng.integers(0, tall // 4))
            lean = int(rng.integers(-6, 7)) if rng.random() < 0.15 else 0
            left, right, foot = x, x + wide - 1, top + tall
            spine = [(left + lean, top + short), (right + lean, top + short)]
            spine += [(right, foot), (left, foot)]
            tone = float(paper + (ink - paper) * rng.uniform(0.3, 1))
            cv2.fillPoly(sheet, [np.array(spine, np.int32)], tone)
            if rng.random() < 0.5:
                band = foot - int(rng.integers(8, 20))
                cv2.line(sheet, (left, band), (right, band), float(255 - tone), 2)
            x += wide + 1 + max(0, abs(lean))
        cv2.line(sheet, (0, top + tall + 4), (360, top + tall + 4), ink, 5)
    return sheet


def _crates(rng: Generator) -> Any:
    """Stacked boxes of boards."""
    sheet, ink = _paper(rng)
    paper = sheet[0, 0]
    wide, tall = int(rng.integers(30, 80)), int(rng.integers(24, 60))
    for row, top in enumerate(range(0, 360, tall + 3)):
        for left in range(-(row % 2) * wide // 2, 360, wide + 3):
            tone = float(paper + (ink - paper) * rng.uniform(0.1, 0.4))
            corner = (left + wide, top + tall)
            cv2.rectangle(sheet, (left, top), corner, tone, -1)
            for y in range(top, top + tall, max(6, tall // 4)):
                cv2.line(sheet, (left, y), (left + wide, y), ink, 1)
            cv2.rectangle(sheet, (left, top), corner, ink, 2)
            if rng.random() < 0.5:
                cv2.line(sheet, (left, top), corner, ink, 3, cv2.LINE_AA)
    return sheet


def _furrows(rng: Generator) -> Any:
    """A ploughed field towards the horizon, clods in its rows."""
    sheet, ink = _paper(rng)
    middle, step = float(rng.uniform(60, 300)), float(rng.uniform(14, 34))
    for n in range(-40, 41):
        foot = middle + n * step
        line = np.array([(middle + n * step * 0.2, 0), (foot, 360)], np.int32)
        cv2.polylines(sheet, [line], False, ink, max(1, int(step / 8)), cv2.LINE_AA)
        for depth in rng.uniform(0.1, 1, 14):
            x = middle + n * step * (0.2 + 0.8 * depth) + rng.normal(0, 1.5)
            cv2.circle(sheet, (int(x), int(360 * depth)), int(1 + 2 * depth), ink, -1)
    return sheet


def _lamps(rng: Generator) -> Any:
    """A panel of light-emitting diodes, a few of them lit."""
    sheet, ink = _paper(rng)
    paper = sheet[0, 0]
    step = int(rng.integers(6, 14))
    lit = rng.random((360 // step + 1, 360 // step + 1)) < rng.uniform(0.2, 0.7)
    for (row, column), on in np.ndenumerate(lit):
        tone = ink if on else float(0.8 * paper + 0.2 * ink)
        cv2.circle(
            sheet, (column * step, row * step), max(1, int(step * 0.32)), tone, -1, cv2.LINE_AA
        )
    return sheet


def _chessboards(rng: Generator) -> Any:
    """Boards side by side, with men that are discs."""
    sheet, ink = _paper(rng)
    cell = int(rng.integers(12, 26))
    for row in range(360 // cell + 1):
        for column in range(360 // cell + 1):
            x, y = column * cell, row * cell
            if (row + column) % 2:
                cv2.rectangle(sheet, (x, y), (x + cell - 1, y + cell - 1), ink, -1)
            if rng.random() < 0.2:
                middle, tone = (x + cell // 2, y + cell // 2), float(rng.choice([20, 235]))
                cv2.circle(sheet, middle, cell // 3, tone, -1, cv2.LINE_AA)
                cv2.circle(sheet, middle, cell // 3, 255 - tone, 1, cv2.LINE_AA)
    return sheet


def _blinds(rng: Generator) -> Any:
    """Slats across a window, each with its shade, and their cords."""
    sheet, ink = _paper(rng)
    paper = sheet[0, 0]
    step = int(rng.integers(7, 20))
    for top in range(0, 360, step):
        sag = int(rng.integers(-1, 2))
        for y in range(step - 2):
            tone = float(paper + (ink - paper) * (0.15 + 0.6 * y / step))
            cv2.line(sheet, (0, top + y), (360, top + y + sag), tone, 1)
        cv2.line(sheet, (0, top + step - 1), (360, top + step - 1 + sag), ink, 1)
    for x in range(int(rng.integers(20, 70)), 360, 110):
        cv2.line(sheet, (x, 0), (x, 360), ink, 2)
    return sheet


def _knitting(rng: Generator) -> Any:
    """Stitches like rows of the letter V, too close and too many for a word."""
    sheet, ink = _paper(rng)
    paper = sheet[0, 0]
    wide, tall = int(rng.integers(8, 18)), int(rng.integers(7, 14))
    stripes = rng.uniform(0.3, 1, 60)
    for row, top in enumerate(range(-tall, 360, tall)):
        tone = float(paper + (ink - paper) * stripes[row])
        for left in range(0, 360, wide):
            foot = (left + wide // 2, top + tall + tall // 2)
            thick = max(2, wide // 4)
            cv2.line(sheet, (left + 1, top), foot, tone, thick, cv2.LINE_AA)
            cv2.line(sheet, (left + wide - 1, top), foot, tone, thick, cv2.LINE_AA)
    return sheet


def _shingles(rng: Generator) -> Any:
    """Round tiles of a roof, each row over the one below."""
    sheet, ink = _paper(rng)
    paper = sheet[0, 0]
    size = int(rng.integers(12, 32))
    for row, y in enumerate(range(380, -40, -size // 2)):
        for x in range(-(row % 2) * size // 2, 380, size):
            tone = float(paper + (ink - paper) * rng.uniform(0, 0.35))
            cv2.circle(sheet, (x, y), size // 2, tone, -1, cv2.LINE_AA)
            cv2.circle(sheet, (x, y), size // 2, ink, 1, cv2.LINE_AA)
    return sheet


def _contours(rng: Generator) -> Any:
    """Lines of equal height over hills, as on maps."""
    sheet, ink = _paper(rng)
    hills = cv2.GaussianBlur(rng.normal(0, 1, (360, 360)).astype(np.float32), (0, 0), 28)
    hills = (hills - hills.min()) / np.ptp(hills)
    for level in np.linspace(0.05, 0.95, int(rng.integers(10, 34))):
        lines, _ = cv2.findContours(np.uint8(hills > level), cv2.RETR_LIST, cv2.CHAIN_APPROX_SIMPLE)
        cv2.polylines(sheet, lines, True, ink, int(rng.integers(1, 3)), cv2.LINE_AA)
    return sheet


def _sleepers(rng: Generator) -> Any:
    """Tracks side by side: rails on sleepers in ballast."""
    sheet, ink = _paper(rng)
    sheet += rng.normal(0, 14, sheet.shape).astype(np.float32)
    gauge, step = int(rng.integers(24, 60)), int(rng.integers(7, 18))
    for left in range(10, 350, gauge + int(rng.integers(20, 50))):
        for y in range(0, 360, step):
            slip = int(rng.integers(-2, 3))
            corner = (left + gauge + slip, y + step // 2)
            cv2.rectangle(sheet, (left + slip, y), corner, float(rng.uniform(0.3, 1)) * ink, -1)
        for x in (left + gauge // 4, left + 3 * gauge // 4):
            cv2.line(sheet, (x, 0), (x, 360), float(np.clip(255 - ink, 0, 255)), 2)
    return sheet


_DRAWN: dict[str, Callable[[Generator], Any]] = {
    "bookshelves": _bookshelves,
    "crates": _crates,
    "furrows": _furrows,
    "lamps": _lamps,
    "chessboards": _chessboards,
    "blinds": _blinds,
    "knitting": _knitting,
    "shingles": _shingles,
    "contours": _contours,
    "sleepers": _sleepers,
}


def _photographed(sheet: Any, rng: Generator) -> Rgb:
    """As a camera sees it: aslant, on a real surface, soft, noisy, out of a JPEG; 256 px."""
    corners = np.array([(0, 0), (360, 0), (360, 360), (0, 360)], np.float32)
    seen = corners + rng.uniform(-45, 45, (4, 2)).astype(np.float32)
    matrix = cv2.getPerspectiveTransform(corners, seen)
    flat = cv2.warpPerspective(sheet, matrix, (360, 360), borderMode=cv2.BORDER_REFLECT)
    surface = sources.surfaces()[int(rng.integers(len(sources.surfaces())))][1]
    grain = cv2.resize(surface, (360, 360)).astype(np.float32)
    grain = 1 + float(rng.uniform(0.1, 0.5)) * (grain / max(1.0, float(grain.mean())) - 1)
    rgb = flat[:, :, None] * grain * rng.uniform(0.75, 1.0, 3).astype(np.float32)
    rgb = cv2.GaussianBlur(rgb, (0, 0), float(rng.uniform(0.3, 1.1)))
    rgb += rng.normal(0, float(rng.uniform(0, 5)), rgb.shape)
    data = io.BytesIO()
    tile = np.clip(rgb[52:308, 52:308], 0, 255).astype(np.uint8)
    Image.fromarray(tile).save(data, "jpeg", quality=int(rng.integers(65, 96)))
    with Image.open(data) as picture:
        return np.asarray(picture.convert("RGB"))
