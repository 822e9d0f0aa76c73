"""Sums of small decision trees: how they are written, read and evaluated.

A weights file is JSON that a person can read: a record of the training, the names of the features,
and for each output a base and its trees, one line each.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from filters.compiled import EXACT

# A tree as the file has it: see `Trees`.
Tree = dict[str, list[Any]]
# The base and the trees of one output.
Forest = tuple[float, Sequence[Tree]]
_LISTS = ("feature", "above", "low", "high", "leaf")


@dataclass(frozen=True)
class Trees:
    """The trees of all outputs laid end to end.

    `first`, int[outputs + 1], says which trees are whose, `node` and `leaf_start`, int[trees + 1],
    where the nodes and leaves of a tree begin. A node sends a feature above its threshold to `high`
    and any other to `low`; a negative child is a leaf, counted down from -1.
    """

    names: tuple[str, ...]
    base: NDArray[np.float64]
    first: NDArray[np.int64]
    node: NDArray[np.int64]
    feature: NDArray[np.int64]
    above: NDArray[np.float32]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    leaf_start: NDArray[np.int64]
    leaf: NDArray[np.float64]

    @classmethod
    def of(cls, forests: Mapping[str, Forest], features: int) -> Trees:
        """Lay out the forests; ValueError when a tree looks at a feature that does not exist."""
        base, first, node, leaf_start = [], [0], [0], [0]
        flat: dict[str, list[float]] = {name: [] for name in _LISTS}
        for of_output, trees in forests.values():
            base.append(float(of_output))
            for tree in trees:
                for name in _LISTS:
                    flat[name] += tree[name]
                node.append(len(flat["feature"]))
                leaf_start.append(len(flat["leaf"]))
            first.append(len(node) - 1)
        feature = np.array(flat["feature"], np.int64)
        if len(feature) and not 0 <= feature.min() <= feature.max() < features:
            raise ValueError("a tree looks at a feature that does not exist")
        return cls(
            tuple(forests),
            np.array(base),
            np.array(first),
            np.array(node),
            feature,
            np.array(flat["above"], np.float32),
            np.array(flat["low"], np.int64),
            np.array(flat["high"], np.int64),
            np.array(leaf_start),
            np.array(flat["leaf"], np.float64),
        )

    def sums(self, found: NDArray[np.float32]) -> NDArray[np.float64]:
        """What the trees add up to, float64[N, outputs], for float32[N, F] features."""
        totals: NDArray[np.float64] = _sums(
            np.ascontiguousarray(found),
            self.base,
            self.first,
            self.node,
            self.feature,
            self.above,
            self.low,
            self.high,
            self.leaf_start,
            self.leaf,
        )
        return totals

    def chances(self, found: NDArray[np.float32]) -> NDArray[np.float64]:
        """The sums as log odds, put through the logistic function: float64[N, outputs]."""
        chances: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(self.sums(found), -30, 30)))
        return chances


@njit(**EXACT)
def _sums(found, base, first, node, feature, above, low, high, leaf_start, leaf):  # type: ignore[no-untyped-def]
    totals = np.empty((len(found), len(base)))
    for n in range(len(found)):
        values = found[n]
        for d in range(len(base)):
            total = base[d]
            for tree in range(first[d], first[d + 1]):
                start, at = node[tree], 0
                while at >= 0:
                    here = start + at
                    at = high[here] if values[feature[here]] > above[here] else low[here]
                total += leaf[leaf_start[tree] - at - 1]
            totals[n, d] = total
    return totals


@dataclass(frozen=True)
class Weights:
    """What a weights file holds: trees, the record of their training, and the file's hash."""

    trees: Trees
    record: dict[str, Any]
    sha256: str


@functools.cache
def load(path: Path, features: tuple[str, ...], outputs: tuple[str, ...], remedy: str) -> Weights:
    """Read a weights file; ValueError, with the `remedy`, when it is not one for these features."""
    data = path.read_bytes()
    try:
        content = json.loads(data)
        if tuple(content["features"]) != features:
            raise ValueError("made for other features")
        forests = {
            n: (content["outputs"][n]["base"], content["outputs"][n]["trees"]) for n in outputs
        }
        trees = Trees.of(forests, len(features))
        return Weights(trees, content["record"], hashlib.sha256(data).hexdigest())
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} holds no weights ({error!r}); make them with {remedy}") from None


def dump(
    forests: Mapping[str, Forest], features: Sequence[str], record: dict[str, Any], path: Path
) -> None:
    """Write a weights file: the record first, then the features, then one line for every tree."""
    lines = ["{", f'"record": {json.dumps(record, indent=1)},']
    lines += [f'"features": {json.dumps(list(features), indent=1)},', '"outputs": {']
    blocks = [
        f'"{name}": {{"base": {base:.6g}, "trees": [\n'
        + ",\n".join(json.dumps(tree, separators=(",", ":")) for tree in trees)
        + "]}"
        for name, (base, trees) in forests.items()
    ]
    path.write_text("\n".join(lines) + "\n" + ",\n".join(blocks) + "\n}}\n", encoding="utf-8")
