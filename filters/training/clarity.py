"""Train the clarity filter on damage done to clean pictures.

    python -m filters.training.clarity --images DIR... [--without PATTERN...] [--out weights.json]

Every picture below the folders is cut into a few views, each is damaged in every known way
(`degrade`), and small trees learn to tell which. Pictures are split by source, near duplicates
kept together: the figures in the weights file come from trees that a fifth was kept from. The same
pictures and seed give the same file. The shipped weights were made by

    python benchmarks/clarity_pictures.py --out DIR
    python -m filters.training.clarity --images DIR/train
"""

from __future__ import annotations

import fnmatch
import functools
import hashlib
import multiprocessing
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import Field

from filters import trees
from filters.clarity import model
from filters.clarity.features import NAMES, features
from filters.clarity.patches import tiles
from filters.perceptual_hash import perceptual_hash
from filters.training import degrade
from filters.training.boost import auc, grow
from filters.trees import Forest
from vae_corpus import settings
from vae_corpus.pictures.decode import Decoded, Rgb, decode, to_luma
from vae_corpus.settings import Settings

_FOLDS = 5
_VIEW_SIDES_PX = (192, 256, 384, 512, 768, 1024)
_MIN_SIDE_PX = 192
# A file that a lossy format saved at less than this is clean at half its size only; a WebP does not
# say how it was saved.
_CLEAN_QUALITY, _SHRINK = 80.0, 2.0
# Two pictures this near in 64 bits of hash are views of one thing.
_SAME_BITS = 12


class Picture(NamedTuple):
    """A clean picture: its file, the folder given for it, and the group of its near duplicates.

    It is clean at 1 / `shrink` of its size or smaller.
    """

    path: Path
    folder: str
    sha256: str
    group: int
    shrink: float


Damage = Callable[[Rgb, np.random.Generator], Rgb]


class Sample(NamedTuple):
    """Features of one damaged (or, `kind` None, pristine) view."""

    picture: Picture
    kind: str | None
    found: NDArray[np.float32]


class TrainClaritySettings(Settings):
    """The clean pictures to fit to, and how."""

    images: tuple[Path, ...] = Field(min_length=1, description="folders of clean pictures")
    without: tuple[str, ...] = Field((), description="patterns of files that are not clean")
    out: Path = Field(model.WEIGHTS, description="file of the weights")
    seed: int = Field(0, description="of the damage")
    views: int = Field(7, ge=1, description="damaged views per picture")
    workers: int = Field(1, ge=1, description="processes")


def main(argv: Sequence[str] | None = None) -> int:
    """Fit and write the weights; 1 when there are too few clean pictures."""
    given = settings.load(TrainClaritySettings, argv, description=__doc__ or "")
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
    forests, record = fit(samples, given.seed, threads=given.workers)
    record |= {"views": given.views, "without": list(given.without)}
    trees.dump(forests, NAMES, record, given.out)
    for name, value in record["held_out"].items():
        print(f"{name}: {value}")
    return 0


def find_pictures(folders: Sequence[Path], without: Sequence[str] = ()) -> list[Picture]:
    """Distinct pictures of at least 192 px below the folders, in the order of their hashes.

    Each belongs to the first folder below the given one. Left out are those whose `folder/file`
    matches a pattern of `without`.
    """
    seen: dict[str, tuple[Path, str, int, float]] = {}
    for folder in folders:
        for path in sorted(p for p in folder.rglob("*") if p.is_file()):
            name = path.relative_to(folder).parts[0] if path.parent != folder else folder.name
            if any(fnmatch.fnmatch(f"{name}/{path.name}", p) for p in without):
                continue
            data = path.read_bytes()
            sha256 = hashlib.sha256(data).hexdigest()
            opened = None if sha256 in seen else decode(data)
            if not isinstance(opened, Decoded):
                continue
            lossy = opened.format == "webp" or (opened.jpeg_quality or 100) < _CLEAN_QUALITY
            shrink = _SHRINK if lossy else 1.0
            if min(opened.rgb.shape[:2]) >= _MIN_SIDE_PX * shrink:
                seen[sha256] = (path, name, perceptual_hash(opened.rgb)["phash"], shrink)
    leaders: list[int] = []
    pictures = []
    for sha256, (path, name, phash, shrink) in sorted(seen.items()):
        near = [i for i, h in enumerate(leaders) if (h ^ phash).bit_count() <= _SAME_BITS]
        group = near[0] if near else len(leaders)
        if not near:
            leaders.append(phash)
        pictures.append(Picture(path, name, sha256, group, shrink))
    return pictures


def make_samples(picture: Picture, views: int, seed: int) -> list[Sample]:
    """Two pristine and one sample of every kind of damage for each view of a picture."""
    rng = np.random.default_rng([seed, int(picture.sha256[:15], 16)])
    opened = decode(picture.path.read_bytes())
    assert isinstance(opened, Decoded)
    samples = []
    for _ in range(views):
        view = view_of(opened.rgb, rng, picture.shrink)
        if np.ptp(view) < 16:
            continue
        damages: list[tuple[str | None, Damage]] = [(None, degrade.harmless)] * 2
        damages += [(name, kind.apply) for name, kind in degrade.KINDS.items()]
        for name, damage in damages:
            seen = cut(damage(view, rng), view, rng)
            samples.append(Sample(picture, name, features(tiles(to_luma(seen)))))
    return samples


