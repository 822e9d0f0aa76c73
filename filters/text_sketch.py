"""Text sketch: a few bytes that say of two texts how far they differ, digit by digit.

A text is all its runs of 5 characters without white space. Each run falls on one of 1,024 bits, and
each bit says whether an odd number of runs fell on it. What two texts share cancels out, so the
bits that differ count the runs that only one of them has, however long both are (Mitzenmacher, Pagh
and Pham, "Efficient estimation for high similarities using odd sketches", 2014). One other
character makes up to ten.
"""

from __future__ import annotations

import unicodedata
from typing import Any

import numpy as np
import pyarrow as pa

from vae_corpus.score_types import Column, Look, Score, always

# Raised when the same text would give another sketch.
VERSION = "1"

# Shorter texts are headings and page numbers, which many pages share.
MIN_CHARS = 32
_RUN_CHARS = 5
_BITS_LOG2 = 10
_FACTOR = np.uint64(0x9E3779B97F4A7C15)
_SHIFT = np.uint64(29)

SCORE = Score(
    name="text_sketch",
    columns=(
        Column(
            name="text_sketch",
            type=pa.binary(),
            meaning="odd sketch of 1,024 bits of the text that came with a page",
            carried=False,
        ),
    ),
    prepare=always(VERSION, lambda look: _of_page(look)),
)


def _of_page(look: Look) -> dict[str, Any]:
    """None as well where most of what the page shows is not in its text: a scan with a stamp."""
    text = look.known.characters.text if look.known and not look.known.doubt else None
    if text is None or len(plain(text)) < (look.value("chars_est") or 0) / 2:
        return {"text_sketch": None}
    return {"text_sketch": text_sketch(text)}


def plain(text: str) -> str:
    """`text` without what depends on how it was set: white space, ligatures, wide letters."""
    letters = unicodedata.normalize("NFKC", text)
    return "".join(c for c in letters if not c.isspace() and unicodedata.category(c) != "Cc")


def text_sketch(text: str) -> bytes | None:
    """128 bytes; None for less than 32 characters. Compared by the number of bits that differ."""
    letters = plain(text)
    if len(letters) < MIN_CHARS:
        return None
    points = np.frombuffer(letters.encode("utf-32-le", "surrogatepass"), np.uint32)
    points = points.astype(np.uint64)
    count = len(points) - _RUN_CHARS + 1
    runs = np.zeros(count, np.uint64)
    for i in range(_RUN_CHARS):
        runs = (runs ^ points[i : i + count]) * _FACTOR
        runs ^= runs >> _SHIFT
    # The second of two equal runs is another run: else a number that stands elsewhere as well, and
    # takes the place of another here, would not count.
    runs.sort()
    before = np.arange(count) - np.searchsorted(runs, runs)
    places = ((runs ^ before.astype(np.uint64)) * _FACTOR) >> np.uint64(64 - _BITS_LOG2)
    odd = np.bincount(places.astype(np.int64), minlength=1 << _BITS_LOG2) & 1
    return np.packbits(odd.astype(np.uint8)).tobytes()
