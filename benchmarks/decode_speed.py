"""What the door costs for ordinary files, beside the same work of another checkout.

    python benchmarks/decode_speed.py --before DIR [--rounds 9]

`DIR` is a checkout of the project to compare with, for example
`git worktree add DIR COMMIT`. Both run in turn, round after round, in processes that stay: the
ratio of a round compares neighbours in time. The machine's own speed drops out of it. Three kinds
of work, CPU time each: `decode` of sRGB files (with a profile of sRGB and without), `score` of a
folder (decode, clarity, hashes), and what the loader does (`open_image`, then decode).
"""

from __future__ import annotations

import argparse
import io
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
_SIZES_PX = (256, 1024)
_FILES = {256: 200, 1024: 24}


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--before", type=Path, help="a checkout of the project to compare with")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--out", type=Path, help="JSON file of the results")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    given = parser.parse_args(argv)
    if given.serve:
        return _serve()
    if given.before is None:
        parser.error("--before DIR: a checkout of the project to compare with")
    after, before = _Server(ROOT), _Server(given.before.resolve())
    results: dict[str, dict[str, Any]] = {}
    for work in _works():
        ratios, costs = [], []
        for _ in range(given.rounds):
            # In the middle, so that a drift of the machine's speed falls on both alike.
            first, own, last = before.ask(work), after.ask(work), before.ask(work)
            ratios.append(own / ((first + last) / 2))
            costs.append(own)
        results[work] = {
            "ratio": round(statistics.median(ratios), 4),
            "quartiles": [round(float(q), 4) for q in np.quantile(ratios, [0.25, 0.75])],
            "cpu_ms": round(1e3 * statistics.median(costs), 4),
        }
        print(f"{work:<24} {results[work]['ratio']:.3f} {results[work]['quartiles']}", flush=True)
    for server in (after, before):
        server.close()
    if given.out:
        facts = {"command": f"python benchmarks/decode_speed.py --rounds {given.rounds}"}
        given.out.write_text(json.dumps(facts | {"after over before": results}, indent=1) + "\n")
    return 0


class _Server:
    """A process that works with the code of one checkout."""

    def __init__(self, root: Path) -> None:
        script = str(Path(__file__).resolve())
        pipe = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._process = subprocess.Popen(
            [sys.executable, script, "--serve"],
            cwd=root,
            env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin"},
            text=True,
            **pipe,  # type: ignore[call-overload]
        )

    def ask(self, work: str) -> float:
        """CPU seconds per picture."""
        print(work, file=self._process.stdin, flush=True)
        return float(self._process.stdout.readline())

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def _works() -> list[str]:
    plain = [f"{what} {px}" for what in ("decode", "score", "loader") for px in _SIZES_PX]
    return [*plain, *(f"decode-profile {px}" for px in _SIZES_PX)]


def _serve() -> int:
    # The folder of this script stands first on the path, but holds no package of the project.
    works: dict[str, Callable[[], None]] = {}
    for line in sys.stdin:
        name = line.strip()
        what, px = name.split()
        if name not in works:
            works[name] = _make(what, int(px))
            works[name]()
        start = time.process_time()
        works[name]()
        print((time.process_time() - start) / _FILES[int(px)], flush=True)
    return 0


def _make(what: str, px: int) -> Callable[[], None]:
    from vae_corpus.pictures.decode import Opened, decode, open_image

    files = _files(px, profile=what == "decode-profile")
    if what.startswith("decode"):
        return lambda: [decode(data) for data in files] and None
    if what == "loader":
        scratch = np.zeros(3 * px * px, np.uint8)

        def load() -> None:
            opened = [open_image(data, scratch) for data in files]
            assert all(isinstance(o, Opened) and o.decode() is None for o in opened)

        return load
    from filters.clarity import Clarity

    try:
        from filters.perceptual_hash import perceptual_hash
    except ImportError:  # its name before
        from filters.hashing import perceptual_hash  # type: ignore[import-not-found]

    def score() -> None:
        for data in files:
            rgb = decode(data).rgb  # type: ignore[union-attr]
            perceptual_hash(rgb)
            Clarity().score(rgb)

    return score


def _files(px: int, *, profile: bool) -> list[bytes]:
    """JPEGs of shapes and noise, about as heavy as photographs."""
    import cv2
    from PIL import Image, ImageCms

    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    rng = np.random.default_rng(0)
    files = []
    for _ in range(_FILES[px]):
        rough = rng.integers(0, 256, (px // 16, px // 16, 3), np.uint8)
        smooth = cv2.resize(rough, (px, px), interpolation=cv2.INTER_CUBIC)
        noisy = np.clip(smooth + rng.normal(0, 6, smooth.shape), 0, 255).astype(np.uint8)
        file = io.BytesIO()
        options = {"icc_profile": srgb} if profile else {}
        Image.fromarray(noisy).save(file, "JPEG", quality=90, **options)
        files.append(file.getvalue())
    return files


if __name__ == "__main__":
    sys.exit(main())
