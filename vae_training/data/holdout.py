"""The validation split: chosen by hashes of keys alone, and never trained on.

Whole parents are held out, because tiles of one page, or sizes of one photograph, are too alike to
stand in both sets.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from vae_corpus.words import Group
from vae_training.data.shards import Shards, hashes

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
    kinds = sorted({g.kind for g in shards.groups})
    kind_of = np.array([kinds.index(g.kind) for g in shards.groups])
    by_parent = np.argsort(shards.parent, kind="stable")
    ordered = shards.parent[by_parent]
    left = np.bincount(shards.group, minlength=len(shards.groups))
    training = np.ones(len(shards), dtype=np.bool_)
    for number in range(len(kinds)):
        parents = np.unique(shards.parent[kind_of[shards.group] == number])
        allowed = int(len(parents) * _LARGEST_SHARE)
        chosen = 0
        for parent in parents:  # from the smallest hash on
            if allowed == 0 or chosen >= per_kind:
                break
            first, last = (
                np.searchsorted(ordered, parent),
                np.searchsorted(ordered, parent, "right"),
            )
            rows = by_parent[first:last]
            groups = np.bincount(shards.group[rows], minlength=len(left))
            if training[rows[0]]:
                if (groups[groups > 0] >= left[groups > 0]).any():
                    continue
                left -= groups
                training[rows] = False
            allowed -= 1
            chosen += int((kind_of[shards.group[rows]] == number).sum())
    validation = {kind: _pick(shards, training, kind, per_kind) for kind in kinds}
    return Holdout(validation=validation, training=training)


def _pick(shards: Shards, training: NDArray[np.bool_], kind: str, count: int) -> list[int]:
    rows = [r for r in np.flatnonzero(~training).tolist() if _group(shards, r).kind == kind]
    # Low rungs first, because a 2048 px sample costs as much as all others together; then one
    # sample of each parent and rung before a second one.
    seen: Counter[tuple[int, int]] = Counter()
    ranked = []
    chances = dict(zip(rows, hashes(shards.key(r) for r in rows).tolist(), strict=True))
    for row in sorted(rows, key=lambda r: chances[r]):
        place = (int(shards.parent[row]), _group(shards, row).rung)
        ranked.append((_group(shards, row).rung, seen[place], row))
        seen[place] += 1
    return [row for _, _, row in sorted(ranked)[:count]]


def _group(shards: Shards, row: int) -> Group:
    return shards.groups[shards.group[row]]
