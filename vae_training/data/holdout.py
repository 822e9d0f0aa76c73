"""The validation split: chosen by hashes of keys alone, and never trained on.

Whole parents are held out, because tiles of one page, or sizes of one photograph, are too alike to
stand in both sets. The choice is kept beside the index: to make it, all rows are walked over.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vae_corpus.storage import commit_bytes
from vae_corpus.words import Group
from vae_training.data.index import cached, exclusive
from vae_training.data.index_part import hashes
from vae_training.data.shards import Shards

_LARGEST_SHARE = 0.25  # of the parents of a kind
_ROWS_AT_ONCE = 2**20
# Parents per kind among which as many as are asked for are found unless many must be passed over.
_SPARE = 64


@dataclass(frozen=True, kw_only=True)
class Holdout:
    """`validation`: rows per kind, lowest rung first. `left_out`: rows never trained on, sorted.

    The second has more: what belongs to the parents of the first.
    """

    validation: dict[str, list[int]]
    left_out: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class _Smallest:
    """The smallest hashes of the parents of a kind, sorted; `whole` when these are all."""

    parents: NDArray[np.uint64]
    whole: bool


def hold_out(shards: Shards, per_kind: int) -> Holdout:
    """Hold out the parents with the smallest hashes until each kind has `per_kind` samples.

    At most a quarter of a kind's parents, and never the last sample of a group: a small corpus
    may give fewer, or none.
    """
    path = shards.index.folder / f"holdout-{per_kind}.json"
    with cached(shards.corpus, path.parent):
        if not path.exists():
            with exclusive(path.with_suffix(".lock")):
                if not path.exists():
                    validation, rows = _choose(shards, per_kind)
                    found = {"validation": validation, "left_out": rows.tolist()}
                    commit_bytes(str(path), json.dumps(found).encode())
        told = json.loads(path.read_bytes())
    left_out = np.array(told["left_out"], dtype=np.int64)
    return Holdout(validation=told["validation"], left_out=left_out)


def _choose(shards: Shards, per_kind: int) -> tuple[dict[str, list[int]], NDArray[np.int64]]:
    # Each parent that is taken gives one sample or more, so that among four times as many parents
    # a quarter is enough, but for those passed over.
    count = 4 * per_kind + _SPARE
    kinds = sorted({g.kind for g in shards.groups})
    left_out = None
    while left_out is None:
        smallest = [_smallest(shards, kind, count) for kind in kinds]
        left_out = _leave_out(shards, kinds, smallest, per_kind)
        count *= 4
    return {kind: _pick(shards, left_out, kind, per_kind) for kind in kinds}, left_out


def _leave_out(
    shards: Shards, kinds: list[str], smallest: list[_Smallest], per_kind: int
) -> NDArray[np.int64] | None:
    """The sorted rows to leave out; None when more parents must be known to tell."""
    kind_of = np.array([kinds.index(g.kind) for g in shards.groups])
    rows = _rows_of(shards, np.unique(np.concatenate([s.parents for s in smallest])))
    parent, group = shards.parent[rows], shards.group[rows]
    by_parent = np.argsort(parent, kind="stable")
    ordered = parent[by_parent]
    left = np.array(shards.samples())
    out = np.zeros(len(rows), dtype=np.bool_)
    for number, (parents, whole) in enumerate((s.parents, s.whole) for s in smallest):
        allowed = int(len(parents) * _LARGEST_SHARE)
        chosen = 0
        for name in parents:  # from the smallest hash on
            if allowed == 0 or chosen >= per_kind:
                break
            first, last = np.searchsorted(ordered, name), np.searchsorted(ordered, name, "right")
            members = by_parent[first:last]
            groups = np.bincount(group[members], minlength=len(left))
            if not out[members[0]]:
                if (groups[groups > 0] >= left[groups > 0]).any():
                    continue
                left -= groups
                out[members] = True
            allowed -= 1
            chosen += int((kind_of[group[members]] == number).sum())
        if chosen < per_kind and not whole:
            return None
    return rows[out]


def _smallest(shards: Shards, kind: str, count: int) -> _Smallest:
    """The `count` smallest hashes of the parents of a kind."""
    numbers = [number for number, group in enumerate(shards.groups) if group.kind == kind]
    found = np.empty(0, dtype=np.uint64)
    for some in _chunks(len(shards)):
        parent, group = shards.parent[some], shards.group[some]
        if len(found) > count:
            small = np.flatnonzero(parent < found[count])
            parent, group = parent[small], group[small]
        # One more than asked for tells whether there are more.
        found = np.unique(np.concatenate([found, parent[np.isin(group, numbers)]]))[: count + 1]
    return _Smallest(parents=found[:count], whole=len(found) <= count)


def _rows_of(shards: Shards, parents: NDArray[np.uint64]) -> NDArray[np.int64]:
    """The rows of these parents."""
    # By their first bits most rows are told apart at once.
    likely = np.zeros(2**16, dtype=np.bool_)
    likely[parents >> np.uint64(48)] = True
    found = [np.empty(0, dtype=np.int64)]
    for some in _chunks(len(shards)):
        parent = shards.parent[some]
        rows = np.flatnonzero(likely[parent >> np.uint64(48)])
        found.append(some.start + rows[np.isin(parent[rows], parents)])
    return np.concatenate(found)


def _chunks(rows: int) -> Iterator[slice]:
    for start in range(0, rows, _ROWS_AT_ONCE):
        yield slice(start, min(start + _ROWS_AT_ONCE, rows))


def _pick(shards: Shards, left_out: NDArray[np.int64], kind: str, count: int) -> list[int]:
    rows = [row for row in left_out.tolist() if _group(shards, row).kind == kind]
    # Low rungs first, because a 2048 px sample costs as much as all others together; then one
    # sample of each parent and rung before a second one.
    seen: Counter[tuple[int, int]] = Counter()
    ranked = []
    keys = pa.chunked_array([pa.array([shards.key(row) for row in rows], pa.string())])
    chances = dict(zip(rows, hashes(keys).tolist(), strict=True))
    for row in sorted(rows, key=lambda r: chances[r]):
        place = (int(shards.parent[row]), _group(shards, row).rung)
        tar = int(shards.shard[row]), int(shards.offset[row])
        ranked.append((_group(shards, row).rung, seen[place], *tar, row))
        seen[place] += 1
    return [row for *_, row in sorted(ranked)[:count]]


def _group(shards: Shards, row: int) -> Group:
    return shards.groups[int(shards.group[row])]
