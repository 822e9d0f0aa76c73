"""How well and how fast the clarity filter works, against what others use, on unseen pictures.

    python benchmarks/clarity_pictures.py --out DIR
    python benchmarks/clarity.py --images DIR/test

Every picture is looked at whole (at most 1024 px on the short side) and in one random crop,
pristine and damaged in every way of `filters.training.degrade`. Peers see the same pixels: the
variance of the Laplacian, the Tenengrad (mean squared Sobel gradient), and the blur rule of NeMo
Curator's video and image filters as published (variance of the Laplacian of the RGB frame below 100
is blur). Throughput is CPU time of one thread, median of several rounds, ours and theirs in turn.
Writes benchmarks/results/clarity.json."""

from __future__ import annotations

import argparse
import datetime
import functools
import io
import json
import multiprocessing
import os
import platform
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
import psutil
import simplejpeg
from numpy.typing import NDArray
from PIL import Image

from filters.clarity import Clarity
from filters.training import degrade
from filters.training.boost import auc
from filters.training.clarity import Damage, Picture, cut, find_pictures, view_of
from vae_corpus.pictures.decode import Decoded, DecodedLuma, decode, decode_luma

_RESULT = Path(__file__).parent / "results" / "clarity.json"
_WHOLE_PX = 1024
_SIDES_PX = (512, 1024, 2048)
_ROUNDS = 7
_NEMO_THRESHOLD = 100.0
_SMOOTH_LEVELS, _FLAT_SHARE = 2.0, 0.6

Rgb = NDArray[np.uint8]


class Row(NamedTuple):
    """One look at one picture: where from, how damaged (None: pristine), and what all say."""

    content: str
    folder: str
    smooth: bool
    kind: str | None
    scores: dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", metavar="DIR", type=Path, required=True)
    parser.add_argument("--workers", metavar="N", type=int, default=2, help="for the AUC only")
    parser.add_argument("--out", metavar="FILE", type=Path, default=_RESULT)
    parser.add_argument("--quality-only", action="store_true", help="no timings, no memory")
    parser.add_argument("--memory", metavar="N", type=int, default=20_000, help="pictures; 0: skip")
    given = parser.parse_args(argv)
    cv2.setNumThreads(1)
    pictures = find_pictures([given.images])
    with multiprocessing.Pool(given.workers, cv2.setNumThreads, (1,)) as pool:
        rows = [row for found in pool.imap(_rows, pictures) for row in found]
    result = {
        "date": datetime.date.today().isoformat(),
        "device": f"{platform.machine()}, {os.cpu_count()} cores",
        "command": "python " + " ".join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "weights": Clarity().version,
        "pictures": len(pictures),
        "looks": len(rows),
        "quality": {name: _quality(rows, name) for name in rows[0].scores},
    }
    if not given.quality_only:
        result |= {"speed": _speed(pictures), "first_call_s": _first_call()}
        if given.memory:
            result["resident_mb"] = _memory(pictures, given.memory)
    given.out.parent.mkdir(exist_ok=True)
    given.out.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    print(json.dumps(result, indent=1))
    return 0


def _rows(picture: Picture) -> list[Row]:
    rng = np.random.default_rng([1, int(picture.sha256[:15], 16)])
    opened = decode(picture.path.read_bytes())
    assert isinstance(opened, Decoded)
    rows = []
    for view in (_whole(opened.rgb, picture.shrink), view_of(opened.rgb, rng, picture.shrink)):
        if np.ptp(view) < 16:
            continue
        smooth = _is_smooth(view)
        content = picture.folder.split("-")[0]
        damages: list[tuple[str | None, Damage]] = [(None, degrade.harmless)] * 2
        damages += [(name, kind.apply) for name, kind in degrade.KINDS.items()]
        for name, damage in damages:
            seen = cut(damage(view, rng), view, rng)
            rows.append(Row(content, picture.folder, smooth, name, _all_scores(seen)))
    return rows


