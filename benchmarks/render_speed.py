"""How fast text is rendered; beside other programs, on the same pages, see render_peers.py.

    python benchmarks/render_speed.py

Pages of 512 x 512 px, 5 to 20 px, all layouts, on the demo's photographs. Prints, and writes to
benchmarks/results/render_speed.json, per second of CPU time of one thread (median of the runs):

- characters in English and Chinese, warm: the glyphs are known, texts and pages are not. `page`
  lays out, blends and measures a drawn recipe; `all` also draws the recipe and makes the label,
  as JSON text or as Python lists;
- the cost of the first 100 pages against the next 100, in a fresh process;
- images with labels into a tar: JPEG, WebP and PNG, with the decoding of backgrounds.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fonts.faces import discover
from renderers.batch import BACKGROUNDS, BLOCK, Job, Maker
from renderers.page.backgrounds import Backgrounds
from renderers.page.output import page_writer
from renderers.recipe import Recipe
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from vae_corpus.demo import demo_inputs
from vae_corpus.seeds import generator
from vae_corpus.words import SIZE_BANDS

SIDE = 512
_PAGES = 100
_IMAGES = 2 * BLOCK
_KEPT = 12

Picture = np.ndarray[Any, np.dtype[np.uint8]]


def renderer(language: str) -> Renderer:
    demo = demo_inputs()
    return Renderer(
        faces=discover(demo.fonts),
        texts={language: TextSource.from_paths(demo.texts[language], language=language)},
    )


def sample_recipe(made: Renderer, language: str, number: int) -> Recipe:
    rng = generator(0, "render_speed", language, number)
    band = SIZE_BANDS[int(rng.integers(len(SIZE_BANDS)))]
    return made.sample_recipe(rng, language=language, size_band=band, width=SIDE, height=SIDE)


def backgrounds() -> list[Picture]:
    pictures, rng = Backgrounds(demo_inputs().photos), np.random.default_rng(0)
    return [pictures.sample(rng, SIDE, SIDE)[1] for _ in range(_KEPT)]


def cpu_s(work: Callable[[], object]) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def speeds(language: str, grounds: list[Picture], runs: int) -> dict[str, float]:
    """Characters per second of CPU."""
    made = renderer(language)
    recipes = [sample_recipe(made, language, number) for number in range(_PAGES)]

    def ground(number: int) -> Picture:
        return grounds[number % len(grounds)]

    drawn = [made.paint(recipe, ground(n))[1] for n, recipe in enumerate(recipes)]
    characters = sum(len(labels.characters.where) for labels in drawn)

    def pages() -> None:
        for number, recipe in enumerate(recipes):
            made.paint(recipe, ground(number))

    def to_json() -> None:
        for number in range(_PAGES):
            recipe = sample_recipe(made, language, number)
            made.paint(recipe, ground(number))[1].to_json()

    def to_lists() -> None:
        for number in range(_PAGES):
            made.render(sample_recipe(made, language, number), ground(number))

    tasks = {"page": pages, "all, labels as JSON": to_json, "all, labels as lists": to_lists}
    taken: dict[str, list[float]] = {name: [] for name in tasks}
    for _ in range(runs):
        for name, work in tasks.items():
            taken[name].append(cpu_s(work))
    return {name: characters / statistics.median(times) for name, times in taken.items()}


def cold_start(language: str) -> dict[str, float]:
    """Run in a fresh process: CPU seconds of loading the compiled code and of 100 pages, twice."""
    cv2.setNumThreads(1)
    grounds, made = backgrounds(), renderer(language)

    def pages(first: int) -> None:
        for number in range(first, first + _PAGES):
            made.paint(sample_recipe(made, language, number), grounds[number % _KEPT])[1].to_json()

    # Another renderer, so that nothing but the compiled code is known afterwards.
    other = renderer(language)
    load = cpu_s(lambda: other.paint(sample_recipe(other, language, 0), grounds[0])[1].to_json())
    first, following = cpu_s(lambda: pages(0)), cpu_s(lambda: pages(_PAGES))
    return {
        "compiled code and a page, s": load,
        "first 100 pages, s": first,
        "next 100 pages, s": following,
        "ratio": first / following,
        "ratio with loading": (load + first) / following,
    }


def images(language: str, ext: str, runs: int) -> float:
    """Images per second of CPU, encoded and labelled, into a tar."""
    demo = demo_inputs()
    job = Job(
        language=language,
        bands=SIZE_BANDS,
        layouts=(),
        canvas=SIDE,
        count=_IMAGES,
        seed=0,
        ext=ext,
        backgrounds=tuple(demo.photos),
        fonts=tuple(demo.fonts),
        texts=((language, tuple(demo.texts[language])),),
    )

    def write(maker: Maker, out: Path) -> None:
        with page_writer(out, ext) as add:
            for task in range(_IMAGES // BLOCK * BACKGROUNDS):
                for page in maker.make(task).pages:
                    add(page.name, page.picture, page.label)

    with tempfile.TemporaryDirectory() as folder:
        maker, out = Maker(job), Path(folder) / "pages.tar"
        write(maker, out)
        return _IMAGES / statistics.median(cpu_s(lambda: write(maker, out)) for _ in range(runs))


def device() -> str:
    cpu = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    return f"{cpu}, {os.cpu_count()} cores"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    cv2.setNumThreads(1)
    spawn = multiprocessing.get_context("spawn")
    with spawn.Pool(1, maxtasksperchild=1) as pool:
        cold = {name: pool.map(cold_start, [name], chunksize=1)[0] for name in ("en", "zh")}
    grounds = backgrounds()
    characters = {}
    for language in ("en", "zh"):
        found = characters[language] = speeds(language, grounds, given.runs)
        for name, value in found.items():
            print(f"{language}  {name:<26} {value:>10,.0f} characters/s")
    for language, times in cold.items():
        print(f"{language}  " + ", ".join(f"{name} {value:.2f}" for name, value in times.items()))
    written = {}
    for language in ("en", "zh"):
        written[language] = {
            ext: images(language, ext, given.runs) for ext in ("jpg", "webp", "png")
        }
        shown = ", ".join(f"{ext} {value:.0f}" for ext, value in written[language].items())
        print(f"{language}  images/s with labels into a tar: {shown}")
    facts = {
        "date": datetime.date.today().isoformat(),
        "device": device(),
        "command": "python benchmarks/render_speed.py",
        "unit": "per second of CPU time of one thread, median",
        "runs": given.runs,
        "pages": f"{_PAGES} of {SIDE} x {SIDE} px, 5 to 20 px, all layouts; {_IMAGES} for images",
        "characters": {
            language: {name: round(value) for name, value in found.items()}
            for language, found in characters.items()
        },
        "cold start": {
            language: {name: round(value, 3) for name, value in times.items()}
            for language, times in cold.items()
        },
        "images": {
            language: {ext: round(value, 1) for ext, value in found.items()}
            for language, found in written.items()
        },
    }
    out = Path(__file__).parent / "results" / "render_speed.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
