"""Members of tars that are no images: counted by extension, with the scores of their unit."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from vae_corpus import storage

_MARK = "passed_over"
_READERS = 32


def mark(counts: Mapping[str, int]) -> dict[str, str]:
    """What a table of scores says of the counts of its unit."""
    return {_MARK: json.dumps(dict(sorted(counts.items())))} if counts else {}


def count_passed_over(
    plan_folder: str, score_folder: str, unit_ids: Sequence[str]
) -> dict[str, int]:
    """Members by extension over these units, most first; kept beside the plan, asked for once."""
    path = storage.join(plan_folder, "passed_over.json")
    if storage.exists(path):
        kept: dict[str, int] = json.loads(storage.read_bytes(path))
        return kept
    total: Counter[str] = Counter()
    paths = [storage.join(score_folder, f"{unit_id}.parquet") for unit_id in unit_ids]
    with ThreadPoolExecutor(_READERS) as pool:
        for marks in pool.map(storage.parquet_metadata, paths):
            total.update(json.loads((marks or {}).get(_MARK, "{}")))
    counts = dict(sorted(total.items(), key=lambda pair: (-pair[1], pair[0])))
    storage.commit_bytes(path, json.dumps(counts).encode())
    return counts
