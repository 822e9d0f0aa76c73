"""How far the boxes of labels lie from ink: that which Pillow draws, and that which we drew.

    python benchmarks/label_accuracy.py

For every character of many pages, in both languages, all bands and all layouts: Pillow draws it by
itself, in the same face and size, from the same origin (that of its glyph, from the placed line,
rounded to the pixel or quarter pixel grid as the page has it), and the renderer draws its glyphs by
themselves on a blank canvas. Each side of the labelled box is compared with the box around that ink
(coverage of 8 or more of 255).

Characters that share a ligature are compared as one. Glyphs that are not those that the character
map names (vertical forms) have no counterpart in Pillow; they are left out there, and counted.

Hinting moves the edges of small letters by a pixel or two, each manner in its own way; the renderer
hints lightly, which Pillow cannot be told to do. So Pillow draws each glyph at eight times the
size, where hinting hardly shows, and the mean of 8 x 8 px is the ink: that of the outline itself.
The share with Pillow's own drawing at the size, by the fonts' hinting programs and bitmaps, is
reported as well. Writes benchmarks/results/label_accuracy.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections import Counter
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import uharfbuzz
from PIL import Image, ImageDraw, ImageFont

from fonts.faces import Face, discover
from renderers.glyphs.atlas import FAINT, Atlas
from renderers.page.compose import Glyphs, paint_glyphs, place_glyphs
from renderers.page.labels import Labels
from renderers.recipe import Recipe
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from vae_corpus.demo import demo_inputs
from vae_corpus.words import SIZE_BANDS

_SIDE = 512
# A glyph is drawn by itself onto a canvas of so many px, its origin in the middle.
_CANVAS = 160
_CLEAR = 99.0
# How many times as large Pillow draws a glyph for the ink of its outline.
_FINE = 8

Box = tuple[float, float, float, float]


class Found(NamedTuple):
    """A labelled box (of a ligature: the union), and by how many px its worst side is off.

    `pillow` and, with the font's own hinting and bitmaps, `hinted` are None where Pillow cannot
    draw that glyph; `shared` says that it is a ligature.
    """

    characters: int
    shared: bool
    own: float
    pillow: float | None
    hinted: float | None


def measure(recipe: Recipe, labels: Labels) -> Iterator[Found]:
    """Every labelled box of a page, next to the two inks."""
    atlas = Atlas()
    glyphs = place_glyphs(labels.lines, atlas, recipe.phases)
    boxes: list[Box] = list(map(tuple, labels.boxes.tolist()))
    at = start = 0
    for line in labels.lines:
        own_boxes = boxes[start : start + len(line.text)]
        start += len(line.text)
        begins = sorted(set(line.clusters.tolist()))
        ends = [*begins[1:], len(line.text)]
        for begin, end in zip(begins, ends, strict=True):
            own = np.flatnonzero(line.clusters == begin)
            labelled = [box for box in own_boxes[begin:end] if box[0] < box[2]]
            if not labelled:
                continue
            box = _union(labelled)
            drawn = _drawn(glyphs, at + own, atlas)
            text = line.text[begin:end]
            pillow = hinted = None
            if len(own) == 1 and (
                len(text) > 1 or line.glyphs[own[0]] == _nominal(line.face, text)
            ):
                origin = line.x + line.spots[own[0], 0], line.y + line.spots[own[0], 1]
                place = str(line.face.path), line.face.index, line.size_px
                pillow, hinted = (
                    _worst(box, _pillow(*place, text, origin, recipe, fine)) for fine in (_FINE, 1)
                )
            yield Found(len(labelled), len(text) > 1, _worst(box, drawn), pillow, hinted)
        at += len(line.glyphs)


def _union(boxes: list[Box]) -> Box:
    x0, y0, x1, y1 = zip(*boxes, strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def _worst(a: Box, b: Box | None) -> float:
    return _CLEAR if b is None else max(abs(p - q) for p, q in zip(a, b, strict=True))


def _ink(coverage: np.ndarray[Any, Any], left: float, top: float) -> Box | None:
    rows = np.flatnonzero((coverage >= FAINT).any(axis=1))
    columns = np.flatnonzero((coverage >= FAINT).any(axis=0))
    if not len(rows):
        return None
    return (
        left + float(columns[0]),
        top + float(rows[0]),
        left + float(columns[-1]) + 1,
        top + float(rows[-1]) + 1,
    )


def _drawn(page: Glyphs, which: np.ndarray[Any, Any], atlas: Atlas) -> Box | None:
    """The ink of some glyphs of a page, drawn in white on black by the renderer's own blending."""
    left = int(page.x[which[0]]) - _CANVAS // 2
    top = int(page.y[which[0]]) - _CANVAS // 2
    canvas = np.zeros((_CANVAS, _CANVAS, 3), np.uint8)
    rows = np.array([[0, len(which), 0, 0, 0, 0, 0]], np.int32)
    alone = Glyphs(
        rows,
        page.clusters[which],
        page.slot[which],
        page.x[which] - np.int32(left),
        page.y[which] - np.int32(top),
        np.array([[0, 0, _CANVAS, _CANVAS]], np.int32),
    )
    paint_glyphs(canvas, alone, atlas, np.full((1, 3), 255, np.uint8))
    return _ink(canvas[:, :, 0], left, top)


