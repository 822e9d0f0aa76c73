"""Text marks: a seeded sample of what a page says, run by run, each with its place.

A run is 5 characters without white space, or 3 from a Han character on. One in 4 runs is kept, by
its hash, wherever it stands, so the marks of two texts overlap as far as the texts do (Broder, "On
the resemblance and containment of documents", 1997, "mod m" sketches). As each has a place, the
marks inside a tile are those of the tile's text.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vae_corpus.characters import Characters
from vae_corpus.score_types import Column, Look, Score, always

# Raised when the same text would give other marks.
VERSION = "1"

RUN_CHARS, HAN_RUN_CHARS = 5, 3
KEPT_OF = 4
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)

_MARK = pa.struct([("x", pa.uint16()), ("y", pa.uint16()), ("hash", pa.uint32())])

SCORE = Score(
    name="text_marks",
    columns=(
        Column(
            name="text_marks",
            type=pa.list_(_MARK),
            meaning="one in 4 runs of 5 characters (3 of Han), by hash, and where each begins in"
            " px; of pages whose renderer tells what they say",
            carried=False,
        ),
    ),
    prepare=always(VERSION, lambda look: _of_page(look)),
)


def _of_page(look: Look) -> dict[str, Any]:
    if look.known is None or look.known.doubt:
        return {}
    return {"text_marks": text_marks(look.known.characters)}


def text_marks(characters: Characters) -> list[dict[str, int]]:
    """x, y and hash of each mark, in order of reading. White space and case say nothing."""
    inked = np.flatnonzero(characters.inked)
    letters, places = [], []
    for place in inked.tolist():
        # A ligature is its letters, a wide letter is the letter.
        for letter in unicodedata.normalize("NFKC", characters.text[place]).lower():
            if not letter.isspace():
                letters.append(letter)
                places.append(place)
    if len(letters) < RUN_CHARS:
        return []
    points = np.frombuffer("".join(letters).encode("utf-32-le", "surrogatepass"), np.uint32)
    hashes = _hashes(points.astype(np.uint64))
    kept = np.flatnonzero(hashes % np.uint64(KEPT_OF) == 0)
    at = np.clip(characters.boxes[np.array(places)[kept], :2], 0, 65535).astype(int).tolist()
    # The low bits are spent on the choice.
    low = (hashes[kept] >> np.uint64(32)).astype(np.uint32).tolist()
    return [{"x": x, "y": y, "hash": value} for (x, y), value in zip(at, low, strict=True)]


def _hashes(points: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """uint64[N - 4]: of the run that begins at each character."""
    count = len(points) - RUN_CHARS + 1
    han = (points[:count] >= 0x3400) & (points[:count] < 0xA000)
    runs = np.zeros(count, np.uint64)
    for i in range(RUN_CHARS):
        longer = (runs ^ points[i : i + count]) * _FACTOR
        longer ^= longer >> _SHIFT
        runs = longer if i < HAN_RUN_CHARS else np.where(han, runs, longer)
    return runs
