"""Train the clarity filter on damage done to clean pictures.

    python -m filters.train_clarity --images DIR...  [--out weights.json] [--seed 0]

Every picture below the folders is cut into a few views, each is damaged in every known way
(`degrade`), and small trees learn to tell which. Pictures are split by source, near duplicates
kept together: a fifth is never trained on, and the figures in the weights file come from it.
The same pictures and seed give the same file. 300 pictures take some 6 minutes on one core.
"""

from __future__ import annotations

import argparse
import hashlib
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from filters import degrade
from filters.clarity import model
from filters.clarity.features import features
from filters.clarity.tiles import tiles
from filters.hashing import perceptual_hash
from pipelines.decode import Decoded, decode

_FOLDS = 5
_VIEW_SIDES_PX = (192, 256, 384, 512, 768, 1024)
_MIN_SIDE_PX = 192
# Two pictures this near in 64 bits of hash are views of one thing.
_SAME_BITS = 12


class Picture(NamedTuple):
    """A clean picture: its file, the folder given for it, and the group of its near duplicates."""

    path: Path
    folder: str
    sha256: str
    group: int


class Sample(NamedTuple):
    """Features of one damaged (or, `kind` None, pristine) view."""

    picture: Picture
    kind: str | None
    found: dict[str, float]


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", metavar="DIR", type=Path, nargs="+", required=True)
    parser.add_argument("--out", metavar="FILE", type=Path, default=model.WEIGHTS)
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    parser.add_argument("--views", metavar="N", type=int, default=3, help="per picture")
    given = parser.parse_args(argv)
    cv2.setNumThreads(1)
    pictures = find_pictures(given.images)
    if len({p.group for p in pictures}) < 2 * _FOLDS:
        print(f"error: only {len(pictures)} clean pictures; some 100 are needed", file=sys.stderr)
        return 1
    samples = []
    for number, picture in enumerate(pictures, 1):
        samples += list(make_samples(picture, given.views, given.seed))
        print(f"\r{number}/{len(pictures)} pictures, {len(samples)} samples", end="", flush=True)
    print()
    names, heads, record = fit(samples, given.seed)
    model.dump(names, heads, record | {"views": given.views}, given.out)
    for line in record["held_out"].items():
        print(*line)
    return 0


def find_pictures(folders: Sequence[Path]) -> list[Picture]:
    """Distinct pictures of at least 192 px below the folders, in the order of their hashes."""
    seen: dict[str, tuple[Path, str, int]] = {}
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            if sha256 in seen:
                continue
            opened = decode(data)
            if isinstance(opened, Decoded) and min(opened.rgb.shape[:2]) >= _MIN_SIDE_PX:
                seen[sha256] = (path, folder.name, perceptual_hash(opened.rgb)["phash"])
    leaders: list[int] = []
    pictures = []
    for sha256, (path, name, phash) in sorted(seen.items()):
        near = [i for i, h in enumerate(leaders) if (h ^ phash).bit_count() <= _SAME_BITS]
        group = near[0] if near else len(leaders)
        if not near:
            leaders.append(phash)
        pictures.append(Picture(path, name, sha256, group))
    return pictures


def make_samples(picture: Picture, views: int, seed: int) -> Iterator[Sample]:
    """Two pristine and one sample of every kind of damage for each view of a picture."""
    rng = np.random.default_rng([seed, int(picture.sha256[:15], 16)])
    opened = decode(picture.path.read_bytes())
    assert isinstance(opened, Decoded)
    for _ in range(views):
        view = _view(opened.rgb, rng)
        if np.ptp(view) < 16:
            continue
        for _ in range(2):
            yield Sample(picture, None, _features(degrade.harmless(view, rng)))
        for name, kind in degrade.KINDS.items():
            yield Sample(picture, name, _features(kind.apply(view, rng)))


def _view(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """A crop of some size at some scale, never enlarged: shrinking is what makes pictures clean."""
    short = min(rgb.shape[:2])
    side = int(rng.choice([s for s in _VIEW_SIDES_PX if s <= short]))
    if rng.random() < 0.7:
        scale = float(np.exp(rng.uniform(np.log(max(side / short, 0.2)), 0)))
        size = [max(side, round(v * scale)) for v in rgb.shape[1::-1]]
        kernel = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC)[int(rng.integers(2))]
        rgb = np.array(Image.fromarray(rgb).resize((size[0], size[1]), kernel, reducing_gap=4.0))
    height, width = rgb.shape[:2]
    wide = (min(height, side), min(width, int(side * rng.uniform(1, 1.6))))
    y, x = (int(rng.integers(v - w + 1)) for v, w in zip((height, width), wide, strict=True))
    return np.ascontiguousarray(rgb[y : y + wide[0], x : x + wide[1]])


def _features(rgb: NDArray[np.uint8]) -> dict[str, float]:
    return features(tiles(rgb), min(rgb.shape[:2]))


