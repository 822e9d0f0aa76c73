"""How well and how cheaply text density ranks pictures, against reading all of them.

    python benchmarks/clarity_pictures.py --out DIR
    python benchmarks/text_density.py --photographs DIR/test
    python benchmarks/text_density.py --photographs DIR/confirm --confirm

Pages come from PDFs that nothing was fitted on, in English and Chinese, letters of 6 to 20 px;
their text layer is the truth. Peers see the same pixels: rapidocr called as its manual says, on one
thread, tesseract (when installed; eng+chi_sim), and PaddleOCR on the same models (when
VAE_CORPUS_PADDLE_PYTHON is set). Costs are CPU time, medians, ours and theirs in turn. Writes
benchmarks/results/text_density.json; with --confirm, which looks at other documents and
photographs and measures no costs, text_density_confirm.json.
"""

from __future__ import annotations

import argparse
import datetime
import json
import logging
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from itertools import zip_longest
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import psutil
from numpy.typing import NDArray
from text_pages import CONFIRM, TEST, Tile, composite, pages, photographs, tiles

from filters.ocr.engine import OcrEngine
from filters.ocr.export_models import export
from filters.ocr.paddle import PYTHON_VARIABLE
from filters.ocr.rapid import RapidOcrEngine
from filters.text_density import TextDensity
from vae_corpus.pictures.decode import Rgb

_RESULTS = Path(__file__).parent / "results"
_PHOTOS = ("palapeli", "kphotoalbum", "tuxpaint", "hugin")
_CONFIRM_PHOTOS = ("afterstep", "extremetuxracer", "imagemagick", "libirrlicht")
# Screens of programs among them, full of text.
_SCREENS = (
    "*Celeste*",
    "*magic*",
    "*forme*",
    "*ouvrir*",
    "*ligne*",
    "*outil*",
    "*fenetre*",
    "*lettre*",
    # Of the second set.
    "*shot.jpg",
    "*screenshot*",
    "*configure*",
    "*examples*",
    "*anatomy*",
    "*preview*",
)
_DENSE_CHARS = 200
_SIDES_PX = (256, 512, 1024)
_CROPS = 24


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", metavar="DIR", type=Path, required=True)
    parser.add_argument("--pages", metavar="N", type=int, default=12, help="of each document")
    parser.add_argument("--memory", metavar="N", type=int, default=5000, help="images scored")
    parser.add_argument(
        "--parts", metavar="NAME", nargs="+", help="measure these anew, keep others"
    )
    parser.add_argument("--confirm", action="store_true", help="the second set, quality only")
    given = parser.parse_args(argv)
    cv2.setNumThreads(1)
    every = sorted(given.photographs.glob("photo-*"))
    packages = _CONFIRM_PHOTOS if given.confirm else _PHOTOS
    folders = [folder for folder in every if folder.name[6:].startswith(packages)]
    photos = [photo for folder in folders for photo in photographs(folder, _SCREENS)]
    documents = CONFIRM if given.confirm else TEST
    cuts = [t for page in pages(documents, given.pages) for t in tiles(page, _SIDES_PX, 1)]
    density, naive = TextDensity(RapidOcrEngine()), _naive()
    density.score(photos[0])
    measures: dict[str, Callable[[], Any]] = {
        "ranking": lambda: _ranking(density, cuts),
        "cascade": lambda: _cascade(density, cuts, photos),
        "photographs": lambda: _photographs(density, photos),
        "reading": lambda: _reading(density, naive, cuts),
    }
    if not given.confirm:
        measures["cost"] = lambda: _cost(density, naive, cuts, photos)
        if os.environ.get(PYTHON_VARIABLE):
            measures["paddleocr"] = lambda: _agreement(density.engine, documents)
        measures["resident_mb"] = lambda: _memory(cuts, photos, given.memory)
    if unknown := set(given.parts or ()) - set(measures):
        parser.error(f"no such parts: {sorted(unknown)}; there are {list(measures)}")
    path = _RESULTS / f"text_density{'_confirm' if given.confirm else ''}.json"
    result = _earlier(path, density.version) if given.parts else {}
    run = {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "command": "python " + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
    }
    for name in given.parts or measures:
        result[name] = measures[name]() | {"run": run}
        print(name, json.dumps(result[name], indent=1), flush=True)
    head = {"engine": density.version}
    _RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(head | result, indent=1) + "\n", encoding="utf-8")
    return 0


