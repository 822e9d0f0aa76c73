"""A font built in code: every character is a frame of its own width, so that shapes differ."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont
from fontTools.ttLib.tables.TupleVariation import TupleVariation

from fonts.charsets import ASCII_PRINTABLE, CHINESE_PUNCTUATION, GB2312_LEVEL_1

EM = 1000
CHINESE = GB2312_LEVEL_1 + CHINESE_PUNCTUATION


def _frame(left: int, bottom: int, right: int, top: int) -> Any:
    pen = TTGlyphPen(None)
    stroke = 90
    for inset in (0, stroke):
        a, b, c, d = left + inset, bottom + inset, right - inset, top - inset
        points = [(a, b), (a, d), (c, d), (c, b)]
        pen.moveTo(points[0])
        # The inner contour runs the other way round, so that the frame is hollow.
        for point in points[1:] if not inset else reversed(points[1:]):
            pen.lineTo(point)
        pen.closePath()
    return pen.glyph()


def write_font(
    path: Path,
    characters: str = ASCII_PRINTABLE,
    *,
    family: str = "Tiny",
    blank: Iterable[str] = (),
    tofu: Iterable[str] = (),
    fs_type: int = 0,
    weight: int = 400,
) -> Path:
    """Write a TrueType font with `characters`; those in `blank` and `tofu` have no real glyph."""
    blank, tofu = set(blank), set(tofu)
    letters = dict.fromkeys([*characters, *blank, *tofu])
    notdef = _frame(50, 0, 450, 700)
    glyphs = {".notdef": notdef, "space": TTGlyphPen(None).glyph()}
    metrics = {".notdef": (500, 50), "space": (300, 0)}
    cmap = {0x20: "space"}
    for number, letter in enumerate(letters):
        name = f"g{number}"
        wide = ord(letter) > 0x2000
        advance = EM if wide else 420 + (number * 37) % 260
        if letter in blank:
            glyph = TTGlyphPen(None).glyph()
        elif letter in tofu:
            glyph = notdef
        else:
            glyph = _frame(60, -150 if number % 5 == 0 else 0, advance - 60, 500 + number % 250)
        glyphs[name], metrics[name] = glyph, (advance, 60)
        cmap[ord(letter)] = name
    builder = FontBuilder(EM, isTTF=True)
    builder.setupGlyphOrder(list(glyphs))
    builder.setupCharacterMap(cmap)
    builder.setupGlyf(glyphs)
    builder.setupHorizontalMetrics(metrics)
    builder.setupHorizontalHeader(ascent=850, descent=-150)
    licence = "This font is licensed under the SIL Open Font License, Version 1.1"
    builder.setupNameTable(
        {
            "familyName": family,
            "styleName": "Regular",
            "licenseDescription": licence,
            # typst passes over fonts that have none.
            "psName": f"{family}-Regular",
        }
    )
    builder.setupOS2(fsType=fs_type, usWeightClass=weight)
    builder.setupPost()
    builder.save(path)
    return path


def write_variable_font(path: Path, characters: str = ASCII_PRINTABLE) -> Path:
    """A font with instances "Regular" and "Bold" (number 1 and 2): bold frames are 200 wider."""
    write_font(path, characters, family="Vary")
    font = TTFont(path)
    builder = FontBuilder(font=font)
    builder.setupFvar(
        [("wght", 400, 400, 700, "Weight")],
        [
            {"location": {"wght": 400}, "stylename": "Regular"},
            {"location": {"wght": 700}, "stylename": "Bold"},
        ],
    )
    wider = {}
    for name in font.getGlyphOrder():
        corners = font["glyf"][name].coordinates if name not in (".notdef", "space") else ()
        if corners:
            middle = sum(x for x, _ in corners) / len(corners)
            # After the corners come four phantom points; the second is the end of the advance.
            moves = [(200 if x > middle else 0, 0) for x, _ in corners]
            deltas = [*moves, (0, 0), (200, 0), (0, 0), (0, 0)]
            wider[name] = [TupleVariation({"wght": (0, 1, 1)}, deltas)]
    builder.setupGvar(wider)
    builder.save(path)
    return path
