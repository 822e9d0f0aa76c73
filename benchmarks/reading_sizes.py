"""Which size of the picture OCR reads lines of 8 to 48 px at best: as it is, doubled, or both.

    python benchmarks/reading_sizes.py --lines 480

Lines of real words in nine faces, Chinese and English, any colour that is 40 levels from its
ground, on flat colours and on photographs, in pictures of five shapes. Readings of the same:
`1x` and `2x` (what NED takes); `tall 1x`: lines of 28 px and more that are found at 1x, and of
those at 2x the ones whose middle lies in none of them; `fallback`: 2x, and of 1x the lines of 28 px
and more where 2x finds nothing. The figure is the share of characters that are read, in their
order, and how many lines lose more than half. Writes benchmarks/results/reading_sizes.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rapidfuzz.distance import LCSseq

from filters.ocr.engine import Line
from filters.ocr.lines import reading_order
from filters.ocr.rapid import RapidOcrEngine
from filters.ocr.windowed import OcrOptions
from vae_corpus import debian
from vae_corpus.pictures.decode import Rgb
from vae_corpus.seeds import generator

_RESULTS = Path(__file__).parent / "results" / "reading_sizes.json"
_FACES = {
    "zh": (
        ("fonts-noto-cjk", "NotoSansCJK-Regular.ttc"),
        ("fonts-noto-cjk", "NotoSerifCJK-Regular.ttc"),
        ("fonts-wqy-zenhei", "wqy-zenhei.ttc"),
        ("fonts-lxgw-wenkai", "LXGWWenKai-Regular.ttf"),
        ("fonts-arphic-uming", "uming.ttc"),
    ),
    "en": (
        ("fonts-dejavu-core", "DejaVuSans.ttf"),
        ("fonts-dejavu-core", "DejaVuSerif.ttf"),
        ("fonts-liberation2", "LiberationSans-Regular.ttf"),
        ("fonts-liberation2", "LiberationSerif-Regular.ttf"),
    ),
}
_PHOTOGRAPHS = "plasma-workspace-wallpapers"
_TEXTS = {
    "zh": "人类社会的历史告诉我们科学技术的进步总是与教育的发展紧密联系在一起"
    "每一个时代都有自己的问题需要年轻的学者去回答山川河流记录了地球变化的过程而书籍保存了先人的智慧与经验",
    "en": "the history of science shows that every age asks new questions and finds that old"
    " answers must be tested again with better tools while rivers and mountains keep the record",
}
_SIZES_PX = (8, 10, 12, 16, 20, 26, 32, 40, 48)
_SHAPES = ((256, 256), (256, 64), (512, 128), (160, 160), (320, 56))
_CHARS = (2, 4, 8, 16, 30)
_TALL_PX = 28
_LEAST_LEVELS = 40


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--lines", type=int, default=480)
    parser.add_argument("--cache", type=Path, help="folder of the packages")
    parser.add_argument("--out", type=Path, default=_RESULTS, help="JSON file of the results")
    given = parser.parse_args(argv)
    names = {package for faces in _FACES.values() for package, _ in faces} | {_PHOTOGRAPHS}
    folders = debian.fetch(sorted(names), given.cache)
    photographs = [
        np.asarray(Image.open(path).convert("RGB").resize((1600, 900)))
        for path in sorted(folders[_PHOTOGRAPHS].rglob("1920x1080.*"))
    ]
    engines = {scale: RapidOcrEngine(OcrOptions(read_scale=scale)) for scale in (1.0, 2.0)}
    shares: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    seconds = dict.fromkeys(engines, 0.0)
    for number in range(given.lines):
        language, size, ground, rgb, text = _drawn(number, folders, photographs)
        lines = {}
        for scale, engine in engines.items():
            begun = time.process_time()
            lines[scale] = engine.read(rgb)
            seconds[scale] += time.process_time() - begun
        for name, said in _readings(lines[1.0], lines[2.0]).items():
            share = LCSseq.similarity(_bare(text), _bare(said)) / len(_bare(text))
            for group in ("all", language, ground, f"{size} px"):
                shares[group][name].append(share)
    facts = {
        "command": f"python benchmarks/reading_sizes.py --lines {given.lines}",
        "date": datetime.date.today().isoformat(),
        "engine": engines[2.0].engine_id,
        "photographs": len(photographs),
        "cpu_ms per line at 1x, at 2x": [round(1e3 * s / given.lines) for s in seconds.values()],
        "share of characters, lines that lose more than half, lines": {
            group: {
                name: [round(float(np.mean(v)), 4), sum(x < 0.5 for x in v), len(v)]
                for name, v in by_name.items()
            }
            for group, by_name in shares.items()
        },
    }
    given.out.write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n")
    print(json.dumps(facts, indent=1, ensure_ascii=False))
    return 0


def _drawn(
    number: int, folders: dict[str, Path], photographs: Sequence[Rgb]
) -> tuple[str, int, str, Rgb, str]:
    """Language, size, ground, pixels and text of a line; sizes and languages in turn."""
    rng = generator(0, "line", number)
    size = _SIZES_PX[number % len(_SIZES_PX)]
    language = ("zh", "en")[number // len(_SIZES_PX) % 2]
    width, height = _SHAPES[rng.integers(len(_SHAPES))]
    ground = ("flat", "photograph")[rng.integers(2)]
    if ground == "flat":
        rgb = np.full((height, width, 3), rng.integers(0, 256, 3), np.uint8)
    else:
        photograph = photographs[rng.integers(len(photographs))]
        y, x = rng.integers(0, 900 - height), rng.integers(0, 1600 - width)
        rgb = photograph[y : y + height, x : x + width].copy()
    package, name = _FACES[language][rng.integers(len(_FACES[language]))]
    font = ImageFont.truetype(str(next(folders[package].rglob(name))), size)
    image = Image.fromarray(rgb)
    draw = ImageDraw.Draw(image)
    count = int(rng.choice(_CHARS))
    start = int(rng.integers(0, len(_TEXTS[language]) - max(_CHARS)))
    text = _TEXTS[language][start : start + count].strip()
    while draw.textlength(text, font=font) > width - 8:
        text = text[:-1]
    x = int(rng.integers(4, max(5, width - draw.textlength(text, font=font) - 4)))
    y = int(rng.integers(0, max(1, height - 1.3 * size)))
    draw.text((x, y), text, font=font, fill=_colour(rgb, rng))
    return language, size, ground, np.asarray(image), text


def _colour(rgb: Rgb, rng: np.random.Generator) -> tuple[int, int, int]:
    mean = float(rgb.mean())
    while True:
        colour: NDArray[np.int64] = rng.integers(0, 256, 3)
        if abs(float(colour.mean()) - mean) > _LEAST_LEVELS:
            return int(colour[0]), int(colour[1]), int(colour[2])


def _readings(at_1: Sequence[Line], at_2: Sequence[Line]) -> dict[str, str]:
    tall = [line for line in at_1 if _height(line) >= _TALL_PX]
    rest = [line for line in at_2 if not any(_in(line, other) for other in tall)]
    missed = [line for line in tall if not any(_in(o, line) or _in(line, o) for o in at_2)]
    return {
        "1x": _text(at_1),
        "2x": _text(at_2),
        "tall 1x": _text([*tall, *rest]),
        "fallback": _text([*at_2, *missed]),
    }


def _height(line: Line) -> float:
    sides = np.linalg.norm(line.polygon - np.roll(line.polygon, -1, axis=0), axis=1)
    return float(sides.min())


def _in(line: Line, other: Line) -> bool:
    """Whether the middle of a line lies in another one."""
    x, y = (float(v) for v in line.polygon.mean(axis=0))
    return cv2.pointPolygonTest(other.polygon.reshape(-1, 1, 2), (x, y), False) >= 0


def _text(lines: Sequence[Line]) -> str:
    places = np.array([line.polygon for line in lines], np.float32).reshape(-1, 4, 2)
    return "".join(lines[i].text for i in reading_order(places))


def _bare(text: Any) -> str:
    return "".join(str(text).split())


if __name__ == "__main__":
    raise SystemExit(main())
