"""Rendering against SynthTIGER, trdg and Pillow, side by side in one run.

    python benchmarks/render_peers.py --setup DIR    # once: an environment for each of two peers
    python benchmarks/render_peers.py --peers DIR

The same pages for all: 512 x 512 px, every layout in every band from 5 to 20 px, the same lines in
the same faces and sizes on the same photographs. Each round of a peer stands between two of ours,
as a machine may be twice as fast a minute later, and is compared with these alone. Prints, and
writes to benchmarks/results/render_peers.json, characters per second of CPU time of one thread and
how many times as many we draw (medians). Ours is the whole way from a random state to pixels and
the label as JSON; what each peer does, and does not do, its script in benchmarks/peers/ says.
"""

from __future__ import annotations

import argparse
import datetime
import json
import os
import statistics
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from render_speed import SIDE, Picture, backgrounds, cpu_s, device, renderer

from renderers.garbage_collection import keep_loaded
from renderers.layout import LAYOUTS
from renderers.page.compose import crop_background
from renderers.page.labels import Labels
from renderers.recipe import Recipe
from renderers.renderer import Renderer
from vae_corpus.seeds import generator
from vae_corpus.words import SIZE_BANDS

_PEERS = Path(__file__).parent / "peers"
_OLD = ("pillow<10", "numpy<2", "opencv-python<4.11")
# trdg by itself pulls packages of handwriting and of the web that do not install any more.
_INSTALL = {
    "synthtiger": [["synthtiger", *_OLD]],
    "trdg": [
        ["--no-deps", "trdg==1.8.0"],
        [*_OLD, "arabic-reshaper", "python-bidi==0.4.2", "requests", "tqdm"],
    ],
}
# Our round is short: repeated, so that the clock's grain does not show.
_OURS = 3
# trdg needs minutes for all pages: it gets every fifth, and fewer rounds.
_SLOW, _SLOW_EVERY, _SLOW_RUNS = "trdg, lines", 5, 2


def set_up(folder: Path) -> None:
    for name, steps in _INSTALL.items():
        venv.create(folder / name, with_pip=True, clear=True)
        for packages in steps:
            python = folder / name / "bin" / "python"
            subprocess.run([python, "-m", "pip", "install", "-q", *packages], check=True)


def as_page(recipe: Recipe, labels: Labels, ground: Path, made: Renderer) -> dict[str, Any]:
    """A page in plain words: lines with their places, and the paragraphs that they came from."""
    faces = {face.key: face for face in made.faces}
    lines: list[dict[str, Any]] = []
    blocks: list[dict[str, Any]] = []
    ended = -9
    for line, colour, box, (begin, end) in zip(
        labels.lines,
        labels.colours.tolist(),
        labels.line_boxes.tolist(),
        labels.lines.table()[:, :2].tolist(),
        strict=True,
    ):
        face = faces[line.face.key]
        common = {"path": str(face.path), "index": face.index, "size_px": line.size_px}
        lines.append(common | {"text": line.text, "x": line.x, "y": line.y, "colour": colour})
        # Between two lines of a text there is a space at the most.
        if not 0 <= begin - ended <= 1:
            blocks.append(common | {"text": "", "places": [], "width": 0.0})
        known, ended = blocks[-1], end
        last = "" if known["text"].endswith(" ") or not known["text"].isascii() else " "
        known["text"] += last * bool(known["text"]) + line.text
        known["places"].append((line.x, line.y))
        known["width"] = max(known["width"], box[2] - box[0] + line.size_px)
    return {"ground": str(ground), "lines": lines, "blocks": blocks}


