"""What share of rendered characters an OCR engine reads back: by em, language and hinting.

    python benchmarks/legibility.py

Paragraphs in drawn faces on real photographs, no plate and no wash, with a WCAG contrast of 4.5 or
more against what lies under each line. rapidocr finds and reads them at twice their size. A line
counts with the longest common subsequence of its characters (spaces left out) and those read in its
place. Light hinting, which the renderer uses, at every size; no hinting, FreeType's full automatic
hinting and the fonts' own programs at some sizes. Writes results/legibility.json and .png.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import LCSseq

from filters.ocr.rapid import RapidOcrEngine
from fonts.faces import discover
from renderers.glyphs import rasterise
from renderers.page.backgrounds import Backgrounds
from renderers.page.labels import Labels
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from vae_corpus.demo import demo_inputs
from vae_corpus.seeds import generator

_NO_BITMAP = 1 << 3
# FT_LOAD_TARGET_LIGHT, FT_LOAD_NO_HINTING, FT_LOAD_FORCE_AUTOHINT, FT_LOAD_NO_AUTOHINT.
_HINTING = {
    "light": 1 << 16 | _NO_BITMAP,
    "none": 1 << 1 | _NO_BITMAP,
    "full automatic": 1 << 5 | _NO_BITMAP,
    "the font's own": 1 << 15 | _NO_BITMAP,
}
_SIZES = (5, 6, 7, 8, 9, 10, 11, 12, 14, 16, 18, 20)
_OTHER_SIZES = (6, 8, 10, 14)
_LEAST_CONTRAST = 4.5
# The page in em: some 600 English or 280 Chinese characters.
_WIDE, _HIGH = 24, 12


def read_share(
    made: Renderer,
    engine: RapidOcrEngine,
    pictures: Backgrounds,
    language: str,
    em: int,
    pages: int,
) -> tuple[int, int]:
    """Characters read, and characters shown."""
    read = shown = 0
    for number in range(pages):
        rng = generator(0, "legibility", language, em, number)
        recipe = made.sample_recipe(
            rng,
            language=language,
            size_band=f"{em}-{em}",
            width=_WIDE * em,
            height=_HIGH * em,
            layout="paragraph",
        )
        recipe = replace(
            recipe, contrast=(_LEAST_CONTRAST, 2 * _LEAST_CONTRAST), wash=0.0, plate=0.0
        )
        _, background = pictures.sample(rng, recipe.width, recipe.height)
        page, labels = made.paint(recipe, background)
        for said, found in matched(labels, engine, page):
            shown += len(said)
            read += LCSseq.similarity(said, found)
    return read, shown


def matched(
    labels: Labels, engine: RapidOcrEngine, page: np.ndarray[Any, Any]
) -> Iterator[tuple[str, str]]:
    """For each line of enough contrast, its characters and those that were read in its place."""
    lines = engine.read(page)
    places = [(line.polygon.mean(axis=0), line) for line in lines]
    for line in labels.to_dict()["lines"]:
        if line["contrast"] < _LEAST_CONTRAST:
            continue
        _, top, _, bottom = line["box"]
        own = sorted((p[0], found.text) for p, found in places if top <= p[1] < bottom)
        said = "".join(line["text"].split())
        yield said, "".join("".join(text.split()) for _, text in own)


def plot(curves: dict[str, dict[str, dict[int, float]]], out: Path) -> None:
    """One panel for each language: em in px across, per cent read upwards."""
    width, height, left, top = 420, 300, 48, 30
    picture = Image.new("RGB", (2 * (width + left) + 20, height + 2 * top + 16), "white")
    draw, font = ImageDraw.Draw(picture), ImageFont.load_default(12)
    colours = dict(zip(_HINTING, ("#0b5fa5", "#c1440e", "#3b8132", "#8a5aa8"), strict=True))
    for panel, (language, by_hinting) in enumerate(curves.items()):
        x0 = left + panel * (width + left)

        def place(em: int, share: float, x0: int = x0) -> tuple[float, float]:
            return x0 + (em - 5) / 15 * (width - 20), top + height * (1 - share / 100)

        for share in range(0, 101, 20):
            draw.line([place(5, share), place(20, share)], "#b03030" if share == 80 else "#dddddd")
            draw.text((x0 - 30, place(5, share)[1] - 7), f"{share} %", "black", font)
        for em in range(5, 21):
            draw.text((place(em, 0)[0] - 5, top + height + 4), str(em), "black", font)
        draw.text((x0, 6), f"{language}: characters read, by em in px", "black", font)
        for row, (name, curve) in enumerate(by_hinting.items()):
            points = [place(em, share) for em, share in sorted(curve.items())]
            draw.line(points, colours[name], 2)
            for x, y in points:
                draw.ellipse([x - 3, y - 3, x + 3, y + 3], colours[name])
            draw.text((x0 + 250, top + height - 80 + 16 * row), name, colours[name], font)
    picture.save(out)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pages", type=int, default=10, help="of each size, language and hinting")
    given = parser.parse_args()
    cv2.setNumThreads(1)
    demo, engine = demo_inputs(), RapidOcrEngine()
    faces, pictures = discover(demo.fonts), Backgrounds(demo.photos)
    texts = {n: TextSource.from_paths(demo.texts[n], language=n) for n in ("en", "zh")}
    curves: dict[str, dict[str, dict[int, float]]] = {}
    at_12_to_20 = {}
    for language in ("en", "zh"):
        curves[language] = {}
        for hinting, flags in _HINTING.items():
            # The renderer has light hinting only; a new one rasterises everything afresh.
            rasterise._LOAD = flags
            made = Renderer(faces=faces, texts=texts)
            curve = curves[language][hinting] = {}
            counts = {}
            for em in _SIZES if hinting == "light" else _OTHER_SIZES:
                counts[em] = read_share(made, engine, pictures, language, em, given.pages)
                curve[em] = round(100 * counts[em][0] / counts[em][1], 1)
                print(f"{language} {hinting:<15} {em:>2} px {curve[em]:>5.1f} % of {counts[em][1]}")
                sys.stdout.flush()
            if hinting == "light":
                large = [count for em, count in counts.items() if em >= 12]
                read, shown = (sum(values) for values in zip(*large, strict=True))
                at_12_to_20[language] = {"shown": shown, "read, %": round(100 * read / shown, 1)}
                print(f"{language} 12-20 px: {100 * read / shown:.1f} % of {shown}")
    out = Path(__file__).parent / "results" / "legibility.json"
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/legibility.py",
        "engine": engine.engine_id,
        "pages": f"{given.pages} of {_WIDE} x {_HIGH} em for each size, language and hinting; "
        f"contrast of {_LEAST_CONTRAST} or more; photographs, no plate, no wash",
        "12-20 px, light hinting": at_12_to_20,
        "characters read, %, by em px": curves,
    }
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    plot(curves, out.with_suffix(".png"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
