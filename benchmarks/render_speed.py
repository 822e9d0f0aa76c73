"""How fast text is rendered; beside other programs, on the same pages, see render_peers.py.

    python benchmarks/render_speed.py

Pages of 512 x 512 px, 5 to 20 px, all layouts, on the demo's photographs. Prints, and writes to
benchmarks/results/render_speed.json, per second of CPU time of one thread (median of the runs):

- characters in English and Chinese, warm: the glyphs are known, texts and pages are not. `page`
  lays out, blends and measures a drawn recipe; `all` also draws the recipe and makes the label,
  as JSON text or as Python lists;
- the cost of the first 100 pages against the next 100, in a fresh process;
- pages with labels into a tar: JPEG and PNG, with the decoding of backgrounds; and characters of
  the same pages with labels as JSON, with nothing encoded. `--before DIR` measures another checkout
  too, in rounds that alternate, and prints how many times as fast this one is.
"""

from __future__ import annotations

import argparse
import datetime
import json
import multiprocessing
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from fonts.faces import discover
from renderers.page.backgrounds import Backgrounds
from renderers.recipe import Recipe
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from vae_corpus.demo import demo_inputs
from vae_corpus.seeds import generator
from vae_corpus.words import SIZE_BANDS

SIDE = 512
_PAGES = 100
_EXTS = {"none": "characters, not encoded", "jpg": "pages as JPEG", "png": "pages as PNG"}
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
    characters = sum(labels.inked() for labels in drawn)

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


class Checkout:
    """A process that renders pages into tars with the renderer of a checkout."""

    def __init__(self, root: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, str(Path(__file__).parent / "peers" / "pages_into_tar.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=root,
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(root), *sys.path])},
        )

    def round(self, language: str, ext: str) -> tuple[float, float]:
        """Pages and characters with ink per second of CPU."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps([language, ext]) + "\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError("a checkout's process ended early")
        pages, characters, seconds = json.loads(answer)
        return pages / seconds, characters / seconds

    def close(self) -> None:
        self._process.communicate()


def tars(before: Path | None, runs: int) -> dict[str, Any]:
    """Median speeds of this checkout, and with `before` of that one and now / before of each round.

    Rounds of the two alternate, so that both meet the same load.
    """
    roots = {"now": Path(__file__).resolve().parents[1]} | ({"before": before} if before else {})
    sides = {name: Checkout(root.resolve()) for name, root in roots.items()}
    found: dict[str, Any] = {}
    for language in ("en", "zh"):
        for ext in _EXTS:
            rates: dict[str, list[tuple[float, float]]] = {name: [] for name in sides}
            for number in range(runs + 1):
                for name in list(sides)[:: 1 if number % 2 else -1]:
                    rate = sides[name].round(language, ext)
                    if number:  # the first only warms up
                        rates[name].append(rate)
            unit = 1 if ext == "none" else 0
            facts: dict[str, float] = {
                name: round(statistics.median(rate[unit] for rate in all_), 1)
                for name, all_ in rates.items()
            }
            if before:
                ratios = [a[0] / b[0] for a, b in zip(rates["now"], rates["before"], strict=True)]
                facts["now / before"] = round(statistics.median(ratios), 3)
            found[f"{language} {_EXTS[ext]}"] = facts
            print(f"{language} {_EXTS[ext]}: {facts}", flush=True)
    for side in sides.values():
        side.close()
    return found


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
    parser.add_argument(
        "--before", type=Path, metavar="DIR", help="another checkout to compare with"
    )
    parser.add_argument("--only-tars", action="store_true", help="print the tars' part and end")
    given = parser.parse_args()
    if given.only_tars:
        tars(given.before, given.runs)
        return 0
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
    written = tars(given.before, given.runs)
    facts = {
        "date": datetime.date.today().isoformat(),
        "device": device(),
        "command": "python benchmarks/render_speed.py" + " --before DIR" * bool(given.before),
        "unit": "per second of CPU time of one thread, median",
        "runs": given.runs,
        "pages": f"{_PAGES} of {SIDE} x {SIDE} px, 5 to 20 px, all layouts; 256 into a tar",
        "characters": {
            language: {name: round(value) for name, value in found.items()}
            for language, found in characters.items()
        },
        "cold start": {
            language: {name: round(value, 3) for name, value in times.items()}
            for language, times in cold.items()
        },
        "into a tar": written,
    }
    out = Path(__file__).parent / "results" / "render_speed.json"
    out.parent.mkdir(exist_ok=True)
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
