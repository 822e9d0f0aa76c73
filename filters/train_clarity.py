"""Train the clarity filter on damage done to clean pictures.

    python -m filters.train_clarity --images DIR... [--without PATTERN...] [--out weights.json]

Every picture below the folders is cut into a few views, each is damaged in every known way
(`degrade`), and small trees learn to tell which. Pictures are split by source, near duplicates
kept together: a fifth is never trained on, and the figures in the weights file come from it.
The same pictures and seed give the same file. 300 pictures take some 12 minutes on one core.
"""

from __future__ import annotations

import argparse
import fnmatch
import functools
import hashlib
import multiprocessing
import sys
from collections.abc import Sequence
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
    parser.add_argument(
        "--without", metavar="PATTERN", nargs="*", default=[], help="files that are not clean"
    )
    parser.add_argument("--out", metavar="FILE", type=Path, default=model.WEIGHTS)
    parser.add_argument("--seed", metavar="N", type=int, default=0)
    parser.add_argument("--views", metavar="N", type=int, default=3, help="per picture")
    parser.add_argument("--workers", metavar="N", type=int, default=1, help="processes")
    given = parser.parse_args(argv)
    pictures = find_pictures(given.images, given.without)
    if len({p.group for p in pictures}) < 2 * _FOLDS:
        print(f"error: only {len(pictures)} clean pictures; some 100 are needed", file=sys.stderr)
        return 1
    samples: list[Sample] = []
    work = functools.partial(make_samples, views=given.views, seed=given.seed)
    with multiprocessing.Pool(given.workers, cv2.setNumThreads, (1,)) as pool:
        # In order, so that the result does not depend on who was faster.
        for number, found in enumerate(pool.imap(work, pictures), 1):
            samples += found
            if number % 10 == 0 or number == len(pictures):
                print(f"{number}/{len(pictures)} pictures, {len(samples)} samples", flush=True)
    names, heads, record = fit(samples, given.seed)
    model.dump(names, heads, record | {"views": given.views, "without": given.without}, given.out)
    for name, value in record["held_out"].items():
        print(f"{name}: {value}")
    return 0


def find_pictures(folders: Sequence[Path], without: Sequence[str] = ()) -> list[Picture]:
    """Distinct pictures of at least 192 px below the folders, in the order of their hashes.

    Left out are those whose `folder/file` matches a pattern of `without`.
    """
    seen: dict[str, tuple[Path, str, int]] = {}
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            if any(fnmatch.fnmatch(f"{folder.name}/{path.name}", p) for p in without):
                continue
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


def make_samples(picture: Picture, views: int, seed: int) -> list[Sample]:
    """Two pristine and one sample of every kind of damage for each view of a picture."""
    rng = np.random.default_rng([seed, int(picture.sha256[:15], 16)])
    opened = decode(picture.path.read_bytes())
    assert isinstance(opened, Decoded)
    samples = []
    for _ in range(views):
        view = _view(opened.rgb, rng)
        if np.ptp(view) < 16:
            continue
        for _ in range(2):
            samples.append(Sample(picture, None, _features(degrade.harmless(view, rng))))
        for name, kind in degrade.KINDS.items():
            samples.append(Sample(picture, name, _features(kind.apply(view, rng))))
    return samples


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
    samples: list[Sample], seed: int, trees: int = 300
) -> tuple[tuple[str, ...], dict[str, model.Trees], dict[str, Any]]:
    """Feature names, so many trees for every head, and the record of training and test."""
    names = tuple(samples[0].found)
    values = np.array([list(s.found.values()) for s in samples], np.float32)
    test = np.array([s.picture.group % _FOLDS == 0 for s in samples])
    clean = np.array([s.kind is None for s in samples])
    heads = {}
    for head in model.HEADS:
        labels = _labels(samples, head)[~test]
        heads[head] = _boost(values[~test], labels, clean[~test], trees, seed)
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
    return np.array([s.kind is not None and head in degrade.KINDS[s.kind].defects for s in samples])


def _boost(
    values: NDArray[np.float32],
    labels: NDArray[np.bool_],
    clean: NDArray[np.bool_],
    count: int,
    seed: int,
) -> model.Trees:
    """`count` trees that tell `labels` (damaged in this way) from the rest (clean or otherwise)."""
    try:
        from sklearn.ensemble import GradientBoostingClassifier
    except ImportError:
        raise SystemExit("scikit-learn is not installed: pip install 'vae-corpus[dev]'") from None
    booster = GradientBoostingClassifier(
        n_estimators=count,
        learning_rate=0.1,
        max_depth=model.DEPTH,
        min_samples_leaf=20,
        subsample=0.7,
        max_features=0.2,
        random_state=seed,
    )
    # Both answers weigh the same, so that 0.5 is where they are equally likely; and telling damage
    # from clean pictures matters more than telling it from other damage.
    weight = np.zeros(len(labels))
    for chosen, share in ((labels, 0.5), (clean, 0.3), (~labels & ~clean, 0.2)):
        weight[chosen] = share * len(labels) / max(1, chosen.sum())
    booster.fit(values, labels, sample_weight=weight)
    grown = [_complete(stage[0].tree_, booster.learning_rate) for stage in booster.estimators_]
    feature, threshold, leaf = (np.array(part) for part in zip(*grown, strict=True))
    # The trees correct the log odds of the weighted mean, from which the booster starts.
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
    """On held-out pictures: AUC of clarity (all, by kind, by folder) and of the sub-scores."""
    held = [s for s, t in zip(samples, test, strict=True) if t]
    odds = {
        head: np.array([trees.log_odds(v) for v in values[test]]) for head, trees in heads.items()
    }
    defects = np.stack([1 / (1 + np.exp(-o)) for o in odds.values()], axis=1)
    clarity = np.array([model.without_defects(*row) for row in defects])
    clean = np.array([s.kind is None for s in held])
    found = {"clarity": auc(clarity, clean)}
    for kind in degrade.KINDS:
        of_kind = np.array([s.kind in (None, kind) for s in held])
        found[f"clarity, {kind}"] = auc(clarity[of_kind], clean[of_kind])
    for folder in _folders(held):
        of_folder = np.array([s.picture.folder == folder for s in held])
        found[f"clarity, {folder}"] = auc(clarity[of_folder], clean[of_folder])
    for head in model.HEADS:
        found[head] = auc(odds[head], _labels(held, head))
    for share in (0.05, 0.01):
        limit = np.quantile(clarity[clean], share) if clean.any() else 0.0
        found[f"clarity below which lie {share:.0%} of the clean"] = float(limit)
        found[f"damaged below that, {share:.0%}"] = float((clarity[~clean] < limit).mean())
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
