"""How many characters the edges of tiles cut: laid between the lines of text, and side by side.

    python benchmarks/tile_edges.py

Pages are those of `text_pages.TEST`, English and Chinese, letters of 8 to 20 px; their text layer
says where each character is, the detector where the lines are. Tiles of 256 to 1,024 px in all
shapes of their rungs. Writes benchmarks/results/tile_edges.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import platform
import time
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
from text_pages import TEST, Page, pages

from filters.ocr.rapid import RapidOcrEngine
from filters.text_density import TextDensity
from pipelines.planning.place import line_table
from vae_corpus.tiles import Judged, judge_tiles
from vae_corpus.words import Bucket, buckets

_RESULTS = Path(__file__).parent / "results"
_RUNGS = (256, 512, 1024)
_LEAST_CHARS = 10


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--pages", metavar="N", type=int, default=4, help="of each document")
    given = parser.parse_args(argv)
    cv2.setNumThreads(1)
    density = TextDensity(RapidOcrEngine())
    counts = {(rung, way): np.zeros(4) for rung in _RUNGS for way in ("between", "beside")}
    spent, calls = 0.0, 0
    for page in pages(TEST, given.pages, em_px=(8, 20)):
        height, width = page.rgb.shape[:2]
        lines = line_table(density.score(page.rgb)["text_lines"])
        for rung in _RUNGS:
            for bucket in buckets(rung):
                if bucket.width > width or bucket.height > height:
                    continue
                start = time.process_time()
                between = _tiles(width, height, bucket, lines)
                spent += time.process_time() - start
                calls += 1
                counts[rung, "between"] += _cut(page, between)
                counts[rung, "beside"] += _cut(page, _tiles(width, height, bucket, None))
    result: dict[str, object] = {
        "run": {
            "date": datetime.date.today().isoformat(),
            "device": f"{platform.machine()}, {os.cpu_count()} cores",
            "command": "python tile_edges.py",
        }
    }
    for rung in _RUNGS:
        for way in ("between", "beside"):
            shown, cut, whole, every = counts[rung, way]
            result[f"{rung} {way} lines" if way == "between" else f"{rung} side by side"] = {
                "characters_cut_by_an_edge": round(float(cut / max(1, shown)), 4),
                "of_the_page_whole_in_a_tile": round(float(whole / max(1, every)), 4),
                "shown_per_character": round(float(shown / max(1, every)), 3),
            }
    result["ms_a_page_and_bucket"] = round(spent * 1e3 / max(1, calls), 3)
    print(json.dumps(result, indent=1))
    (_RESULTS / "tile_edges.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    return 0


def _tiles(
    width: int, height: int, bucket: Bucket, lines: np.typing.NDArray[np.float32] | None
) -> list[Judged]:
    return judge_tiles(
        width, height, bucket, lines, min_chars_per_256=_LEAST_CHARS, max_tiles=10_000
    )


def _cut(page: Page, judged: Sequence[Judged]) -> np.typing.NDArray[np.float64]:
    """Characters in tiles, those cut by an edge, those of the page whole in a tile, and all."""
    x0, y0, x1, y1 = page.boxes.T
    whole = np.zeros(len(page.boxes), bool)
    shown = cut = 0
    for tile, slug in judged:
        right, bottom = tile.x + tile.width, tile.y + tile.height
        touches = (x1 > tile.x) & (x0 < right) & (y1 > tile.y) & (y0 < bottom)
        inside = (x0 >= tile.x) & (x1 <= right) & (y0 >= tile.y) & (y1 <= bottom)
        # A tile that was too empty to be kept shows nothing.
        if slug is None and touches.sum() >= _LEAST_CHARS:
            shown += int(touches.sum())
            cut += int((touches & ~inside).sum())
            whole |= inside
    return np.array([shown, cut, whole.sum(), len(whole)], float)


if __name__ == "__main__":
    raise SystemExit(main())
