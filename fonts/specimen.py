"""A specimen sheet: a row for each face, the same words at 6, 8, 12 and 20 px, at their true size.

Drawn as the renderer draws: shaped by HarfBuzz, light hinting, whole-pixel advances.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from fonts.faces import Face, missing

SIZES = (6, 8, 12, 20)
ENGLISH, CHINESE = "Hamburgefonstiv & 1,047%", "永和九年，岁在癸丑，暮春之初"
_MARGIN, _NAME_PX, _NAME_WIDTH = 12, 12, 300

Coverage = npt.NDArray[np.uint8]


def sheet(faces: Sequence[Face]) -> Coverage:
    """Grey `uint8[H, W]`, black on white. ValueError when there is no face to show."""
    if not faces:
        raise ValueError("a specimen sheet needs at least one face")
    writer = next((face for face in faces if "en" in face.languages), faces[0])
    head = ("", *(f"{size} px" for size in SIZES))
    rows = [[line(writer, words, _NAME_PX) for words in head]]
    for face in faces:
        words = "  ".join(
            part
            for part in (ENGLISH, CHINESE)
            if face.covers(part) and (part != CHINESE or "zh" in face.languages)
        )
        # A face for symbols or another script shows the first characters that it has.
        words = words or _first_characters(face, 24)
        named = [(writer, face.name, _NAME_PX), *((face, words, size) for size in SIZES)]
        rows.append([line(*each) for each in named])
    widths = [_NAME_WIDTH, *(max(row[i].shape[1] for row in rows) for i in range(1, 5))]
    lefts = np.cumsum([_MARGIN, *(width + 2 * _MARGIN for width in widths)])
    height = 2 * max(SIZES)
    ink = np.zeros((len(rows) * height + 2 * _MARGIN, int(lefts[-1])), dtype=np.uint8)
    for number, row in enumerate(rows):
        baseline = _MARGIN + number * height + _baseline(max(SIZES))
        for left, width, piece in zip(lefts, widths, row, strict=False):
            y, shown = baseline - _baseline(piece.shape[0] // 2), piece[:, :width]
            ink[y : y + piece.shape[0], left : left + shown.shape[1]] = shown
    return 255 - ink


def line(face: Face, text: str, size_px: int) -> Coverage:
    """One line of coverage, `uint8[2 * size_px, W]`, with its baseline at 1.4 em from the top."""
    try:
        import freetype
        import uharfbuzz
    except ImportError as error:
        raise missing(error) from None
    buffer = uharfbuzz.Buffer()
    buffer.add_str("".join(c for c in text if face.covers(c)))
    buffer.guess_segment_properties()
    buffer.language = "zh-hans" if "zh" in face.languages else "en"
    opened = uharfbuzz.Face(uharfbuzz.Blob.from_file_path(str(face.path)), face.index)
    uharfbuzz.shape(uharfbuzz.Font(opened), buffer, {})
    drawer = freetype.Face(str(face.path), face.index)
    drawer.set_pixel_sizes(0, size_px)
    scale = size_px / opened.upem
    places = buffer.glyph_positions or ()
    advances = [round(place.x_advance * scale) for place in places]
    ink = np.zeros((2 * size_px, sum(advances) + 2 * size_px), dtype=np.uint8)
    pen = 0
    for info, place, advance in zip(buffer.glyph_infos, places, advances, strict=True):
        flags = freetype.FT_LOAD_RENDER | freetype.FT_LOAD_TARGET_LIGHT | freetype.FT_LOAD_NO_BITMAP
        drawer.load_glyph(info.codepoint, flags)
        x = pen + round(place.x_offset * scale) + drawer.glyph.bitmap_left
        y = _baseline(size_px) - round(place.y_offset * scale) - drawer.glyph.bitmap_top
        _add(ink, drawer.glyph.bitmap, x, y)
        pen += advance
    return ink


def _baseline(size_px: int) -> int:
    return round(1.4 * size_px)


def _add(ink: Coverage, bitmap: Any, x: int, y: int) -> None:
    if not bitmap.rows or not bitmap.width:
        return
    drawn = np.array(bitmap.buffer, dtype=np.uint8).reshape(bitmap.rows, bitmap.pitch)
    # What reaches beyond the line (a swash, a deep ornament) is cut.
    top, left = max(0, -y), max(0, -x)
    drawn = drawn[top : ink.shape[0] - y, left : min(bitmap.width, ink.shape[1] - x)]
    y, x = y + top, x + left
    part = ink[y : y + drawn.shape[0], x : x + drawn.shape[1]]
    part[:] = np.maximum(part, drawn)


def _first_characters(face: Face, count: int) -> str:
    points = (p for first, last in face.coverage.ranges for p in range(first, last + 1))
    shown = (chr(point) for point in points)
    return "".join(character for character, _ in zip(shown, range(count), strict=False))
