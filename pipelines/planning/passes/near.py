"""Near duplicates by perceptual hash: of two images that look alike the better one stays.

Images within a few bits of the coarse hash are verified with the fine one (pages of text look alike
in 64 bits), aspect ratio and brightness. An image goes when any better one is near it, so of a
chain of ever poorer copies only the best stays.

Pages of one template pass all that. So where one of a pair is text, both must say the same: by the
sketch of their texts where both have one, else by the layout of their pixels. That is looked at
where these are (`show`, `fates`).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from pipelines.planning import exchange, hash_pairs
from pipelines.planning.job import PlanJob, column, exchange_name
from pipelines.planning.passes.exact import VERDICTS_SCHEMA, verdicts
from pipelines.planning.passes.facts import LOOK
from pipelines.planning.passes.judge import MAX_LOG_ASPECT, MAX_LUMA_STEP
from vae_corpus import storage

ASKS_SCHEMA = pa.schema(
    [
        ("row", pa.uint64()),
        ("tile", pa.uint16()),
        ("worse", pa.uint64()),
        ("worse_tile", pa.uint16()),
        ("what", pa.uint8()),
    ]
)


def find_near(job: PlanJob, number: int) -> dict[str, Any]:
    """Hand twins to the batches of the worse, pairs to look at to those of the better."""
    s = job.plan
    near = hash_pairs.Nearness(
        bits=s.duplicate_bits,
        fine_bits=s.duplicate_fine_bits,
        log_aspect=MAX_LOG_ASPECT,
        luma=MAX_LUMA_STEP,
    )
    twins, asks, capped = [VERDICTS_SCHEMA.empty_table()], [ASKS_SCHEMA.empty_table()], 0
    for block in hash_pairs.first_blocks(s.duplicate_bits):
        part = block * job.partitions + number
        images = exchange.read(storage.join(job.work, "hashes"), job.numbered(), part)
        # Whatever the number of partitions, the rows with one block come in one order.
        images = images.take(pa.array(np.argsort(column(images, "row"))))
        met = hash_pairs.meet(hashed(images), near, block)
        worse = np.flatnonzero(met.twin >= 0)
        twins.append(verdicts(images, worse, met.twin[worse]))
        row, place = np.nonzero(met.looks >= 0)
        asks.append(_asks(column(images, "row"), met.looks[row, place], row))
        capped += met.capped
    for name, found, schema in (("twins", twins, VERDICTS_SCHEMA), ("looks", asks, ASKS_SCHEMA)):
        whole = pa.concat_tables(found)
        path = storage.join(job.work, name, exchange_name(number))
        to = job.batch_of_rows(column(whole, "row"))
        exchange.write(path, whole.cast(schema), to, job.partitions)
    return {"capped": capped}


def hashed(images: pa.Table) -> hash_pairs.Hashed:
    """Rows of `IMAGES_SCHEMA` for comparison."""
    fine = np.ascontiguousarray(column(images, "fine")) if len(images) else np.zeros((0, 32), "u1")
    better = [column(images, name) for name in ("first", "second", "row")]
    names = ("phash", "aspect", "luma", "page", "same", "flags")
    plain: Any = {name: column(images, name) for name in names}
    return hash_pairs.Hashed(fine=fine.view("<u8"), better=np.stack(better, axis=1), **plain)


def _asks(rows: Any, better: Any, worse: Any) -> pa.Table:
    none = np.zeros(len(worse), np.uint16)
    return pa.table(
        {
            "row": rows[better],
            "tile": none,
            "worse": rows[worse],
            "worse_tile": none,
            "what": np.full(len(worse), LOOK, np.uint8),
        },
        schema=ASKS_SCHEMA,
    )
