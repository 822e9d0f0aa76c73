"""Whether pages and tiles are twins that cannot be told by their hashes.

Pages that look alike are twins where their texts, else their layouts, are the same; texts are twins
by the share of marks that both have. Where these stand at the same places, both may be filled in
from one template, and differ by a name: then they must say the same as strictly as above.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from filters import layout
from pipelines.planning.passes.facts import LOOK
from pipelines.planning.settings import PlanSettings
from pipelines.planning.texts import THINNED

# Runs that stand elsewhere by so much of the sides were set anew.
_SET_ANEW = 0.02
# Layouts are 4 kB each.
_AT_ONCE = 8192


class Sides(NamedTuple):
    """Pairs: row `one[n]` of the facts `ones` and row `other[n]` of `others`."""

    ones: pa.Table
    one: NDArray[np.int64]
    others: pa.Table
    other: NDArray[np.int64]


def are_twins(
    s: PlanSettings, pairs: Sides, what: NDArray[np.uint8], tile: NDArray[np.uint16]
) -> NDArray[np.bool_]:
    """Which pairs are twins; `what` is asked about them, `tile` of the worse is 0 for a page."""
    look = what == LOOK
    both_say, bits = _apart(pairs, "text_sketch", _bits_apart, np.ones(len(look), np.bool_))
    same_text = both_say & (bits <= s.duplicate_text_runs)
    laid_out, levels = _apart(pairs, "layout", layout.differences, look & ~both_say)
    alike = np.where(both_say, same_text, ~laid_out | (levels <= s.duplicate_layout_levels))
    alike &= look
    for n in np.flatnonzero(~look & (tile > 0)).tolist():
        alike[n] = _share(*_both(pairs, n, _hashes)) >= s.duplicate_tile_share
    for n in np.flatnonzero(~look & (tile == 0)).tolist():
        one, other = _both(pairs, n, _marks)
        thin = [np.unique(m.hashes[m.hashes % THINNED == 0]) for m in (one, other)]
        if _share(*thin) >= s.duplicate_text_share:
            moved = _moved(one, other)
            alike[n] = moved is not None and (moved > _SET_ANEW or same_text[n])
    return alike


def _both(pairs: Sides, n: int, read: Any) -> Any:
    return read(pairs.ones, int(pairs.one[n])), read(pairs.others, int(pairs.other[n]))


def _apart(
    pairs: Sides, name: str, differences: Any, wanted: NDArray[np.bool_]
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Which of the wanted pairs have blobs on both sides, and how far those are apart."""
    (ones, at_one), (others, at_other) = _blobs(pairs.ones, name), _blobs(pairs.others, name)
    one, other = at_one[pairs.one], at_other[pairs.other]
    known = wanted & (one >= 0) & (other >= 0)
    apart = np.zeros(len(known))
    at = np.flatnonzero(known)
    for start in range(0, len(at), _AT_ONCE):
        few = at[start : start + _AT_ONCE]
        apart[few] = differences(ones[one[few]], others[other[few]])
    return known, apart


def _blobs(facts: pa.Table, name: str) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    """uint8[M, size] of the blobs of a column, and for each row its number there or -1."""
    values = facts[name].combine_chunks()
    known = values.is_valid().to_numpy(zero_copy_only=False)
    blobs = values.drop_null().to_pylist()
    size = len(blobs[0]) if blobs else 1
    at = np.where(known, np.cumsum(known) - 1, -1)
    return np.frombuffer(b"".join(blobs), np.uint8).reshape(-1, size), at


def _bits_apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> NDArray[np.int64]:
    bits: NDArray[np.int64] = np.bitwise_count(one ^ other).sum(axis=1, dtype=np.int64)
    return bits


def _hashes(facts: pa.Table, n: int) -> NDArray[np.uint32]:
    return np.array(facts["said"][n].as_py(), np.uint32)


def _share(one: NDArray[np.uint32], other: NDArray[np.uint32]) -> float:
    """What two sorted sets have in common, as a share of what either has."""
    shared = len(np.intersect1d(one, other, assume_unique=True))
    return shared / (len(one) + len(other) - shared)


class _Marks(NamedTuple):
    """Hashes of what stands on a page, and where: float64[N, 2] as shares of its sides."""

    hashes: NDArray[np.uint32]
    at: NDArray[np.float64]


def _marks(side: Any, n: int) -> _Marks:
    marks = side["text_marks"][n].values
    hashes, x, y = (marks.field(name).to_numpy(zero_copy_only=False) for name in ("hash", "x", "y"))
    width, height = side["width"][n].as_py(), side["height"][n].as_py()
    at = np.stack([x.astype(np.float64) / width, y.astype(np.float64) / height], axis=1)
    return _Marks(hashes.astype(np.uint32), at)


def _moved(one: _Marks, other: _Marks) -> float | None:
    """How far what stands once on both pages is apart in the median; None where nothing does."""
    places = []
    for marks in (one, other):
        values, index, counts = np.unique(marks.hashes, return_index=True, return_counts=True)
        places.append((values[counts == 1], index[counts == 1]))
    (ones, at_one), (others, at_other) = places
    _, i, j = np.intersect1d(ones, others, assume_unique=True, return_indices=True)
    if not len(i):
        return None
    apart = np.abs(one.at[at_one[i]] - other.at[at_other[j]]).sum(axis=1)
    return float(np.median(apart))