class Peer:
    """A peer's process: `round` has it draw all pages once."""

    def __init__(self, command: list[str]) -> None:
        one = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | one
        )

    def round(self) -> float:
        """Characters per second of CPU."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("go\n")
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            raise RuntimeError(f"a peer ended early: {self._process.args}")
        characters, seconds = json.loads(answer)
        return float(characters / seconds)

    def close(self) -> None:
        self._process.communicate()


class Pages:
    """A page of every layout in every band; `draw` goes all the way, from a random state."""

    def __init__(self, language: str) -> None:
        self.made, self.grounds, self._language = renderer(language), backgrounds(), language
        layouts = [name for name, layout in LAYOUTS.items() if language in layout.languages]
        self._wanted = [(name, band) for name in layouts for band in SIZE_BANDS]

    def __len__(self) -> int:
        return len(self._wanted)

    def ground(self, number: int) -> Picture:
        return self.grounds[number % len(self.grounds)]

    def draw(self, number: int) -> tuple[Recipe, Labels]:
        layout, band = self._wanted[number]
        recipe = self.made.sample_recipe(
            generator(0, "render_peers", self._language, number),
            language=self._language,
            size_band=band,
            width=SIDE,
            height=SIDE,
            layout=layout,
        )
        return recipe, self.made.paint(recipe, self.ground(number))[1]

    def plain(self, number: int, ground: Path) -> dict[str, Any]:
        """The page in plain words, its background, as it lies under the text, in a file."""
        recipe, labels = self.draw(number)
        wash, size = (recipe.wash, recipe.wash_tone), (recipe.width, recipe.height)
        np.save(ground, crop_background(self.ground(number), recipe.crop, size, wash))
        return as_page(recipe, labels, ground, self.made)


def compare(language: str, peers: Path, runs: int) -> dict[str, Any]:
    """Characters per second, of ours and of each peer, and how many times as many ours are."""
    pages = Pages(language)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        plain = [pages.plain(number, folder / f"{number}.npy") for number in range(len(pages))]
        given, fewer = folder / "pages.json", folder / "fewer.json"
        given.write_text(json.dumps(plain), encoding="utf-8")
        fewer.write_text(json.dumps(plain[::_SLOW_EVERY]), encoding="utf-8")
        scripts: dict[str, list[Path | str]] = {
            "Pillow, lines": [sys.executable, "pillow_pages.py", given, "lines"],
            "Pillow, lines and boxes": [sys.executable, "pillow_pages.py", given, "boxes"],
            "Pillow, whole page": [sys.executable, "pillow_pages.py", given, "page"],
            "SynthTIGER, lines": [peers / "synthtiger/bin/python", "synthtiger_lines.py", given],
            _SLOW: [peers / "trdg/bin/python", "trdg_lines.py", fewer],
        }
        started = {
            name: Peer([str(python), str(_PEERS / str(script)), *map(str, more)])
            for name, (python, script, *more) in scripts.items()
        }
        keep_loaded()
        characters = _OURS * sum(pages.draw(number)[1].inked() for number in range(len(pages)))

        def ours() -> float:
            def work() -> None:
                for number in [*range(len(pages))] * _OURS:
                    pages.draw(number)[1].to_json()

            return characters / cpu_s(work)

        speeds: dict[str, list[float]] = {name: [] for name in ("ours, whole page", *started)}
        ratios: dict[str, list[float]] = {name: [] for name in started}
        for number in range(runs + 1):
            for name, peer in started.items():
                if name == _SLOW and number > _SLOW_RUNS:
                    continue
                before, theirs, after = ours(), peer.round(), ours()
                if number == 0:  # only warms up
                    continue
                own = statistics.harmonic_mean([before, after])
                speeds["ours, whole page"].append(own)
                speeds[name].append(theirs)
                ratios[name].append(own / theirs)
        for peer in started.values():
            peer.close()
    return {
        "pages": len(pages),
        "characters": characters // _OURS,
        "characters/s": {name: round(statistics.median(all_)) for name, all_ in speeds.items()},
        "times as many": {name: round(statistics.median(all_), 1) for name, all_ in ratios.items()},
        "each round": {name: [round(one, 1) for one in all_] for name, all_ in ratios.items()},
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--setup", type=Path, metavar="DIR", help="make the peers' environments")
    parser.add_argument("--peers", type=Path, metavar="DIR", help="where they are; compare")
    parser.add_argument("--runs", type=int, default=5)
    given = parser.parse_args()
    if given.setup:
        set_up(given.setup)
    if not given.peers:
        return 0
    cv2.setNumThreads(1)
    found = {name: compare(name, given.peers, given.runs) for name in ("en", "zh")}
    for language, facts in found.items():
        for name, value in facts["characters/s"].items():
            times = facts["times as many"].get(name, 1.0)
            print(f"{language}  {name:<26} {value:>10,} characters/s {times:>7.1f} x")
    facts = {
        "date": datetime.date.today().isoformat(),
        "device": device(),
        "command": "python benchmarks/render_peers.py --peers DIR",
        "unit": "characters with ink per second of CPU time of one thread, median",
        "runs": given.runs,
        "slow": f"{_SLOW}: {min(given.runs, _SLOW_RUNS)} runs, over every {_SLOW_EVERY}th page",
        "pages": f"{SIDE} x {SIDE} px, every layout in every band from 5 to 20 px",
        "found": found,
    }
    out = Path(__file__).parent / "results" / "render_peers.json"
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
