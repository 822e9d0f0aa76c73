"""Whom a quota leaves out: the best of a kind stay, those of earlier generations before others.

Best is: clearest for general images, most characters in 256 px for text. A batch lists who
contends, by two numbers of which the smaller ones are better; one task finds the last place of each
kind.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipelines.planning.job import Neighbourhood, PlanJob, column, row_ids
from pipelines.planning.ranks import hash_bytes, prefixes
from vae_corpus import storage
from vae_corpus.words import GENERAL

CONTEST_SCHEMA = pa.schema(
    [
        ("kind", pa.string()),
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("row", pa.uint64()),
    ]
)
# What a contest is about, besides the kind.
CONTESTED = ("clarity", "max_chars_per_256_tile", "sha256")
# The last place is first found among steps of quality of so many values.
_STEP_BITS = np.uint64(16)

# The last place of a kind, as (first, second, row).
Last = dict[str, tuple[int, int, int]]


def contest(
    job: PlanJob, neighbourhood: Neighbourhood, rows: pa.Table, fates: pa.Table
) -> pa.Table:
    """The rows that are kept so far of kinds that have a quota."""
    kinds = rows["kind"].combine_chunks().to_pylist()
    free = fates["slug"].combine_chunks().is_null().to_numpy(zero_copy_only=False)
    held = np.array([kind in job.plan.quotas for kind in kinds], np.bool_) & free
    if not held.any():
        return CONTEST_SCHEMA.empty_table()
    first, second = qualities(rows, neighbourhood)
    ids = row_ids(neighbourhood, len(rows))
    columns = {"kind": rows["kind"], "first": first, "second": second, "row": ids}
    return pa.table(columns, schema=CONTEST_SCHEMA).filter(pa.array(held))


def qualities(
    rows: pa.Table, neighbourhood: Neighbourhood
) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    general = np.array(rows["kind"].to_pylist()) == GENERAL
    clarity, chars = (
        rows[name].to_numpy(zero_copy_only=False).astype(np.float32)
        for name in ("clarity", "max_chars_per_256_tile")
    )
    quality = np.where(general, clarity, chars)
    known = ~np.isnan(quality)
    bits = np.maximum(np.where(known, quality, 0), 0).astype(np.float32).view(np.uint32)
    worse = np.where(known, np.uint32(0xFFFFFFFE) - bits, np.uint32(0xFFFFFFFF))
    first = (np.uint64(neighbourhood.generation) << np.uint64(32)) | worse.astype(np.uint64)
    return first, prefixes(hash_bytes(rows))


def find_last(job: PlanJob, number: int) -> dict[str, Any]:
    """The last places that the quotas leave; a kind that is not named has room for all."""
    last: dict[str, list[int]] = {}
    for kind, quota in sorted(job.plan.quotas.items()):
        steps: Counter[int] = Counter()
        for table in _contenders(job, kind):
            values, counts = np.unique(column(table, "first") >> _STEP_BITS, return_counts=True)
            steps.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))
        if sum(steps.values()) <= quota:
            continue
        if not quota:
            last[kind] = [-1, 0, 0]
            continue
        before = 0
        for step in sorted(steps):
            if before + steps[step] >= quota:
                break
            before += steps[step]
        close = [
            table.filter(pa.array(column(table, "first") >> _STEP_BITS == np.uint64(step)))
            for table in _contenders(job, kind)
        ]
        rows = np.stack(
            [column(pa.concat_tables(close), name) for name in ("first", "second", "row")]
        )
        order = np.lexsort(rows[::-1])
        last[kind] = rows[:, order[quota - before - 1]].tolist()
    return {"last": last}


def over_quota(
    last: dict[str, list[int]], neighbourhood: Neighbourhood, rows: pa.Table
) -> NDArray[np.bool_]:
    """Which rows come after the last place of their kind."""
    over = np.zeros(len(rows), np.bool_)
    if not last:
        return over
    kinds = np.array(rows["kind"].to_pylist())
    first, second = qualities(rows, neighbourhood)
    ids = row_ids(neighbourhood, len(rows))
    for kind, (a, b, c) in last.items():
        if a < 0:
            over |= kinds == kind
            continue
        place = [np.uint64(value) for value in (a, b, c)]
        after = (first > place[0]) | (
            (first == place[0]) & ((second > place[1]) | ((second == place[1]) & (ids > place[2])))
        )
        over |= (kinds == kind) & after
    return over


def _contenders(job: PlanJob, kind: str) -> Iterator[pa.Table]:
    for number in range(job.partitions):
        path = storage.join(job.work, "contest", f"{number:06d}.parquet")
        with storage.open_read(path) as file:
            yield pq.read_table(file, filters=[("kind", "=", kind)])