def _earlier(path: Path, version: str) -> dict[str, Any]:
    """What was measured before with the same code, weights and engine; nothing if they differ."""
    kept: dict[str, Any] = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return kept if kept.get("engine") == version else {}


def _naive() -> Callable[[Rgb], str]:
    """rapidocr as its manual calls it, on one thread, lines joined."""
    from rapidocr import RapidOCR

    logging.getLogger("RapidOCR").setLevel(logging.WARNING)
    threads = {
        "EngineConfig.onnxruntime.intra_op_num_threads": 1,
        "EngineConfig.onnxruntime.inter_op_num_threads": 1,
    }
    engine = RapidOCR(params=threads)

    def read(rgb: Rgb) -> str:
        found = engine(np.ascontiguousarray(rgb[:, :, ::-1]))
        return "".join(found.txts or ())

    return read


def _ranking(density: TextDensity, cuts: Sequence[Tile]) -> dict[str, Any]:
    """Spearman of estimated and true characters per area, and how far the estimate is off."""
    rows = [(t, int(t.inside.sum()), density.score(t.rgb)) for t in cuts]
    rows = [row for row in rows if row[1] >= 10]
    area = np.array([t.side**2 for t, _, _ in rows])
    truth = np.array([n for _, n, _ in rows]) / area
    found = np.array([s["chars_est"] for _, _, s in rows]) / area
    scripts = np.array([t.page.script for t, _, _ in rows])
    sides = np.array([t.side for t, _, _ in rows])

    def of(chosen: NDArray[np.bool_]) -> dict[str, Any]:
        ratio = np.quantile(found[chosen] / truth[chosen], (0.1, 0.5, 0.9))
        return {
            "tiles": int(chosen.sum()),
            "spearman": round(_spearman(truth[chosen], found[chosen]), 4),
            "estimate_over_truth_p10_p50_p90": [round(float(r), 3) for r in ratio],
        }

    named = [
        s["script"] == ("han" if t.han_share > 0.85 else "latin" if t.han_share < 0.15 else "mixed")
        for t, _, s in rows
    ]
    ems = [abs(np.log(max(s["glyph_px_p50"], 1) / t.page.em_px)) for t, _, s in rows]
    return {
        "all": of(scripts != ""),
        **{script: of(scripts == script) for script in ("latin", "han")},
        **{str(side): of(sides == side) for side in _SIDES_PX},
        "script_named_rightly": round(float(np.mean(named)), 3),
        "em_error_p50": round(float(np.exp(np.median(ems)) - 1), 3),
    }


