"""Members of tars that are no images: counted by extension, with the scores of their unit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from vae_corpus import storage

_MARK = "passed_over"
_READERS = 32


def mark(counts: Mapping[str, int]) -> dict[str, str]:
    """What a table of scores says of the counts of its unit."""
    return {_MARK: json.dumps(dict(sorted(counts.items())))} if counts else {}


def count_passed_over(
    plan_folder: str, score_folder: str, unit_tables: Iterable[str], sources: Sequence[str]
) -> dict[str, int]:
    """Members by extension over the units of these sources, most first.

    Kept beside the plan: the tables of units, one for each neighbourhood, are asked for once.
    """
    path = storage.join(plan_folder, "passed_over.json")
    try:
        kept: dict[str, int] = json.loads(storage.read_bytes(path))
        return kept
    except FileNotFoundError:
        pass
    total: Counter[str] = Counter()
    with ThreadPoolExecutor(_READERS) as pool:
        for table in unit_tables if sources else ():
            paths = (storage.join(score_folder, f"{unit}.parquet") for unit in _ids(table, sources))
            for marks in pool.map(storage.parquet_metadata, paths):
                total.update(json.loads((marks or {}).get(_MARK, "{}")))
    counts = dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))
    storage.commit_bytes(path, json.dumps(counts).encode())
    return counts


def _ids(table: str, sources: Sequence[str]) -> list[str]:
    with storage.open_read(table) as file:
        units = pq.read_table(file, columns=["unit_id", "source"], use_threads=False)
    mine = pc.is_in(units["source"], pa.array(sources, pa.string()))
    ids: list[str] = units.filter(mine)["unit_id"].to_pylist()
    return ids
