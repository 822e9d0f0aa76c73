"""Pack shards of a neighbourhood: read its originals once, in order, and lay them where they go.

Each shard is a fair draw of the neighbourhood, so all of them grow while the originals go by. What
goes to a shard that several neighbourhoods fill is laid into a part of it.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipelines.planning import tables
from pipelines.planning.shards import PACKED, is_labelled
from pipelines.sources import Source
from pipelines.sources.originals import ChangedError, fetch_page, unchanged
from pipelines.stages.packing.cut import cut_samples
from pipelines.stages.packing.drafts import Drafts
from pipelines.stages.packing.job import PackError, PackJob, PackTask, Target, is_committed
from pipelines.workers import pulse
from renderers.documents.page import DocumentFault
from vae_corpus import storage

# Where the original lies, what decides its stored bytes, and where it goes.
_READ = ("uri", "offset", "bytes", *PACKED, "shard", "part")
# Rows that are unpacked at once: all of a neighbourhood would take some hundred megabytes.
_ROWS_AT_ONCE = 256
_LOOKS_AT_ONCE = 16
# Faults of one image, which the shards of others need not suffer from.
_FAULTS = (PackError, ChangedError, DocumentFault)


def make_packer(job: PackJob) -> Callable[[PackTask], dict[str, Any]]:
    """The work of a packing process: each call packs shards of one neighbourhood."""
    cv2.setNumThreads(1)

    def pack(task: PackTask) -> dict[str, Any]:
        # What an earlier try of the task has committed is left out.
        with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
            there = list(pool.map(lambda target: is_committed(job.out, target), task.targets))
        todo = {t.name: t for t, is_there in zip(task.targets, there, strict=True) if not is_there}
        rows = _rows(job.plan, task.neighbourhood, list(todo))
        return _pack(job, rows, todo)

    return pack


def _rows(plan: str, neighbourhood: str, targets: list[str]) -> pa.Table:
    """The selected rows that go to these tars, with the column `target`."""
    data = storage.read_bytes(tables.path(plan, tables.SELECTED, neighbourhood))
    rows = pq.read_table(io.BytesIO(data), columns=list(_READ), use_threads=False)
    rows = rows.append_column("target", pc.coalesce(rows["part"], rows["shard"]))
    return rows.filter(pc.is_in(rows["target"], pa.array(targets, pa.string()))).combine_chunks()


def _pack(job: PackJob, rows: pa.Table, targets: Mapping[str, Target]) -> dict[str, Any]:
    left = Counter(rows["target"].to_pylist())
    faults: dict[str, str] = {}
    total: Counter[str] = Counter(images=0, bytes=0)
    with Drafts(job.out) as drafts:
        for row, data in _with_originals(rows, job.sources):
            name = row["target"]
            left[name] -= 1
            if name in faults:
                continue
            try:
                original = fetch_page(row, job.sources) if data is None else unchanged(row, data)
                for sample in cut_samples(row, original, job):
                    drafts.add(targets[name], sample, row["shard"])
                    # An image of a part is counted when it has come to its shard.
                    pulse.beat(images=int(row["part"] is None), bytes=len(sample.data))
            except _FAULTS as fault:
                faults[name] = str(fault)
                drafts.discard(name)
                continue
            if not left[name]:
                made = drafts.finish(name)
                made["images"] *= row["part"] is None
                total.update(made)
    if faults:
        name, why = next(iter(faults.items()))
        more = f", and {len(faults) - 1} other shards" if len(faults) > 1 else ""
        raise PackError(f"{name}: {why}{more}")
    return dict(total)


def _with_originals(
    rows: pa.Table, sources: Mapping[str, Source]
) -> Iterator[tuple[dict[str, Any], bytes | None]]:
    """Each row with what its source has of it; with None where a page is to be drawn again."""
    runs = pc.run_end_encode(rows["source"].combine_chunks())
    start = 0
    for name, end in zip(runs.values.to_pylist(), runs.run_ends.to_pylist(), strict=True):
        part = rows.slice(start, end - start)
        read = part.filter(pc.invert(_is_labelled(part)))
        columns = (read[column].to_pylist() for column in ("uri", "offset", "bytes"))
        originals = sources[name].fetch_many(list(zip(*columns, strict=True)))
        for at in range(0, len(part), _ROWS_AT_ONCE):
            for row in part.slice(at, _ROWS_AT_ONCE).to_pylist():
                yield row, None if is_labelled(row) else next(originals)
        start = end


def _is_labelled(rows: pa.Table) -> pa.Array:
    """`is_labelled` of each row."""
    names = ("kind", "text_stage")
    return pa.array([is_labelled(row) for row in rows.select(names).to_pylist()], pa.bool_())
