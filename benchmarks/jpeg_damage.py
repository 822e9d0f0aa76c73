"""Which share of damaged JPEGs is kept, and of odd but whole ones refused: ours beside peers.

    python benchmarks/jpeg_damage.py

Pictures are made in code, in baseline and progressive files of several qualities. Of each the
entropy-coded data are garbled in a run of 40 bytes, in one bit, or cut; and stray bytes are laid
before the end mark, as some cameras leave them, which changes no pixel. Peers: simplejpeg with its
strict decoder, and Pillow and OpenCV as people call them. Writes results/jpeg_damage.json.
"""

from __future__ import annotations

import argparse
import datetime
import io
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import simplejpeg
from PIL import Image

sys.path[0] = str(Path(__file__).resolve().parents[1])

from tests.pictures import scene  # noqa: E402
from vae_corpus.pictures import decode  # noqa: E402

_RESULT = Path(__file__).parent / "results" / "jpeg_damage.json"
_GARBLED_BYTES = 40


def whole(rng: np.random.Generator, number: int) -> bytes:
    width, height = (int(n) for n in rng.integers(200, 520, 2))
    file = io.BytesIO()
    Image.fromarray(scene(width, height, number)).save(
        file,
        "JPEG",
        quality=int(rng.integers(50, 97)),
        progressive=number % 3 == 0,
        subsampling=int(rng.integers(0, 3)),
    )
    return file.getvalue()


def scan(data: bytes) -> tuple[int, int]:
    """First and last byte of the last scan's entropy-coded data."""
    start = data.rindex(b"\xff\xda")
    length = int.from_bytes(data[start + 2 : start + 4], "big")
    return start + 2 + length, data.rindex(b"\xff\xd9")


def garbled(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = scan(data)
    count = min(_GARBLED_BYTES, last - first)
    at = int(rng.integers(first, last - count + 1))
    # No ff: that would begin a marker, which everybody sees.
    new = rng.integers(0, 255, count).astype(np.uint8).tobytes()
    return data[:at] + new + data[at + count :]


def flipped(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = scan(data)
    at = int(rng.integers(first, last))
    return data[:at] + bytes([data[at] ^ (1 << int(rng.integers(8)))]) + data[at + 1 :]


def cut(data: bytes, rng: np.random.Generator) -> bytes:
    first, last = scan(data)
    return data[: int(rng.integers(first, last))]


def stray(data: bytes, rng: np.random.Generator) -> bytes:
    _, last = scan(data)
    return (
        data[:last] + bytes(rng.integers(0, 255, int(rng.integers(1, 20))).tolist()) + data[last:]
    )


def ours(data: bytes) -> bool:
    return not isinstance(decode.decode(data), decode.Fault)


def strict(data: bytes) -> bool:
    try:
        simplejpeg.decode_jpeg(data)
    except ValueError:
        return False
    return True


def pillow(data: bytes) -> bool:
    try:
        Image.open(io.BytesIO(data)).load()
    except (OSError, SyntaxError):
        return False
    return True


def opencv(data: bytes) -> bool:
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR) is not None


_READERS: dict[str, Callable[[bytes], bool]] = {
    "ours": ours,
    "simplejpeg, strict": strict,
    "Pillow": pillow,
    "OpenCV": opencv,
}
_CHANGES = {
    "40 bytes garbled": garbled,
    "one bit flipped": flipped,
    "cut": cut,
    "stray bytes": stray,
}


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", metavar="N", type=int, default=600, help="of each change")
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    given = parser.parse_args()
    rng = np.random.default_rng(given.seed)
    made: Counter[str] = Counter()
    kept: dict[str, Counter[str]] = {}
    for number in range(given.files):
        data = whole(rng, number)
        for change, act in _CHANGES.items():
            row = f"{change}, {'progressive' if number % 3 == 0 else 'baseline'}"
            changed = act(data, rng)
            made[row] += 1
            kept.setdefault(row, Counter()).update(
                {name: int(reads(changed)) for name, reads in _READERS.items()}
            )
    shares = {
        row: {name: round(100 * n / made[row], 1) for name, n in kept[row].items()}
        for row in sorted(kept)
    }
    facts = {
        "date": datetime.date.today().isoformat(),
        "command": "python benchmarks/jpeg_damage.py",
        "device": f"{os.cpu_count()} cores",
        "files": dict(sorted(made.items())),
        "kept, %": shares,
    }
    _RESULT.write_text(json.dumps(facts, indent=1) + "\n")
    for change, of in shares.items():
        print(f"{change:30} kept " + ", ".join(f"{name} {n:g} %" for name, n in of.items()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
