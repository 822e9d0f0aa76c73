"""Choose the validation samples: fixed by the keys alone, and never trained on.

Whole parents are held out: the tiles of one page, or the sizes of one photograph, are too alike
to lie on both sides.
"""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pipelines.sample import Group
from vae_training.data.shards import Shards

_LARGEST_SHARE = 0.25  # of the parents of a kind


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """`validation`: rows per kind, lowest rung first. `training`: bool per row."""

    validation: dict[str, list[int]]
    training: NDArray[np.bool_]


def hold_out(shards: Shards, per_kind: int) -> Holdout:
    """Hold out the parents with the smallest hashes until each kind has `per_kind` samples.

    At most a quarter of a kind's parents, and never the last sample of a group: a small corpus
    may give fewer, or none.
    """
    rows_of: dict[str, list[int]] = defaultdict(list)
    for row, parent in enumerate(shards.parents.to_pylist()):
        rows_of[parent].append(row)
    kinds = sorted({g.kind for g in shards.groups})
    parents_of = {kind: set() for kind in kinds}
    for parent, rows in rows_of.items():
        for row in rows:
            parents_of[shards.groups[shards.group[row]].kind].add(parent)
    left = Counter(shards.group.tolist())
    training = np.ones(len(shards), dtype=np.bool_)
    for kind in kinds:
        allowed = int(len(parents_of[kind]) * _LARGEST_SHARE)
        chosen = 0
        for parent in sorted(parents_of[kind], key=_hash):
            if allowed == 0 or chosen >= per_kind:
                break
            rows = rows_of[parent]
            groups = Counter(shards.group[row] for row in rows)
            if training[rows[0]]:
                if any(left[g] <= n for g, n in groups.items()):
                    continue
                left.subtract(groups)
                training[rows] = False
            allowed -= 1
            chosen += sum(shards.groups[shards.group[row]].kind == kind for row in rows)
    validation = {kind: _pick(shards, training, kind, per_kind) for kind in kinds}
    return Holdout(validation=validation, training=training)


def _hash(key: str) -> bytes:
    return hashlib.sha256(f"holdout:{key}".encode()).digest()


def _pick(shards: Shards, training: NDArray[np.bool_], kind: str, count: int) -> list[int]:
    rows = [r for r in np.flatnonzero(~training).tolist() if _group(shards, r).kind == kind]
    # Low rungs first: a 2048 px sample would cost as much as all others together. Then one of
    # each parent and group before a second one.
    seen: Counter[tuple[str, int]] = Counter()
    ranked = []
    for row in sorted(rows, key=lambda r: _hash(shards.key(r))):
        place = (str(shards.parents[row]), _group(shards, row).rung)
        ranked.append((_group(shards, row).rung, seen[place], row))
        seen[place] += 1
    return [row for _, _, row in sorted(ranked)[:count]]


def _group(shards: Shards, row: int) -> Group:
    return shards.groups[shards.group[row]]
