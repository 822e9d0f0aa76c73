"""What becomes of each row that the scores keep: a duplicate, text without tiles, or kept.

A task has a batch of rows with all that was found about them: exact duplicates, twins by hash, and
those of which pixels or texts must be compared, which is done here.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipelines.planning import exchange
from pipelines.planning.job import Neighbourhood, PlanJob, column, places
from pipelines.planning.passes.alike import Sides, are_twins
from pipelines.planning.passes.facts import LOOK, TEXT, facts_of, find, needed
from pipelines.planning.passes.judge import rows_of
from pipelines.planning.passes.show import of_neighbourhood
from pipelines.planning.quotas import CONTESTED, contest
from vae_corpus import storage

_NEEDED = ("slug", "kind", "tile_count", "blank_tiles", *CONTESTED)

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
        for name in ("exact", "twins", "pairs", "facts")
    }
    contests = []
    for neighbourhood in job.batches[number]:
        rows = rows_of(job, neighbourhood, _NEEDED)
        exact = _best(job, of_neighbourhood(found["exact"], "row", neighbourhood), "row")
        near = _best(job, of_neighbourhood(found["twins"], "row", neighbourhood), "row")
        pairs = of_neighbourhood(found["pairs"], "worse", neighbourhood)
        looked, texts, tiles = _look_closer(job, neighbourhood, pairs, found["facts"])
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
    job: PlanJob, neighbourhood: Neighbourhood, pairs: pa.Table, facts: pa.Table
) -> tuple[dict[int, _Twin], dict[int, _Twin], dict[int, list[int]]]:
    """By place of the worse: twins by pixels or sketch, twins by text, and tiles with twins."""
    tiles: dict[int, list[int]] = {}
    if not len(pairs):
        return {}, {}, tiles
    worse, tile, what = (column(pairs, name) for name in ("worse", "worse_tile", "what"))
    rows = rows_of(job, neighbourhood, needed(what))
    mine = facts_of(job, neighbourhood, rows, worse, tile, what)
    other = find(facts, column(pairs, "other"), column(pairs, "other_tile"), what)
    sides = Sides(facts, other, mine, find(mine, worse, tile, what))
    alike = are_twins(job.plan, sides, what, tile)
    looked, texts = (
        _best(job, pairs.filter(pa.array(alike & (tile == 0) & which)), "worse")
        for which in (what == LOOK, what == TEXT)
    )
    of_tiles = alike & (tile > 0)
    named = zip(places(worse[of_tiles]).tolist(), tile[of_tiles].tolist(), strict=True)
    for place, n in sorted(set(named)):
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
    for place, twin in near.items():
        if slugs[place] is None:
            slugs[place], of[place] = "near_duplicate", twin.key
    for place, twin in exact.items():
        slugs[place], of[place] = "duplicate", twin.key
    lost = np.zeros(len(slugs), np.int32)
    for place, theirs in tiles.items():
        lost[place] = len(theirs)
    cut = pc.fill_null(rows["tile_count"], -1).to_numpy()
    blank = pc.fill_null(rows["blank_tiles"], 0).to_numpy()
    # Text of which no tile is left; general images have no count.
    for place in np.flatnonzero(cut == lost).tolist():
        if slugs[place] is None:
            why = "blank" if blank[place] else "no_text"
            slugs[place] = "near_duplicate" if lost[place] else why
    ends = np.concatenate(([0], np.cumsum(lost))).astype(np.int32)
    numbers = [n for place in sorted(tiles) for n in tiles[place]]
    twins = pa.ListArray.from_arrays(pa.array(ends), pa.array(numbers, pa.uint16()))
    return pa.table({"slug": slugs, "duplicate_of": of, "twin_tiles": twins}, schema=FATES_SCHEMA)
