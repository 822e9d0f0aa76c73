"""Growing the trees of a filter, with LightGBM, and measuring them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from filters.trees import Forest, Tree


def grow(
    values: NDArray[np.float32],
    targets: NDArray[Any],
    weight: NDArray[np.float64],
    *,
    objective: str = "binary",
    rounds: int = 300,
    leaves: int = 24,
    seed: int = 0,
    threads: int = 1,
) -> Forest:
    """Trees whose sum tells `targets` from float32[N, F] features.

    `objective` is "binary" (the sum is log odds) or "regression". The same input and seed give the
    same trees, whatever the threads.
    """
    try:
        import lightgbm
    except ImportError:
        raise SystemExit("lightgbm is not installed: pip install 'vae-corpus[fit]'") from None
    settings = {
        "objective": objective,
        "boost_from_average": False,
        "learning_rate": 0.1,
        "num_leaves": leaves,
        "max_depth": 6,
        "min_data_in_leaf": min(200, 1 + len(targets) // 50),
        "feature_fraction": 0.25,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 30.0,
        "max_bin": 127,
        "seed": seed,
        "deterministic": True,
        "force_row_wise": True,
        "num_threads": threads,
        "verbose": -1,
    }
    booster = lightgbm.train(settings, lightgbm.Dataset(values, targets, weight=weight), rounds)
    return 0.0, [_flat(tree["tree_structure"]) for tree in booster.dump_model()["tree_info"]]


def _flat(root: dict[str, Any]) -> Tree:
    """A tree as the weights file has it, nodes numbered from the root down."""
    tree: Tree = {n: [] for n in ("feature", "above", "low", "high", "leaf")}

    def add(node: dict[str, Any]) -> int:
        if "leaf_value" in node:
            tree["leaf"].append(float(f"{node['leaf_value']:.5g}"))
            return -len(tree["leaf"])
        here = len(tree["feature"])
        tree["feature"].append(node["split_feature"])
        tree["above"].append(float(f"{node['threshold']:.7g}"))
        for side in ("low", "high"):
            tree[side].append(0)
        tree["low"][here] = add(node["left_child"])
        tree["high"][here] = add(node["right_child"])
        return here

    if "leaf_value" in root:
        # Nothing to decide: one node with the same leaf on both sides.
        leaf = float(f"{root['leaf_value']:.5g}")
        return {"feature": [0], "above": [0.0], "low": [-1], "high": [-1], "leaf": [leaf]}
    add(root)
    return tree


def auc(scores: NDArray[np.float64], positive: NDArray[np.bool_]) -> float:
    """The chance that a positive scores above a negative; 0.5 where one of them is missing."""
    if not positive.any() or positive.all():
        return 0.5
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    # Equal scores share the mean of their ranks.
    first = np.searchsorted(ordered, ordered, "left")
    last = np.searchsorted(ordered, ordered, "right")
    ranks = np.empty(len(scores))
    ranks[order] = (first + last + 1) / 2
    n = int(positive.sum())
    return float((ranks[positive].sum() - n * (n + 1) / 2) / (n * (len(scores) - n)))
