"""That no placeholder is drawn: over 100,000 characters with every face, looked at one by one.

    python benchmarks/no_tofu.py

Every face that the renderer would use, of the demo's fonts and of some fonts of small or partial
coverage, draws pages alone: prose, characters drawn evenly from GB2312, traditional and rare ones
(the block of unified Han and its extensions A and B) and Chinese mixed with English, until its
share is drawn. The check is not the renderer's own: fontTools reads the character map and the
outlines. A glyph is wrong when it is number 0, when its outline is that of `.notdef` wherever it
stands, when it has none although its character is not white, or when the character map has another
one for a character that stands for itself and no substitution table of the font explains it.
Texts that the face does not cover are skipped; they are counted. Ends with 1 if any glyph is wrong.
Writes benchmarks/results/no_tofu.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import sys
import unicodedata
from collections import Counter
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from fontTools.pens.recordingPen import DecomposingRecordingPen
from fontTools.ttLib import TTFont

from fonts.charsets import GB2312_LEVEL_1, GB2312_LEVEL_2
from fonts.faces import Face, discover, writing
from renderers.page.labels import Labels
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from vae_corpus import debian
from vae_corpus.demo import demo_inputs

_PACKAGES = (
    "fonts-arphic-gbsn00lp",
    "fonts-arphic-ukai",
    "fonts-arphic-uming",
    "fonts-arphic-bsmi00lp",
    "fonts-lxgw-wenkai",
    "fonts-cantarell",
)
_TRADITIONAL = (
    "憂鬱的臺灣烏龜，驚覺廳堂裡的鑰匙與鐘錶都還沒歸還。",
    "國語辭典收錄繁體漢字，讀者須依筆畫檢索。",
)
_BLOCKS = {"unified": (0x4E00, 0x9FA6), "A": (0x3400, 0x4DB6), "B": (0x20000, 0x2A6D7)}
_SIDE = 512


class Glyphs:
    """What fontTools says of one face: its character map, and which of its glyphs are good."""

    def __init__(self, path: Path, index: int) -> None:
        self._font = TTFont(BytesIO(path.read_bytes()), fontNumber=index, lazy=True)
        self.cmap = self._font.getBestCmap()
        self._order = self._font.getGlyphOrder()
        self._set = self._font.getGlyphSet()
        self.substitutes = "GSUB" in self._font
        self._missing = self.outline(0)

    def name(self, glyph: int) -> str:
        return str(self._order[glyph])

    def outline(self, glyph: int) -> tuple[Any, ...]:
        """Its steps, moved so that its lowest left corner lies at the origin; () when blank."""
        pen = DecomposingRecordingPen(self._set)
        self._set[self._order[glyph]].draw(pen)
        points = [point for _, args in pen.value for point in args if point]
        if not points:
            return ()
        left, low = min(x for x, _ in points), min(y for _, y in points)
        return tuple(
            (step, tuple((round(p[0] - left), round(p[1] - low)) if p else None for p in args))
            for step, args in pen.value
        )

    def fault(self, glyph: int, text: str) -> str | None:
        """What is wrong with a glyph that stands for `text`, if anything."""
        if glyph == 0:
            return "number 0"
        outline = self.outline(glyph)
        if not outline:
            blank = all(unicodedata.category(c) in ("Zs", "Cf") for c in text)
            return None if blank else "blank"
        if self._missing and outline == self._missing:
            return "the outline of .notdef"
        if len(text) == 1 and self.name(glyph) != self.cmap.get(ord(text)) and not self.substitutes:
            return "not the glyph of the character map"
        return None


def faults(labels: Labels, known: dict[tuple[str, int, str], str | None]) -> Counter[str]:
    """Wrong glyphs of a page, by what is wrong; `known` keeps what was looked at before."""
    wrong: Counter[str] = Counter()
    for line in labels.lines:
        face, clusters = line.face, line.clusters.tolist()
        begins = sorted(set(clusters))
        ends = dict(zip(begins, [*begins[1:], len(line.text)], strict=True))
        for glyph, begin in zip(line.glyphs.tolist(), clusters, strict=True):
            text = line.text[begin : ends[begin]]
            at = (face.key, glyph, text)
            if at not in known:
                known[at] = glyphs_of(face).fault(glyph, text)
            if (what := known[at]) is not None:
                wrong[f"{face.name}: {text!r}: {what}"] += 1
    return wrong


@lru_cache(maxsize=2)
def _opened(path: Path, index: int) -> Glyphs:
    return Glyphs(path, index)


def glyphs_of(face: Face) -> Glyphs:
    return _opened(face.path, face.index)


def hard_texts(rng: np.random.Generator, count: int) -> list[str]:
    """Short texts of traditional and rare characters, each from one block or level."""
    texts = list(_TRADITIONAL)
    pools = [GB2312_LEVEL_1, GB2312_LEVEL_2]
    pools += ["".join(map(chr, range(*block))) for block in _BLOCKS.values()]
    for number in range(count):
        pool = pools[number % len(pools)]
        length = int(rng.integers(3, 12))
        texts.append("".join(pool[i] for i in rng.integers(len(pool), size=length)))
    return texts


def draw_with(
    face: Face, texts: dict[str, TextSource], wanted: int, seed: int
) -> tuple[int, int, set[str], Counter[str]]:
    """Characters, skipped texts, distinct characters and wrong glyphs of pages in one face."""
    made = Renderer(faces=[face], texts=texts)
    blank = np.full((_SIDE, _SIDE, 3), 255, np.uint8)
    languages = [
        name
        for name, needed in (("zh", {"zh"}), ("mixed", {"zh", "en"}), ("en", {"en"}))
        if writing([face], name) and needed <= set(texts)
    ]
    known: dict[tuple[str, int, str], str | None] = {}
    count = skipped = page = 0
    seen: set[str] = set()
    wrong: Counter[str] = Counter()
    while count < wanted:
        recipe = made.sample_recipe(
            np.random.default_rng([seed, page]),
            language=languages[page % len(languages)],
            size_band="5-8",
            width=_SIDE,
            height=_SIDE,
        )
        labels = made.paint(recipe, blank)[1]
        page += 1
        count += labels.inked()
        skipped += recipe.skipped_texts
        seen.update(*(line.text for line in labels.lines))
        wrong += faults(labels, known)
    return count, skipped, seen, wrong


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--characters", type=int, default=120_000, help="over all faces")
    given = parser.parse_args()
    demo = demo_inputs()
    extra = debian.fetch(_PACKAGES)
    faces = discover([*demo.fonts, *(folder / "usr/share/fonts" for folder in extra.values())])
    usable = [f for f in faces if writing([f], "en") or writing([f], "zh")]
    rng = np.random.default_rng(0)
    prose = TextSource.from_paths(demo.texts["zh"], language="zh").paragraphs
    chosen = [prose[i] for i in rng.integers(len(prose), size=600)]
    texts = {
        "en": TextSource.from_paths(demo.texts["en"], language="en"),
        "zh": TextSource("zh", (*chosen, *hard_texts(rng, 600))),
    }
    each = -(-given.characters // len(usable))
    count = skipped = 0
    seen: set[str] = set()
    wrong: Counter[str] = Counter()
    for number, face in enumerate(usable):
        done = draw_with(face, texts, each, number)
        count, skipped = count + done[0], skipped + done[1]
        seen |= done[2]
        wrong += done[3]
        print(f"{face.name:<34} {done[0]:>6} characters, {done[1]:>5} texts skipped", flush=True)
    rare = sum(not ("\u4e00" <= c <= "\u9fa5") and ord(c) >= 0x3400 for c in seen)
    print(f"{count:,} characters, {len(seen):,} distinct, {sum(wrong.values())} wrong")
    for what, times in wrong.most_common(20):
        print(f"  {times:>5} x {what}")
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/no_tofu.py",
        "faces": len(usable),
        "faces that write no language and are not used": len(faces) - len(usable),
        "characters": count,
        "distinct": len(seen),
        "distinct beyond the first block of Han": rare,
        "texts skipped": skipped,
        "wrong glyphs": sum(wrong.values()),
    }
    out = Path(__file__).parent / "results" / "no_tofu.json"
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
