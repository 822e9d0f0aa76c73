"""What becomes of each row that the scores keep: a duplicate, text without tiles, or kept.

A task has a batch of rows with all that was found about them: exact duplicates, twins by hash, and
those of which pixels or texts must be compared, which is done here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from filters import layout
from pipelines.planning import exchange
from pipelines.planning.job import Neighbourhood, PlanJob, column, places
from pipelines.planning.passes.judge import rows_of
from pipelines.planning.passes.near import LOOK
from pipelines.planning.passes.show import NEEDED, compared, of_neighbourhood
from pipelines.planning.quotas import CONTESTED, contest
from pipelines.planning.texts import THINNED
from vae_corpus import storage
from vae_corpus.words import GENERAL

_NEEDED = ("slug", "kind", "tile_count", "blank_tiles", *CONTESTED)
# Runs that stand elsewhere by so much of the sides were set anew.
_SET_ANEW = 0.02

FATES_SCHEMA = pa.schema(
    [
        ("slug", pa.string()),
        ("duplicate_of", pa.string()),
        # Tiles that say what a better one says, by number from 1.
        ("twin_tiles", pa.list_(pa.uint16())),
    ]
)


class _Twin(NamedTuple):
    """A better one, by its rank, and its key."""

    rank: tuple[int, int, int]
    key: str


def decide_batch(job: PlanJob, number: int) -> dict[str, Any]:
    """Write `fates` of each neighbourhood, and who contends for the places of a quota."""
    found = {
        name: exchange.read(storage.join(job.work, name), job.numbered(), number)
        for name in ("exact", "twins", "shown")
    }
    contests = []
    for neighbourhood in job.batches[number]:
        rows = rows_of(job, neighbourhood, _NEEDED)
        exact = _best(job, of_neighbourhood(found["exact"], "row", neighbourhood), "row")
        near = _best(job, of_neighbourhood(found["twins"], "row", neighbourhood), "row")
        shown = of_neighbourhood(found["shown"], "worse", neighbourhood)
        looked, texts, tiles = _look_closer(job, neighbourhood, shown)
        for place, twin in looked.items():
            near[place] = min(near.get(place, twin), twin)
        fates = _fates(rows, exact, texts | near, tiles)
        path = storage.join(job.work, "fates", f"{neighbourhood.name}.parquet")
        storage.commit_table(path, fates)
        contests.append(contest(job, neighbourhood, rows, fates))
    path = storage.join(job.work, "contest", f"{number:06d}.parquet")
    storage.commit_table(path, pa.concat_tables(contests))
    return {}


def _look_closer(
    job: PlanJob, neighbourhood: Neighbourhood, shown: pa.Table
) -> tuple[dict[int, _Twin], dict[int, _Twin], dict[int, list[int]]]:
    """By place of the worse: twins by pixels or sketch, twins by text, and tiles with twins."""
    tiles: dict[int, list[int]] = {}
    if not len(shown):
        return {}, {}, tiles
    rows = rows_of(job, neighbourhood, NEEDED)
    at = places(column(shown, "worse"))
    look = column(shown, "what") == LOOK
    mine = compared(job, neighbourhood, rows, at, look, column(shown, "worse_tile"))
    alike = _compare(job, shown, mine, look)
    tile = column(shown, "worse_tile").astype(np.int64)
    looked, texts = (
        _best(job, shown.filter(pa.array(alike & (tile == 0) & which)), "worse")
        for which in (look, ~look)
    )
    of_tiles = alike & (tile > 0)
    for place, n in sorted(set(zip(at[of_tiles].tolist(), tile[of_tiles].tolist(), strict=True))):
        tiles.setdefault(place, []).append(n)
    return looked, texts, tiles


def _best(job: PlanJob, found: pa.Table, of: str) -> dict[int, _Twin]:
    """The best twin of each place in a neighbourhood."""
    best: dict[int, _Twin] = {}
    columns = [found[name].to_pylist() for name in ("first", "second", "other", "source", "prefix")]
    for place, first, second, other, source, prefix in zip(
        places(column(found, of)).tolist(), *columns, strict=True
    ):
        twin = _Twin((first, second, other), f"{job.sources[source]}-{prefix:016x}")
        best[place] = min(best.get(place, twin), twin)
    return best


def _fates(
    rows: pa.Table, exact: dict[int, _Twin], near: dict[int, _Twin], tiles: dict[int, list[int]]
) -> pa.Table:
    slugs = rows["slug"].to_pylist()
    of: list[str | None] = [None] * len(slugs)
    twins: list[list[int]] = [tiles.get(n, []) for n in range(len(slugs))]
    cut = rows["tile_count"].to_pylist()
    blank, kinds = rows["blank_tiles"].to_pylist(), rows["kind"].to_pylist()
    for place, slug in enumerate(slugs):
        if slug is not None:
            continue
        if place in exact:
            slugs[place], of[place] = "duplicate", exact[place].key
        elif place in near:
            slugs[place], of[place] = "near_duplicate", near[place].key
        elif kinds[place] != GENERAL and len(twins[place]) == cut[place]:
            slugs[place] = (
                "near_duplicate" if twins[place] else "blank" if blank[place] else "no_text"
            )
    return pa.table({"slug": slugs, "duplicate_of": of, "twin_tiles": twins}, schema=FATES_SCHEMA)


def _compare(
    job: PlanJob, shown: pa.Table, mine: dict[str, Any], look: NDArray[np.bool_]
) -> NDArray[np.bool_]:
    """Which pairs are twins: `shown` has the better ones, `mine` the worse, row by row."""
    alike = np.zeros(len(shown), np.bool_)
    same_text = (
        _bits_apart(shown["text_sketch"], mine["text_sketch"]) <= job.plan.duplicate_text_runs
    )
    both_say = _both(shown["text_sketch"], mine["text_sketch"])
    laid_out = _both(shown["layout"], mine["layout"])
    by_layout = look & ~both_say & laid_out
    apart = layout.differences(
        _blobs(shown["layout"], by_layout), _blobs(mine["layout"], by_layout)
    )
    alike[look] = np.where(both_say, same_text, ~laid_out)[look]
    alike[by_layout] = apart <= job.plan.duplicate_layout_levels
    tile = column(shown, "worse_tile") > 0
    for n in np.flatnonzero(~look & tile):
        said = [np.array(side["said"][n].as_py(), np.uint32) for side in (shown, mine)]
        alike[n] = _share(*said) >= job.plan.duplicate_tile_share
    for n in np.flatnonzero(~look & ~tile):
        one, other = (_marks(side, int(n)) for side in (shown, mine))
        thin = [np.unique(m.hashes[m.hashes % THINNED == 0]) for m in (one, other)]
        if _share(*thin) >= job.plan.duplicate_text_share:
            moved = _moved(one, other)
            alike[n] = moved is not None and (moved > _SET_ANEW or (both_say[n] and same_text[n]))
    return alike


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


def _both(one: Any, other: Any) -> NDArray[np.bool_]:
    known: Any = pc.and_(pc.is_valid(one), pc.is_valid(other))
    both: NDArray[np.bool_] = known.to_numpy(zero_copy_only=False)
    return both


def _bits_apart(one: Any, other: Any) -> NDArray[np.int64]:
    both = _both(one, other)
    apart = np.zeros(len(both), np.int64)
    pair = [_blobs(side, both) for side in (one, other)]
    if both.any():
        apart[both] = np.bitwise_count(pair[0] ^ pair[1]).sum(axis=1)
    return apart


def _blobs(values: Any, wanted: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """uint8[N, size] of the wanted ones of a column of blobs of one size."""
    blobs = values.filter(pa.array(wanted)).to_pylist()
    size = len(blobs[0]) if blobs else 1
    return np.frombuffer(b"".join(blobs), np.uint8).reshape(-1, size)