def _pillow(
    path: str,
    index: int,
    size_px: int,
    text: str,
    origin: tuple[float, float],
    recipe: Recipe,
    fine: int,
) -> Box | None:
    """The ink of `text` as Pillow draws it from the pixel (or quarter) at `origin`."""
    steps = recipe.phases
    across, down = np.floor(origin[0] * steps + 0.5) / steps, np.floor(origin[1] + 0.5)
    left, top = int(across), int(down)
    box = _glyph(path, index, size_px, text, float(across) - left, fine)
    return box and (left + box[0], top + box[1], left + box[2], top + box[3])


@lru_cache(maxsize=1 << 17)
def _glyph(
    path: str, index: int, size_px: int, text: str, fraction: float, fine: int
) -> Box | None:
    """The ink of `text` in px from the pixel in which it begins, `fraction` px from its left."""
    side = 4 * size_px * (1 + len(text) // 2)
    page = Image.new("L", (2 * side * fine, side * fine))
    place = (side // 2 + fraction) * fine, side // 2 * fine
    ImageDraw.Draw(page).text(
        place, text, fill=255, font=_font(path, index, size_px * fine), anchor="ls"
    )
    ink = np.asarray(page, dtype=np.float32).reshape(side, fine, 2 * side, fine)
    return _ink(np.rint(ink.mean(axis=(1, 3))), -(side // 2), -(side // 2))


@lru_cache(maxsize=512)
def _font(path: str, index: int, size_px: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, size_px, index=index)


@lru_cache(maxsize=256)
def _shapes(path: str, index: int) -> Any:
    return uharfbuzz.Font(uharfbuzz.Face(uharfbuzz.Blob.from_file_path(path), index))


def _nominal(face: Face, character: str) -> int:
    return int(_shapes(str(face.path), face.index).get_nominal_glyph(ord(character)) or 0)


def summary(found: list[Found]) -> dict[str, float]:
    """Shares of characters whose every side is near enough, of those compared; and the rest."""
    total = sum(f.characters for f in found)
    compared = [f for f in found if f.pillow is not None]
    pillow = sum(f.characters for f in compared)
    alone = [f for f in found if not f.shared]

    def within(good: int, of: int) -> float:
        return round(100 * good / of, 3) if of else 0.0

    return {
        "characters": total,
        "in ligatures, %": within(sum(f.characters for f in found if f.shared), total),
        "not compared with Pillow, %": within(total - pillow, total),
        "within 1 px of Pillow's ink, %": within(
            sum(f.characters for f in compared if f.pillow is not None and f.pillow <= 1), pillow
        ),
        "within 1 px of Pillow's ink hinted by the font, %": within(
            sum(f.characters for f in compared if f.hinted is not None and f.hinted <= 1), pillow
        ),
        "within 0.5 px of own ink, %": within(
            sum(f.characters for f in alone if f.own <= 0.5), sum(f.characters for f in alone)
        ),
        "ligatures as a whole within 0.5 px of own ink, %": within(
            sum(f.characters for f in found if f.shared and f.own <= 0.5),
            sum(f.characters for f in found if f.shared),
        ),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=12, help="of each language and band")
    given = parser.parse_args()
    demo = demo_inputs()
    made = Renderer(
        faces=discover(demo.fonts),
        texts={
            name: TextSource.from_paths(demo.texts[name], language=name) for name in ("en", "zh")
        },
    )
    blank = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    results: dict[str, Any] = {}
    off: Counter[str] = Counter()
    for language in ("en", "zh"):
        for band in SIZE_BANDS:
            found: list[Found] = []
            for number in range(given.pages):
                recipe = made.sample_recipe(
                    np.random.default_rng([number, len(results), int(band.split("-")[0])]),
                    language=language,
                    size_band=band,
                    width=_SIDE,
                    height=_SIDE,
                )
                page = list(measure(recipe, made.paint(recipe, blank)[1]))
                found += page
                name = made._face(recipe.fonts[0]).name
                off[name] += sum(f.characters for f in page if f.pillow and f.pillow > 1)
            results[f"{language} {band} px"] = summary(found)
            print(f"{language} {band}", results[f"{language} {band} px"], flush=True)
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/label_accuracy.py",
        "pages": f"{given.pages} of {_SIDE} x {_SIDE} px for each language and band, all layouts",
        "results": results,
        "more than 1 px off, by body face": dict(off.most_common(8)),
    }
    out = Path(__file__).parent / "results" / "label_accuracy.json"
    out.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