def fit(
    samples: list[Sample], seed: int
) -> tuple[tuple[str, ...], dict[str, model.Trees], dict[str, Any]]:
    """Feature names, trees of every head, and the record of training and held-out test."""
    names = tuple(samples[0].found)
    values = np.array([list(s.found.values()) for s in samples], np.float32)
    test = np.array([s.picture.group % _FOLDS == 0 for s in samples])
    heads = {}
    for head in model.HEADS:
        heads[head] = _boost(values[~test], _labels(samples, head)[~test], seed)
    pictures = {s.picture for s in samples}
    record = {
        "made_by": "python -m filters.train_clarity",
        "seed": seed,
        "pictures": {f: sum(p.folder == f for p in pictures) for f in _folders(samples)},
        "pictures_sha256": hashlib.sha256(
            "".join(sorted(p.sha256 for p in pictures)).encode()
        ).hexdigest(),
        "trained_on": int((~test).sum()),
        "tested_on": int(test.sum()),
        "held_out": _measure(samples, values, test, heads),
    }
    return names, heads, record


def _folders(samples: list[Sample]) -> list[str]:
    return sorted({s.picture.folder for s in samples})


def _labels(samples: list[Sample], head: str) -> NDArray[np.bool_]:
    if head == "clarity":
        return np.array([s.kind is None for s in samples])
    return np.array([s.kind is not None and head in degrade.KINDS[s.kind].defects for s in samples])


def _boost(values: NDArray[np.float32], labels: NDArray[np.bool_], seed: int) -> model.Trees:
    try:
        from sklearn.ensemble import GradientBoostingClassifier
    except ImportError:
        raise SystemExit("scikit-learn is not installed: pip install 'vae-corpus[dev]'") from None
    booster = GradientBoostingClassifier(
        n_estimators=200,
        learning_rate=0.1,
        max_depth=model.DEPTH,
        min_samples_leaf=20,
        subsample=0.7,
        max_features=0.3,
        random_state=seed,
    )
    # Both answers weigh the same, so that 0.5 is where they are equally likely.
    weight = np.where(labels, 0.5 / labels.mean(), 0.5 / (1 - labels.mean()))
    booster.fit(values, labels, sample_weight=weight)
    grown = [_complete(stage[0].tree_, booster.learning_rate) for stage in booster.estimators_]
    feature, threshold, leaf = (np.array(part) for part in zip(*grown, strict=True))
    # The balanced prior has odds of one to one, but sklearn starts from the weighted mean.
    prior = float(np.average(labels, weights=weight))
    return model.Trees(float(np.log(prior / (1 - prior))), feature, threshold, leaf)


def _complete(tree: Any, rate: float) -> tuple[list[int], list[float], list[float]]:
    """A tree of sklearn as a complete one: below an early leaf both sides are that leaf."""
    inner = 2**model.DEPTH - 1
    node = [0] * (2 * inner + 1)
    feature, threshold = [0] * inner, [0.0] * inner
    for i in range(inner):
        at = node[i]
        ends = tree.children_left[at] < 0
        feature[i] = 0 if ends else int(tree.feature[at])
        threshold[i] = 0.0 if ends else float(tree.threshold[at])
        node[2 * i + 1] = at if ends else int(tree.children_left[at])
        node[2 * i + 2] = at if ends else int(tree.children_right[at])
    return feature, threshold, [rate * float(tree.value[at][0][0]) for at in node[inner:]]


def _measure(
    samples: list[Sample],
    values: NDArray[np.float32],
    test: NDArray[np.bool_],
    heads: dict[str, model.Trees],
) -> dict[str, float]:
    """AUC of clarity on held-out pictures: all, by kind and by folder; and of the sub-scores."""
    held = [s for s, t in zip(samples, test, strict=True) if t]
    odds = {
        head: np.array([trees.log_odds(v) for v in values[test]]) for head, trees in heads.items()
    }
    clean = _labels(held, "clarity")
    found = {"clarity": auc(odds["clarity"], clean)}
    for kind in degrade.KINDS:
        of_kind = np.array([s.kind in (None, kind) for s in held])
        found[f"clarity, {kind}"] = auc(odds["clarity"][of_kind], clean[of_kind])
    for folder in _folders(held):
        of_folder = np.array([s.picture.folder == folder for s in held])
        found[f"clarity, {folder}"] = auc(odds["clarity"][of_folder], clean[of_folder])
    for head in model.HEADS[1:]:
        found[head] = auc(odds[head], _labels(held, head))
    limit = np.quantile(odds["clarity"][clean], 0.05)
    found["damaged found at 5 % false drops"] = float((odds["clarity"][~clean] < limit).mean())
    return {name: round(value, 4) for name, value in found.items()}


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


if __name__ == "__main__":
    raise SystemExit(main())
