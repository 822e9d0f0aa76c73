"""Make an index out of the Parquet indexes of all shards, a few in memory at a time."""

from __future__ import annotations

import itertools
import json
import os
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from vae_corpus import storage
from vae_corpus.words import Group
from vae_training.data.index_part import Part, in_order, read_part
from vae_training.data.listing import Listing

VERSION = 1  # of the files; raised when they, or what lies beside them, mean something else
MARK = "index.json"
# Column -> type, and how many there are, as the mark counts it. `ends` says where the key of each
# row ends in `letters`.
COLUMNS = {
    "shard": ("<i4", "rows"),
    "offset": ("<i8", "rows"),
    "bytes": ("<i8", "rows"),
    "group": ("<i4", "rows"),
    "parent": ("<u8", "rows"),
    "ends": ("<i8", "rows"),
    "letters": ("u1", "letters"),
    "run_shard": ("<i4", "runs"),
    "run_group": ("<i4", "runs"),
    "run_first": ("<i8", "runs"),
    "run_count": ("<i8", "runs"),
}
_AT_ONCE = 16  # most of the time is waiting, where the corpus is far away
_RUNS_AT_ONCE = 1024


def build(listing: Listing, folder: Path) -> None:
    """Write the files of an index into an empty folder, the mark last.

    Rows are never in memory together; of each shard 24 bytes and a few per group stay.
    CorpusError names the first shard that is wrong.
    """
    number: dict[Group, int] = {}
    runs: list[tuple[int, int, int]] = []  # shard, group as it was first seen, rows
    rows = letters = 0
    with ExitStack() as stack:
        files: dict[str, IO[bytes]] = {
            name: stack.enter_context(open(folder / name, "wb")) for name in COLUMNS
        }
        for shard, part in enumerate(_parts(listing)):
            for name in ("offset", "bytes", "parent", "letters"):
                _write(files, name, getattr(part, name))
            _write(files, "ends", part.ends + letters)
            for group, count in zip(part.groups, part.counts.tolist(), strict=True):
                runs.append((shard, number.setdefault(group, len(number)), count))
            rows += len(part.offset)
            letters += len(part.letters)
        groups = sorted(number, key=in_order)
        _write_runs(files, runs, [groups.index(group) for group in number])
        for file in files.values():
            file.flush()
            os.fsync(file.fileno())
    told = {
        "version": VERSION,
        "corpus": listing.place,
        "rows": rows,
        "letters": letters,
        "runs": len(runs),
        "groups": [asdict(group) for group in groups],
    }
    storage.commit_bytes(str(folder / MARK), json.dumps(told).encode())


def _parts(listing: Listing) -> Iterator[Part]:
    """The rows of each shard in order, read by threads a few shards ahead."""
    shards = zip(listing.names, listing.tar_bytes, listing.index_bytes, strict=True)
    pending: deque[Future[Part]] = deque()
    with ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="index") as pool:
        try:
            while True:
                for shard in itertools.islice(shards, 2 * _AT_ONCE - len(pending)):
                    pending.append(pool.submit(read_part, listing.corpus, *shard))
                if not pending:
                    return
                yield pending.popleft().result()
        finally:
            for each in pending:
                each.cancel()


def _write_runs(
    files: dict[str, IO[bytes]], runs: list[tuple[int, int, int]], numbers: Sequence[int]
) -> None:
    """Write the table of runs, and shard and group of each row, which follow from it.

    Groups are numbered in their order, which only is known when all have been seen.
    """
    shard, group, count = np.array(runs, dtype=np.int64).reshape(-1, 3).T
    group = np.array(numbers, dtype=np.int64)[group]
    for name, values in (("shard", shard), ("group", group), ("count", count)):
        _write(files, f"run_{name}", values)
    _write(files, "run_first", np.cumsum(count) - count)
    for start in range(0, len(runs), _RUNS_AT_ONCE):
        some = slice(start, start + _RUNS_AT_ONCE)
        _write(files, "shard", np.repeat(shard[some], count[some]))
        _write(files, "group", np.repeat(group[some], count[some]))


def _write(files: dict[str, IO[bytes]], name: str, values: NDArray[Any]) -> None:
    files[name].write(np.ascontiguousarray(values, dtype=COLUMNS[name][0]).data)