def _whole(rgb: Rgb, shrink: float) -> Rgb:
    """The whole picture, made smaller where it is large or not clean at its own size."""
    scale = min(1 / shrink, _WHOLE_PX / min(rgb.shape[:2]))
    if scale == 1:
        return rgb
    size = tuple(round(side * scale) for side in rgb.shape[1::-1])
    return np.array(Image.fromarray(rgb).resize(size, Image.Resampling.LANCZOS, reducing_gap=4.0))


def _is_smooth(rgb: Rgb) -> bool:
    """Few levels from pixel to pixel, yet no flat colours: sky, fog, bokeh, gradients."""
    steps = np.abs(np.diff(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY).astype(np.int16), axis=1))
    rows = np.array([band.mean() for band in np.array_split(steps, 8)])
    return bool(np.quantile(rows, 0.75) < _SMOOTH_LEVELS and (steps == 0).mean() < _FLAT_SHARE)


def _all_scores(rgb: Rgb) -> dict[str, float]:
    """Higher is clearer, for all of them."""
    grey = cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY)
    across, down = (cv2.Sobel(grey, cv2.CV_64F, x, 1 - x) for x in (1, 0))
    return {
        "ours": Clarity().score(rgb)["clarity"],
        "laplacian": float(cv2.Laplacian(grey, cv2.CV_64F).var()),
        "tenengrad": float((across**2 + down**2).mean()),
        "nemo": nemo_blur(rgb),
    }


def nemo_blur(rgb: Rgb) -> float:
    """The sharpness of NeMo Curator's blur stage: below 100 a picture is dropped."""
    return float(cv2.Laplacian(rgb, cv2.CV_64F).var())


def _quality(rows: list[Row], name: str) -> dict[str, Any]:
    scores = np.array([row.scores[name] for row in rows])
    clean = np.array([row.kind is None for row in rows])
    limit, strict = np.quantile(scores[clean], (0.05, 0.01))

    def of(chosen: NDArray[np.bool_]) -> dict[str, float]:
        return {
            "auc": round(auc(scores[chosen], clean[chosen]), 4),
            "clean_dropped": round(float((scores[chosen & clean] < limit).mean()), 4),
            "looks": int(chosen.sum()),
        }

    found: dict[str, Any] = {
        "auc": round(auc(scores, clean), 4),
        "found_at_5%": round(float((scores[~clean] < limit).mean()), 4),
        "found_at_1%": round(float((scores[~clean] < strict).mean()), 4),
        "by_content": {
            content: of(np.array([row.content == content for row in rows]))
            for content in sorted({row.content for row in rows})
        },
        "by_kind": {
            kind: round(auc(scores[c], clean[c]), 4)
            for kind in degrade.KINDS
            for c in [np.array([row.kind in (None, kind) for row in rows])]
        },
        "by_package": {
            folder: of(np.array([row.folder == folder for row in rows]))
            for folder in sorted({row.folder for row in rows})
        },
    }
    found["by_content"]["smooth"] = of(np.array([row.smooth for row in rows]))
    if name == "nemo":
        dropped = scores < _NEMO_THRESHOLD
        found["at_its_threshold"] = {
            "clean_dropped": round(float(dropped[clean].mean()), 4),
            "found": round(float(dropped[~clean].mean()), 4),
        }
    return found


