"""What it costs to score a photograph: CPU time and bytes per image, by size.

    python benchmarks/score_cost.py

Crops of the demo's photographs as JPEG of quality 90, square, at 256, 512 and 1024 px, through the
door and all scores as in a build: clarity, hashes, and the search for text, with the few that hold
some. One process and one thread of OCR; the median of the rounds. It is what docs/scale.md reckons
with. Writes benchmarks/results/score_cost.json.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from pathlib import Path

import cv2
import numpy as np

sys.path[0] = str(Path(__file__).resolve().parents[1])

from filters.scores import Scores  # noqa: E402
from filters.settings import ScoreSettings  # noqa: E402
from vae_corpus.demo import demo_inputs  # noqa: E402
from vae_corpus.pictures.decode import Decoded, decode  # noqa: E402

RESULTS = Path(__file__).parent / "results" / "score_cost.json"
SIZES_PX = (256, 512, 1024)
PHOTOGRAPHS = 40


def photographs(size_px: int, seed: int = 0) -> list[bytes]:
    """JPEGs of `size_px` square, each out of another photograph, as large as it may be."""
    rng = np.random.default_rng(seed)
    found = [path for path in demo_inputs().photos if path.suffix == ".jpg"]
    made = []
    for path in rng.permutation(found):
        image = decode(Path(path).read_bytes())
        if not isinstance(image, Decoded) or min(image.rgb.shape[:2]) < size_px:
            continue
        scale = size_px / min(image.rgb.shape[:2])
        rgb = cv2.resize(image.rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        rgb = rgb[:size_px, :size_px]
        bgr = cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)
        made.append(cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes())
        if len(made) == PHOTOGRAPHS:
            break
    return made


def cost(scores: Scores, files: list[bytes], rounds: int) -> dict[str, float]:
    seconds = []
    for _ in range(rounds):
        start = time.process_time()
        for data in files:
            image = decode(data)
            assert isinstance(image, Decoded)
            scores.measure(image.rgb)
        seconds.append((time.process_time() - start) / len(files))
    return {
        "images": len(files),
        "mean_bytes": round(statistics.mean(map(len, files))),
        "cpu_ms": round(1e3 * statistics.median(seconds), 3),
        "cpu_ms_least": round(1e3 * min(seconds), 3),
        "cpu_ms_most": round(1e3 * max(seconds), 3),
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    os.environ["OMP_NUM_THREADS"] = "1"
    cv2.setNumThreads(1)
    found: dict[str, object] = {"command": "python benchmarks/score_cost.py", "rounds": args.rounds}
    for name, text in (("all scores", True), ("without text", False)):
        scores = Scores(ScoreSettings(text=text))
        scores.ready()
        found[name] = {str(px): cost(scores, photographs(px), args.rounds) for px in SIZES_PX}
    found["load"] = round(os.getloadavg()[0], 2)
    RESULTS.write_text(json.dumps(found, indent=1) + "\n")
    print(json.dumps(found, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