def view_of(rgb: Rgb, rng: np.random.Generator, shrink: float) -> Rgb:
    """A crop of some size at some scale, never enlarged: shrinking is what makes pictures clean."""
    short = min(rgb.shape[:2])
    side = int(rng.choice([s for s in _VIEW_SIDES_PX if s * shrink <= short]))
    if shrink > 1 or rng.random() < 0.7:
        least, most = max(side / short, 0.2), 1 / shrink
        scale = float(np.exp(rng.uniform(np.log(min(least, most)), np.log(most))))
        size = [max(side, round(v * scale)) for v in rgb.shape[1::-1]]
        kernel = (Image.Resampling.LANCZOS, Image.Resampling.BICUBIC)[int(rng.integers(2))]
        rgb = np.array(Image.fromarray(rgb).resize((size[0], size[1]), kernel, reducing_gap=4.0))
    height, width = rgb.shape[:2]
    wide = (min(height, side), min(width, int(side * rng.uniform(1, 1.6))))
    y, x = (int(rng.integers(v - w + 1)) for v, w in zip((height, width), wide, strict=True))
    return np.ascontiguousarray(rgb[y : y + wide[0], x : x + wide[1]])


def cut(rgb: Rgb, view: Rgb, rng: np.random.Generator) -> Rgb:
    """All samples of a view get one size, or it would tell; half get a block grid that moved."""
    height, width = (side - 8 for side in view.shape[:2])
    room = [side - cut + 1 for side, cut in zip(rgb.shape[:2], (height, width), strict=True)]
    y, x = (int(v) for v in rng.integers(room)) if rng.random() < 0.5 else (0, 0)
    return np.ascontiguousarray(rgb[y : y + height, x : x + width])


def fit(
    samples: list[Sample], seed: int, rounds: int = 300, threads: int = 1
) -> tuple[dict[str, Forest], dict[str, Any]]:
    """The trees of every detector, grown on all samples, and the record of training and test.

    The figures of the record are those of trees that have not seen a fifth of the groups, measured
    on that fifth.
    """
    values = np.stack([s.found for s in samples])
    test = np.array([s.picture.group % _FOLDS == 0 for s in samples])
    forests: dict[str, Forest] = {}
    held: dict[str, Forest] = {}
    for name in model.DETECTORS:
        labels = _labels(samples, name)
        for forest, chosen in ((held, ~test), (forests, np.ones_like(test))):
            clean = np.array([s.kind is None for s in samples])[chosen]
            forest[name] = _boost(values[chosen], labels[chosen], clean, rounds, seed, threads)
    pictures = {s.picture for s in samples}
    record = {
        "made_by": "python -m filters.training.clarity",
        "seed": seed,
        "pictures": {f: sum(p.folder == f for p in pictures) for f in _folders(samples)},
        "pictures_sha256": hashlib.sha256(
            "".join(sorted(p.sha256 for p in pictures)).encode()
        ).hexdigest(),
        "trained_on": len(samples),
        "held_out_samples": int(test.sum()),
        "held_out": _measure(samples, values, test, held),
    }
    return forests, record


def _folders(samples: list[Sample]) -> list[str]:
    return sorted({s.picture.folder for s in samples})


def _labels(samples: list[Sample], detector: str) -> NDArray[np.bool_]:
    return np.array(
        [s.kind is not None and detector in degrade.KINDS[s.kind].found_by for s in samples]
    )


def _boost(
    values: NDArray[np.float32],
    labels: NDArray[np.bool_],
    clean: NDArray[np.bool_],
    rounds: int,
    seed: int,
    threads: int,
) -> Forest:
    """Trees that tell `labels` (damaged in this way) from the rest (clean or otherwise)."""
    # Both answers weigh the same, so that 0.5 is where they are equally likely; and telling damage
    # from clean pictures matters more than telling it from other damage.
    weight = np.zeros(len(labels))
    for chosen, share in ((labels, 0.5), (clean, 0.45), (~labels & ~clean, 0.05)):
        weight[chosen] = share * len(labels) / max(1, chosen.sum())
    return grow(values, labels, weight, rounds=rounds, seed=seed, threads=threads)


def _measure(
    samples: list[Sample],
    values: NDArray[np.float32],
    test: NDArray[np.bool_],
    forests: dict[str, Forest],
) -> dict[str, float]:
    """On held-out pictures: AUC of clarity (all, by kind, by folder) and of the detectors."""
    held = [s for s, t in zip(samples, test, strict=True) if t]
    grown = trees.Trees.of(forests, values.shape[1])
    detected = [model.detect(grown, v) for v in values[test]]
    clarity = np.array([model.without_defects(*model.scores(d).values()) for d in detected])
    clean = np.array([s.kind is None for s in held])
    found = {"clarity": auc(clarity, clean)}
    for kind in degrade.KINDS:
        of_kind = np.array([s.kind in (None, kind) for s in held])
        found[f"clarity, {kind}"] = auc(clarity[of_kind], clean[of_kind])
    for folder in _folders(held):
        of_folder = np.array([s.picture.folder == folder for s in held])
        found[f"clarity, {folder}"] = auc(clarity[of_folder], clean[of_folder])
    for name in model.DETECTORS:
        found[name] = auc(np.array([d[name] for d in detected]), _labels(held, name))
    for share in (0.05, 0.01):
        limit = np.quantile(clarity[clean], share) if clean.any() else 0.0
        found[f"clarity below which lie {share:.0%} of the clean"] = float(limit)
        found[f"damaged below that, {share:.0%}"] = float((clarity[~clean] < limit).mean())
    return {name: round(value, 4) for name, value in found.items()}


if __name__ == "__main__":
    raise SystemExit(settings.run(main))