def _speed(pictures: Sequence[Picture]) -> dict[str, Any]:
    """CPU ms a picture of JPEGs of a side; throughput kept is decoding's over all of ours."""
    found = {}
    for side in _SIDES_PX:
        files = _jpegs(pictures, side)
        calls: dict[str, Callable[[bytes], Any]] = {
            "decode_colour": functools.partial(simplejpeg.decode_jpeg, colorspace="RGB"),
            "decode_grey": functools.partial(simplejpeg.decode_jpeg, colorspace="GRAY"),
            "ours": _score_file,
            "nemo": lambda data: nemo_blur(simplejpeg.decode_jpeg(data, colorspace="RGB")),
            "ours_pixels": lambda data: None,
            "nemo_pixels": lambda data: None,
        }
        rgbs = [simplejpeg.decode_jpeg(data, colorspace="RGB") for data in files]
        times: dict[str, list[float]] = {name: [] for name in calls}
        for _ in range(_ROUNDS):
            for name, call in calls.items():
                call_each = {"ours_pixels": Clarity().score, "nemo_pixels": nemo_blur}.get(name)
                given: Sequence[Any] = rgbs if call_each else files
                start = time.process_time()
                for one in given:
                    (call_each or call)(one)
                times[name].append((time.process_time() - start) / len(files) * 1e3)
        ms = {name: statistics.median(values) for name, values in times.items()}
        found[str(side)] = {name: round(value, 3) for name, value in ms.items()} | {
            "pictures": len(files),
            "throughput_kept": round(ms["decode_colour"] / ms["ours"], 3),
            "times_nemo": round(ms["nemo"] / ms["ours"], 2),
            "times_nemo_pixels": round(ms["nemo_pixels"] / ms["ours_pixels"], 2),
        }
    return found


def _score_file(data: bytes) -> dict[str, float]:
    opened = decode_luma(data)
    assert isinstance(opened, DecodedLuma)
    return Clarity().score(opened.luma)


def _jpegs(pictures: Sequence[Picture], side: int, most: int = 24) -> list[bytes]:
    """Squares of the side, saved at quality 90 with half the colours, as most on the web are.

    Photographs made smaller; those that are not large enough are mirrored on all sides.
    """
    files = []
    for picture in [p for p in pictures if p.folder.startswith("photo")]:
        opened = decode(picture.path.read_bytes())
        assert isinstance(opened, Decoded)
        scale = min(1.0, side / min(opened.rgb.shape[:2]))
        size = tuple(round(s * scale) for s in opened.rgb.shape[1::-1])
        small = np.array(Image.fromarray(opened.rgb).resize(size, Image.Resampling.LANCZOS))
        pad = [(0, max(0, side - s)) for s in small.shape[:2]]
        square = np.pad(small, (*pad, (0, 0)), "symmetric")[:side, :side]
        file = io.BytesIO()
        Image.fromarray(square).save(file, "JPEG", quality=90, subsampling=2)
        files.append(file.getvalue())
        if len(files) == most:
            break
    return files


def _first_call() -> dict[str, float]:
    """Seconds from the import to the first score in a fresh process, without and with a cache."""
    code = (
        "import time; t = time.perf_counter()\n"
        "import numpy as np\n"
        "from filters.clarity import Clarity\n"
        "Clarity().score(np.zeros((256, 256), np.uint8))\n"
        "print(time.perf_counter() - t)"
    )
    found: dict[str, list[float]] = {"cold": [], "warm": []}
    with tempfile.TemporaryDirectory() as cache:
        for name in ("cold", "warm", "warm", "warm", "warm", "warm"):
            done = subprocess.run(
                [sys.executable, "-c", code],
                env={**os.environ, "NUMBA_CACHE_DIR": cache},
                cwd=Path(__file__).parents[1],
                capture_output=True,
                text=True,
                check=True,
            )
            found[name].append(float(done.stdout))
    return {name: round(statistics.median(values), 2) for name, values in found.items()}


def _memory(pictures: Sequence[Picture], count: int) -> dict[str, float]:
    """Resident MB after 1,000 and after all pictures, the files read again and again."""
    files = [p.path.read_bytes() for p in pictures if p.path.stat().st_size < 300_000]
    process = psutil.Process()
    found = {}
    for number in range(1, count + 1):
        opened = decode_luma(files[number % len(files)])
        if isinstance(opened, DecodedLuma):
            Clarity().score(opened.luma)
        if number in (1000, count):
            found[f"at_{number}"] = round(process.memory_info().rss / 1e6, 1)
    found["peak"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3, 1)
    return found


if __name__ == "__main__":
    raise SystemExit(main())
