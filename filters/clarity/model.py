"""Boosted trees, read from a file that a person can read too.

Six detectors, each a sum of small decision trees put through a logistic function, know one family
of damage each; specialists rank pictures better than one model for all. Two of them make up each
score. `weights.json` also records what they were trained and tested on.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from filters.clarity.compiled import EXACT
from filters.clarity.features import NAMES

WEIGHTS = Path(__file__).with_name("weights.json")
# score -> its detectors. Soft: out of focus or enlarged. Codec: WebP, AVIF. Sharpened: too much.
SCORES = {
    "blur": ("soft", "motion"),
    "compression": ("jpeg", "codec"),
    "noise": ("grain", "sharpened"),
}
DETECTORS = tuple(detector for pair in SCORES.values() for detector in pair)
_LISTS = ("feature", "above", "low", "high", "leaf")


@dataclass(frozen=True)
class Model:
    """The trees of all detectors laid end to end, and the hash of their file.

    `first`, int[detectors + 1], says which trees are whose, `node` and `leaf`, int[trees + 1],
    where the nodes and leaves of a tree begin. A node sends a feature above its threshold to `high`
    and any other to `low`; a negative child is a leaf, counted down from -1.
    """

    base: NDArray[np.float64]
    first: NDArray[np.int64]
    node: NDArray[np.int64]
    feature: NDArray[np.int64]
    above: NDArray[np.float32]
    low: NDArray[np.int64]
    high: NDArray[np.int64]
    leaf_start: NDArray[np.int64]
    leaf: NDArray[np.float64]
    sha256: str
    record: dict[str, Any]

    def detect(self, found: NDArray[np.float32]) -> dict[str, float]:
        """For each detector a number in (0, 1), from float32[F] features."""
        odds = _log_odds(
            found,
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
        return dict(zip(DETECTORS, (1 / (1 + math.exp(-o)) for o in odds), strict=True))


def scores(detected: Mapping[str, float]) -> dict[str, float]:
    """Sub-scores in [0, 1]: the chance that not both of their detectors are wrong."""
    return {
        score: 1 - math.prod(1 - detected[detector] for detector in pair)
        for score, pair in SCORES.items()
    }


def without_defects(*defects: float) -> float:
    """Clarity in [0, 1] from defects in [0, 1]: the geometric mean of their complements.

    Pristine is what has no defect; trees trained for that alone rank pictures worse.
    """
    return math.prod(1 - defect for defect in defects) ** (1 / len(defects))


@njit(**EXACT)
def _log_odds(found, base, first, node, feature, above, low, high, leaf_start, leaf):  # type: ignore[no-untyped-def]
    odds = base.copy()
    for d in range(len(base)):
        for tree in range(first[d], first[d + 1]):
            start, at = node[tree], 0
            while at >= 0:
                here = start + at
                at = high[here] if found[feature[here]] > above[here] else low[here]
            odds[d] += leaf[leaf_start[tree] - at - 1]
        odds[d] = min(max(odds[d], -30.0), 30.0)
    return odds


@functools.cache
def load(path: Path = WEIGHTS) -> Model:
    """Read a weights file; ValueError when it is not one of ours."""
    data = path.read_bytes()
    try:
        content = json.loads(data)
        if tuple(content["features"]) != NAMES:
            raise ValueError("made for other features")
        forests = {n: (d["base"], d["trees"]) for n, d in content["detectors"].items()}
        return from_forests(forests, hashlib.sha256(data).hexdigest(), content["record"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} holds no clarity weights ({error!r}); make them with"
            " `python -m filters.train_clarity --images DIR...`"
        ) from None


def from_forests(
    forests: Mapping[str, tuple[float, Sequence[dict[str, list[Any]]]]],
    sha256: str = "",
    record: dict[str, Any] | None = None,
) -> Model:
    """A model of the base and trees of each detector; KeyError when one is missing."""
    base, first, node, leaf_start = [], [0], [0], [0]
    flat: dict[str, list[float]] = {name: [] for name in _LISTS}
    for detector in DETECTORS:
        of_detector, trees = forests[detector]
        base.append(float(of_detector))
        for tree in trees:
            for name in _LISTS:
                flat[name] += tree[name]
            node.append(len(flat["feature"]))
            leaf_start.append(len(flat["leaf"]))
        first.append(len(node) - 1)
    feature = np.array(flat["feature"], np.int64)
    if len(feature) and not 0 <= feature.min() <= feature.max() < len(NAMES):
        raise ValueError("a tree looks at a feature that does not exist")
    return Model(
        np.array(base),
        np.array(first),
        np.array(node),
        feature,
        np.array(flat["above"], np.float32),
        np.array(flat["low"], np.int64),
        np.array(flat["high"], np.int64),
        np.array(leaf_start),
        np.array(flat["leaf"], np.float64),
        sha256,
        record or {},
    )


def dump(
    detectors: Mapping[str, tuple[float, Sequence[dict[str, list[Any]]]]],
    record: dict[str, Any],
    path: Path,
) -> None:
    """Write a weights file from the base and trees of each detector.

    The record comes first, then the features, then one line for every tree.
    """
    lines = ["{", f'"record": {json.dumps(record, indent=1)},']
    lines += [f'"features": {json.dumps(NAMES, indent=1)},', '"detectors": {']
    blocks = [
        f'"{name}": {{"base": {base:.6g}, "trees": [\n'
        + ",\n".join(json.dumps(tree, separators=(",", ":")) for tree in trees)
        + "]}"
        for name, (base, trees) in detectors.items()
    ]
    path.write_text("\n".join(lines) + "\n" + ",\n".join(blocks) + "\n}}\n", encoding="utf-8")
