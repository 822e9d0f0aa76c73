"""Exact duplicates: images with the same bytes, of which the first one stays.

A task has all rows whose hashes fall into its partition. The others of them that have a perceptual
hash go on to be compared: once for each block of the hash that may be the first of three which two
near hashes have in common, to whoever has all rows with that block.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from pipelines.planning import exchange, hash_pairs
from pipelines.planning.job import PlanJob, column, exchange_name
from pipelines.planning.ranks import prefixes
from vae_corpus import storage
from vae_corpus.seeds import mixed

# That a row is a duplicate, and of which better one.
VERDICTS_SCHEMA = pa.schema(
    [
        ("row", pa.uint64()),
        ("first", pa.uint64()),
        ("second", pa.uint64()),
        ("other", pa.uint64()),
        ("source", pa.uint16()),
        ("prefix", pa.uint64()),
    ]
)


def find_exact(job: PlanJob, number: int) -> dict[str, Any]:
    """Hand the duplicates of a partition to their batches, the others to be compared."""
    images = exchange.read(storage.join(job.work, "images"), job.numbered(), number)
    hashes = column(images, "sha256")
    first = first_of_equals(hashes)
    images = images.append_column("prefix", pa.array(prefixes(hashes)))
    copies = np.flatnonzero(first != np.arange(len(images)))
    path = exchange_name(number)
    found = verdicts(images, copies, first[copies])
    exchange.write(
        storage.join(job.work, "exact", path),
        found,
        job.batch_of_rows(column(found, "row")),
        job.partitions,
    )
    kept = first == np.arange(len(images))
    rows = np.flatnonzero(kept & column(images, "hashed"))
    phash = column(images, "phash")[rows]
    cut = hash_pairs.blocks(job.plan.duplicate_bits)
    to = [
        block_partition(job, hash_pairs.block_values(phash, cut[block]), block)
        for block in hash_pairs.first_blocks(job.plan.duplicate_bits)
    ]
    exchange.write(
        storage.join(job.work, "hashes", path),
        images.drop_columns(["hashed", "sha256"]),
        np.concatenate(to),
        len(to) * job.partitions,
        np.tile(rows, len(to)),
    )
    return {"duplicates": len(copies)}


def block_partition(job: PlanJob, values: NDArray[np.uint64], block: int) -> NDArray[np.int64]:
    """Who compares the rows that have these values in a block."""
    to = mixed(values + np.uint64(block << 56)) % np.uint64(job.partitions)
    return to.astype(np.int64) + block * job.partitions


def first_of_equals(hashes: NDArray[np.uint8]) -> NDArray[np.int64]:
    """For each of uint8[N, 32] the number of the first one that equals it."""
    keys = [np.ascontiguousarray(hashes).view("<u8")[:, n] for n in range(4)]
    order = np.argsort(keys[0], kind="stable")
    ahead, behind = order[:-1], order[1:]
    same = np.logical_and.reduce([key[ahead] == key[behind] for key in keys])
    if (same != (keys[0][ahead] == keys[0][behind])).any():
        # Two hashes begin with the same 8 bytes: once in 10^9 images or so.
        order = np.lexsort(keys[::-1])
        ahead, behind = order[:-1], order[1:]
        same = np.logical_and.reduce([key[ahead] == key[behind] for key in keys])
    begins = np.concatenate(([True], ~same)) if len(order) else np.zeros(0, np.bool_)
    first = np.empty(len(hashes), np.int64)
    first[order] = order[np.maximum.accumulate(np.where(begins, np.arange(len(order)), 0))]
    return first


def verdicts(images: pa.Table, worse: NDArray[np.int64], better: NDArray[np.int64]) -> pa.Table:
    """As `VERDICTS_SCHEMA`: these rows are duplicates of those."""
    kept = images.take(pa.array(better))
    columns = {
        "row": images["row"].take(pa.array(worse)),
        "first": kept["first"],
        "second": kept["second"],
        "other": kept["row"],
        "source": kept["source"],
        "prefix": kept["prefix"],
    }
    return pa.table(columns, schema=VERDICTS_SCHEMA)
