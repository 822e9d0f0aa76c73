"""Pictures without text: photographs, and what has strokes, rows or grids as text has.

Surfaces, sheet music, markers and wipes are real; what is drawn here says `drawn`.
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
_SEED = 20261127
# Targets of calibration and markers; wipes from one film to the next.
_REAL = (
    ("visp-images-data", r"(AprilTag/benchmark|calibration|mire)/.*\.(png|pgm)$", 6),
    (
        "flowblade",
        r"/(spiral|checker|kosette|radial_bars|burst|rays|fractal|free_curves|square_bars|Cross"
        r"|vertical_blinds)[^/]*\.pgm$",
        10,
    ),
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


def _barcodes(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    for top in range(20, 320, int(rng.integers(60, 160))):
        x = int(rng.integers(10, 60))
        while x < 330:
            wide = int(rng.integers(1, 5))
            sheet[top : top + 46, x : x + wide] = ink
            x += wide + int(rng.integers(1, 5))
    return sheet


def _matrix_codes(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    cell = int(rng.integers(3, 8))
    for top in (15, 195):
        for left in (15, 195):
            count = 150 // cell
            bits = rng.random((count, count)) < 0.5
            block = np.kron(bits, np.ones((cell, cell))) > 0
            part = sheet[top : top + block.shape[0], left : left + block.shape[1]]
            part[block] = ink
    return sheet


def _keyboards(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    key = int(rng.integers(18, 34))
    for row, top in enumerate(range(8, 350, key)):
        for left in range(-(row * key // 3) % key, 360, key):
            tone = float(sheet[0, 0] * 0.55 + ink * 0.45 + rng.normal(0, 5))
            cv2.rectangle(sheet, (left + 2, top + 2), (left + key - 3, top + key - 3), tone, -1)
            cv2.rectangle(sheet, (left + 2, top + 2), (left + key - 3, top + key - 3), ink, 1)
    return sheet


def _fences(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    step = int(rng.integers(8, 26))
    for x in range(0, 360, step):
        tall = int(rng.integers(10, 40))
        cv2.line(sheet, (x, tall), (x + int(rng.integers(-2, 3)), 360), ink, max(1, step // 3))
    for y in (90, 270):
        cv2.line(sheet, (0, y), (360, y + 8), ink, max(1, step // 3))
    return sheet


def _chain_links(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    step = int(rng.integers(10, 28))
    for x in range(-360, 720, step):
        cv2.line(sheet, (x, 0), (x + 360, 360), ink, 1, cv2.LINE_AA)
        cv2.line(sheet, (x, 0), (x - 360, 360), ink, 1, cv2.LINE_AA)
    return sheet


def _facades(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    wide, tall = int(rng.integers(8, 26)), int(rng.integers(10, 30))
    for top in range(10, 350, tall + int(rng.integers(5, 14))):
        for left in range(10, 350, wide + 7):
            tone = ink + float(rng.uniform(0, 60))
            cv2.rectangle(sheet, (left, top), (left + wide, top + tall), tone, -1)
            if rng.random() < 0.6:
                bar = left + wide // 2
                cv2.line(sheet, (bar, top), (bar, top + tall), float(sheet[0, 0]), 1)
    return sheet


def _foliage(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    for _ in range(int(rng.integers(300, 900))):
        x, y, turn = (int(v) for v in rng.integers(0, 360, 3))
        size = (int(rng.integers(3, 14)), int(rng.integers(1, 5)))
        tone = float(np.clip(ink + rng.normal(0, 40), 0, 255))
        cv2.ellipse(sheet, (x, y), size, turn, 0, 360, tone, -1, cv2.LINE_AA)
    return sheet


def _fabrics(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    y, x = np.mgrid[0:360, 0:360]
    one, two = rng.uniform(3, 12, 2)
    weave = np.sin(2 * np.pi * x / one) * np.sign(np.sin(2 * np.pi * y / two))
    return sheet + (ink - sheet) * (0.5 + 0.5 * weave).astype(np.float32) * 0.7


def _circuits(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    for _ in range(60):
        at = rng.integers(0, 45, 2) * 8
        points = [at.copy()]
        for step in range(int(rng.integers(2, 6))):
            at = at.copy()
            at[step % 2] += int(rng.integers(-9, 10)) * 8
            points.append(at)
        cv2.polylines(sheet, [np.array(points, np.int32)], False, ink, 2)
        cv2.circle(sheet, tuple(int(v) for v in at), 4, ink, 2)
    return sheet


def _rulers(rng: Generator) -> Any:
    sheet, ink = _paper(rng)
    step = float(rng.uniform(4, 9))
    for top in range(20, 340, int(rng.integers(40, 90))):
        for n in range(int(340 / step)):
            tall = 20 if n % 10 == 0 else 13 if n % 5 == 0 else 8
            x = int(10 + n * step)
            cv2.line(sheet, (x, top), (x, top + tall), ink, 1)
    return sheet


_DRAWN: dict[str, Callable[[Generator], Any]] = {
    "barcodes": _barcodes,
    "matrix codes": _matrix_codes,
    "keyboards": _keyboards,
    "fences": _fences,
    "chain links": _chain_links,
    "facades": _facades,
    "foliage": _foliage,
    "fabrics": _fabrics,
    "circuits": _circuits,
    "rulers": _rulers,
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
