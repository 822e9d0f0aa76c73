"""Boosted trees, read from a file that a person can read too.

Three sums of small decision trees (blur, compression, noise), each put through a logistic
function. `weights.json` also records what they were trained and tested on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

WEIGHTS = Path(__file__).with_name("weights.json")
HEADS = ("blur", "compression", "noise")
DEPTH = 4


@dataclass(frozen=True)
class Trees:
    """A sum of complete binary trees of depth 4, in breadth-first order.

    `feature` int[T, 15] and `threshold` float32[T, 15] of the inner nodes: a value above the
    threshold goes right. `leaf` float64[T, 16] are added up, with `base`, to log odds.
    """

    base: float
    feature: NDArray[np.int64]
    threshold: NDArray[np.float32]
    leaf: NDArray[np.float64]

    def log_odds(self, values: NDArray[np.float32]) -> float:
        """Log odds for one picture's features, float32[F]."""
        trees = np.arange(len(self.leaf))
        node = np.zeros(len(trees), np.int64)
        for _ in range(DEPTH):
            above = values[self.feature[trees, node]] > self.threshold[trees, node]
            node = 2 * node + 1 + above
        return self.base + float(self.leaf[trees, node - (2**DEPTH - 1)].sum())


@dataclass(frozen=True)
class Model:
    """The trees of all heads, the features they look at, and the hash of their file."""

    names: tuple[str, ...]
    heads: dict[str, Trees]
    sha256: str
    record: dict[str, Any]

    def predict(self, found: dict[str, float]) -> dict[str, float]:
        """A number in (0, 1) for each head."""
        values = np.array([found[name] for name in self.names], np.float32)
        return {
            name: float(1 / (1 + np.exp(-np.clip(trees.log_odds(values), -30, 30))))
            for name, trees in self.heads.items()
        }


def without_defects(*defects: float) -> float:
    """Clarity in [0, 1] from defects in [0, 1]: the geometric mean of their complements.

    Pristine is what has no defect; trees trained for that alone rank pictures worse.
    """
    return math.prod(1 - defect for defect in defects) ** (1 / len(defects))


@functools.cache
def load(path: Path = WEIGHTS) -> Model:
    """Read a weights file; ValueError when it is not one of ours."""
    data = path.read_bytes()
    try:
        content = json.loads(data)
        heads = {
            name: Trees(
                float(head["base"]),
                np.array([tree["feature"] for tree in head["trees"]], np.int64),
                np.array([tree["above"] for tree in head["trees"]], np.float32),
                np.array([tree["leaf"] for tree in head["trees"]], np.float64),
            )
            for name, head in content["heads"].items()
        }
        names, record = tuple(content["features"]), content["record"]
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} holds no clarity weights ({error!r}); make them with"
            " `python -m filters.train_clarity --images DIR...`"
        ) from None
    return Model(names, heads, hashlib.sha256(data).hexdigest(), record)


def dump(
    names: tuple[str, ...], heads: dict[str, Trees], record: dict[str, Any], path: Path
) -> None:
    """Write a weights file: the record first, then one line for every tree."""
    lines = ["{", f'"record": {json.dumps(record, indent=1)},']
    lines += [f'"features": {json.dumps(names, indent=1)},', '"heads": {']
    blocks = []
    for name, head in heads.items():
        trees = [
            json.dumps(
                {
                    "feature": feature.tolist(),
                    "above": [float(f"{t:.6g}") for t in above],
                    "leaf": [float(f"{v:.5g}") for v in leaf],
                }
            )
            for feature, above, leaf in zip(head.feature, head.threshold, head.leaf, strict=True)
        ]
        blocks.append(
            f'"{name}": {{"base": {head.base:.6g}, "trees": [\n' + ",\n".join(trees) + "]}"
        )
    path.write_text("\n".join(lines) + "\n" + ",\n".join(blocks) + "\n}}\n", encoding="utf-8")
