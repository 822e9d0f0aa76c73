"""The trees of clarity: six detectors, each of which knows one family of damage.

Specialists rank pictures better than one model for all. Two of them make up each score.
`weights.json` also records what they were trained and tested on.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from filters import trees
from filters.clarity.features import NAMES

WEIGHTS = Path(__file__).with_name("weights.json")
# score -> its detectors. Soft: out of focus or enlarged. Codec: WebP, AVIF. Sharpened: too much.
SCORES = {
    "blur": ("soft", "motion"),
    "compression": ("jpeg", "codec"),
    "noise": ("grain", "sharpened"),
}
DETECTORS = tuple(detector for pair in SCORES.values() for detector in pair)


def load(path: Path = WEIGHTS) -> trees.Weights:
    """Read a weights file, once a process; ValueError when it is not one of ours."""
    remedy = "`python -m filters.training.clarity --images DIR...`"
    return trees.load(path, NAMES, DETECTORS, remedy)


def detect(forest: trees.Trees, found: NDArray[np.float32]) -> dict[str, float]:
    """For each detector a number in (0, 1), from float32[F] features."""
    return dict(zip(forest.names, forest.chances(found[None])[0].tolist(), strict=True))


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