def _spearman(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    ranks = [np.argsort(np.argsort(values)) for values in (one, other)]
    return float(np.corrcoef(ranks[0], ranks[1])[0, 1])


def _cascade(
    density: TextDensity, cuts: Sequence[Tile], photos: Sequence[Rgb]
) -> dict[str, float | int]:
    """Tiles of 256 px with 100 characters and more that reach the detector, and how many of them
    have half of their characters counted there.
    """
    rng = np.random.default_rng(0)
    dense = [t for t in cuts if t.side == 256 and t.inside.sum() >= _DENSE_CHARS / 2]
    over = [
        composite(t.rgb, photos[rng.integers(len(photos))], rng) for t in dense for _ in range(2)
    ]
    pages_found = [density.score(t.rgb) for t in dense]
    over_found = [density.score(rgb) for rgb in over]
    truth = np.repeat([t.inside.sum() for t in dense], 2)
    estimated = np.array([s["chars_est"] for s in over_found])
    return {
        "dense_tiles": len(dense),
        "pages_kept": _kept(pages_found),
        "over_photographs_kept": _kept(over_found),
        "over_photographs_half_counted": round(float(np.mean(estimated > truth / 2)), 4),
    }


def _kept(found: Sequence[dict[str, Any]]) -> float:
    return round(float(np.mean([s["text_stage"] == "detect" for s in found])), 4)


def _photographs(density: TextDensity, photos: Sequence[Rgb]) -> dict[str, Any]:
    """Cells of 256 px sent past the screen, and text seen where there is none."""
    rng = np.random.default_rng(0)
    found = []
    for photo in photos:
        found += [density.score(_crop(photo, 256, rng)) for _ in range(6)]
    whole = [density.score(photo) for photo in photos]
    return {
        "cells": len(found),
        "sent_on": round(float(np.mean([s["text_stage"] != "screen" for s in found])), 4),
        "detected_at_1.5x": round(float(np.mean([s["text_stage"] == "detect" for s in found])), 4),
        "cells_with_10_characters": round(float(np.mean([s["chars_est"] >= 10 for s in found])), 4),
        "photographs": len(whole),
        "photographs_with_10_characters": round(
            float(np.mean([s["chars_est"] >= 10 for s in whole])), 4
        ),
    }


def _cost(
    density: TextDensity, naive: Callable[[Rgb], str], cuts: Sequence[Tile], photos: Sequence[Rgb]
) -> dict[str, Any]:
    dense = sorted((t for t in cuts if t.side == 256), key=lambda t: -int(t.inside.sum()))[:12]
    found = {"dense_256": _times(density, naive, [t.rgb for t in dense])}
    rng = np.random.default_rng(1)
    for side in _SIDES_PX:
        fitting = [p for p in photos if min(p.shape[:2]) >= side]
        # The same number of crops at random places for every side, from as many as are so large.
        crops = [_crop(fitting[n % len(fitting)], side, rng) for n in range(_CROPS)]
        times = _times(density, naive, crops)
        found[f"photograph_{side}"] = {"photographs": len(fitting), "crops": _CROPS, **times}
    return found


def _crop(photo: Rgb, side: int, rng: np.random.Generator) -> Rgb:
    y, x = (int(rng.integers(length - side + 1)) for length in photo.shape[:2])
    return np.ascontiguousarray(photo[y : y + side, x : x + side])


def _times(
    density: TextDensity, naive: Callable[[Rgb], str], crops: Sequence[Rgb]
) -> dict[str, float]:
    """Mean CPU ms a picture, the median of three rounds, and the ratios of the peers."""
    calls: dict[str, Callable[[Rgb], Any]] = {"ours": density.score, "naive": naive}
    if shutil.which("tesseract"):
        calls["tesseract"] = _tesseract
    rounds: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(3):
        for name, call in calls.items():
            start = _cpu_s()
            for crop in crops:
                call(crop)
            rounds[name].append((_cpu_s() - start) / len(crops) * 1e3)
    ms = {name: statistics.median(values) for name, values in rounds.items()}
    return {f"{name}_ms": round(value, 1) for name, value in ms.items()} | {
        f"times_less_than_{name}": round(value / ms["ours"], 1)
        for name, value in ms.items()
        if name != "ours"
    }


def _cpu_s() -> float:
    """CPU seconds of this process and of the programs that it has run."""
    spent = os.times()
    return spent.user + spent.system + spent.children_user + spent.children_system


def _agreement(
    engine: OcrEngine, documents: Sequence[tuple[str, str, str]], each: int = 1
) -> dict[str, Any]:
    """Lines of whole pages that PaddleOCR, on the same models, finds and reads as rapidocr does."""
    from filters.ocr.paddle import PaddleOcrEngine

    with tempfile.TemporaryDirectory() as folder:
        export(Path(folder))
        paddle = PaddleOcrEngine(Path(folder))
        same = []
        for page in pages(documents, each, em_px=(8, 16)):
            pairs = zip_longest(engine.read(page.rgb), paddle.read(page.rgb))
            same += [a is not None and b is not None and a.text == b.text for a, b in pairs]
        paddle.close()
    return {"lines": len(same), "alike": round(float(np.mean(same)), 4)}


def _reading(
    density: TextDensity, naive: Callable[[Rgb], str], cuts: Sequence[Tile], most: int = 24
) -> dict[str, Any]:
    """NED and recall of characters on whole lines of pages with letters of 8 px and more."""
    chosen = [t.page for t in cuts if t.side == 256 and t.page.em_px >= 8]
    crops = [found for page in chosen for found in [_paragraph(page)] if found][
        :: max(1, len(chosen) // most)
    ]
    readers: dict[str, Callable[[Rgb], str]] = {
        "ours_2x": lambda rgb: "".join(line.text for line in density.engine.read(rgb)),
        "naive": naive,
    }
    if shutil.which("tesseract"):
        readers["tesseract"] = _tesseract
        readers["tesseract_2x"] = lambda rgb: _tesseract(
            np.asarray(cv2.resize(rgb, None, fx=2, fy=2, interpolation=cv2.INTER_CUBIC))
        )
    result: dict[str, Any] = {"crops": len(crops)}
    for name, read in readers.items():
        neds, recalls = {"latin": [], "han": []}, []
        for rgb, text, script, em in crops:
            said = _bare(read(rgb))
            neds[script].append(_ned(said, _bare(text)))
            if 10 <= em <= 20:
                recalls.append(_recall(said, _bare(text)))
        every = [n for values in neds.values() for n in values]
        result[name] = {
            "ned": round(float(np.mean(every)), 4),
            **{f"ned_{s}": round(float(np.mean(v)), 4) for s, v in neds.items() if v},
            "recall_10_to_20_px": round(float(np.mean(recalls)), 4),
        }
    return result


def _paragraph(page: Any) -> tuple[Rgb, str, str, float] | None:
    """A band of a page of at most 400 px, cut between lines, and its text from top to bottom."""
    ink = (page.rgb.min(axis=2) < 200).any(axis=1)
    blank = np.flatnonzero(~ink)
    if len(blank) < 4:
        return None
    middle = page.rgb.shape[0] // 3
    top = int(blank[np.argmin(abs(blank - middle))])
    below = blank[(blank > top + 60) & (blank < top + 400)]
    if not len(below):
        return None
    bottom = int(below[-1])
    centre = (page.boxes[:, 1] + page.boxes[:, 3]) / 2
    inside = np.flatnonzero((centre > top) & (centre < bottom))
    if len(inside) < 60:
        return None
    text = "".join(page.text[i] for i in inside)
    return np.ascontiguousarray(page.rgb[top:bottom]), text, page.script, page.em_px


def _tesseract(rgb: Rgb) -> str:
    ok, png = cv2.imencode(".png", rgb[:, :, ::-1])
    assert ok
    done = subprocess.run(
        ["tesseract", "-", "-", "-l", "eng+chi_sim", "--psm", "6"],
        input=png.tobytes(),
        capture_output=True,
        env={**os.environ, "OMP_THREAD_LIMIT": "1"},
        check=True,
    )
    return done.stdout.decode()


def _bare(text: str) -> str:
    return "".join(text.split())


def _ned(one: str, other: str) -> float:
    """1 - Levenshtein distance over the longer length (report, section on evaluation)."""
    from rapidfuzz.distance import Levenshtein

    return float(Levenshtein.normalized_similarity(one, other))


def _recall(said: str, text: str) -> float:
    """The part of the true characters that is said, in order."""
    from rapidfuzz.distance import LCSseq

    return float(LCSseq.similarity(said, text) / max(1, len(text)))


def _memory(cuts: Sequence[Tile], photos: Sequence[Rgb], count: int) -> dict[str, float]:
    """Resident MB of a fresh process, as an actor is, after a tenth of the images and after all."""
    crops = [t.rgb for t in cuts if t.side < 1024] + [p[:512, :640].copy() for p in photos]
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(_resident, crops, count).result()


def _resident(crops: Sequence[Rgb], count: int) -> dict[str, float]:
    process, density = psutil.Process(), TextDensity(RapidOcrEngine())
    cv2.setNumThreads(1)
    found = {}
    for number in range(1, count + 1):
        density.score(crops[number % len(crops)])
        if number in (count // 10, count):
            found[f"at_{number}"] = round(process.memory_info().rss / 1e6, 1)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
