"""Rendering against SynthTIGER, trdg and Pillow, side by side in one run.

    python benchmarks/render_peers.py --setup DIR    # once: an environment for each of two peers
    python benchmarks/render_peers.py --peers DIR

The same pages for all: 512 x 512 px, 5 to 20 px, all layouts, the same lines in the same faces and
sizes on the same photographs. Rounds take turns. Prints, and writes to
benchmarks/results/render_peers.json, characters per second of CPU time of one thread (median) and
how many times as many we draw. Ours is the whole way from a random state to pixels and the label as
JSON; what each peer does, and does not do, its script in benchmarks/peers/ says.
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
from render_speed import backgrounds, cpu_s, device, draw_recipe, renderer

from renderers.compose import backdrop
from renderers.garbage import keep_loaded
from renderers.labels import Labels
from renderers.parameters import Recipe
from renderers.recipe import Renderer

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
_PAGES = 16
# Our round is short: repeated, so that the clock's grain does not show.
_OURS = 5


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


def compare(language: str, peers: Path, runs: int) -> dict[str, float]:
    made, grounds = renderer(language), backgrounds()

    def draw(number: int) -> tuple[Recipe, Labels]:
        recipe = draw_recipe(made, language, number)
        return recipe, made.draw(recipe, grounds[number % len(grounds)])[1]

    with tempfile.TemporaryDirectory() as folder:
        pages = []
        for number in range(_PAGES):
            recipe, labels = draw(number)
            ground = Path(folder) / f"{number}.npy"
            wash, size = (recipe.wash, recipe.wash_tone), (recipe.width, recipe.height)
            np.save(ground, backdrop(grounds[number % len(grounds)], recipe.crop, size, wash))
            pages.append(as_page(recipe, labels, ground, made))
        given = Path(folder) / "pages.json"
        given.write_text(json.dumps(pages), encoding="utf-8")
        scripts = {
            "Pillow, lines": [sys.executable, "pillow_pages.py", "lines"],
            "Pillow, lines and boxes": [sys.executable, "pillow_pages.py", "boxes"],
            "Pillow, whole page": [sys.executable, "pillow_pages.py", "page"],
            "SynthTIGER, lines": [str(peers / "synthtiger/bin/python"), "synthtiger_lines.py"],
            "trdg, lines": [str(peers / "trdg/bin/python"), "trdg_lines.py"],
        }
        started = {
            name: Peer([python, str(_PEERS / script), str(given), *more])
            for name, (python, script, *more) in scripts.items()
        }
        keep_loaded()
        characters = sum(len(draw(number)[1].characters.where) for number in range(_PAGES))

        def ours() -> None:
            for number in [*range(_PAGES)] * _OURS:
                draw(number)[1].to_json()

        speeds: dict[str, list[float]] = {"ours, whole page": []} | {name: [] for name in started}
        for number in range(runs + 1):
            if number == 1:  # the first round only warms up
                speeds = {name: [] for name in speeds}
            speeds["ours, whole page"].append(characters * _OURS / cpu_s(ours))
            for name, peer in started.items():
                speeds[name].append(peer.round())
        for peer in started.values():
            peer.close()
    return {name: statistics.median(values) for name, values in speeds.items()}


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
    for language, speeds in found.items():
        ours = speeds["ours, whole page"]
        for name, value in speeds.items():
            print(f"{language}  {name:<26} {value:>10,.0f} characters/s {ours / value:>7.1f} x")
    facts = {
        "date": datetime.date.today().isoformat(),
        "device": device(),
        "command": "python benchmarks/render_peers.py --peers DIR",
        "unit": "characters with ink per second of CPU time of one thread, median",
        "runs": given.runs,
        "pages": f"{_PAGES} of 512 x 512 px, 5 to 20 px, all layouts",
        "characters": {
            language: {name: round(value) for name, value in speeds.items()}
            for language, speeds in found.items()
        },
        "times as many": {
            language: {
                name: round(speeds["ours, whole page"] / value, 1) for name, value in speeds.items()
            }
            for language, speeds in found.items()
        },
    }
    out = Path(__file__).parent / "results" / "render_peers.json"
    out.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
