"""Open a corpus for a run: index, validation split and order, checked against the settings."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from vae_corpus.curriculum import CorpusError, Curriculum, read_curriculum
from vae_corpus.words import Bucket
from vae_training.config import TrainSettings
from vae_training.data.budget import check_budget
from vae_training.data.cached import through_cache
from vae_training.data.holdout import Holdout, hold_out
from vae_training.data.mixture import Mixtures
from vae_training.data.order import BatchSize, Order
from vae_training.data.schedule import schedule
from vae_training.data.shards import Shards, open_shards
from vae_training.model.configs import config
from vae_training.model.folder import class_of, f_of


@dataclass(frozen=True, kw_only=True)
class Data:
    """The data of a run: what to read, and in which order."""

    curriculum: Curriculum
    shards: Shards
    holdout: Holdout
    order: Order


def open_data(
    settings: TrainSettings,
    world: int,
    tell: Callable[[str], None] = lambda line: None,
    *,
    local_rank: int = 0,
    local_world: int = 1,
) -> Data:
    """Open the corpus and plan the order; CorpusError or ValueError when settings do not fit it.

    `tell` hears when an index is made, which takes a while. `local_rank` of `local_world` are those
    of this node, whose ranks share a cache of shards.
    """
    multiple = settings.batch_multiple or world
    if multiple % world:
        raise ValueError(
            f"batch_multiple {multiple} cannot be shared evenly by {world} ranks: give a multiple"
            f" of {world}, or 0"
        )
    curriculum = cropped(read_curriculum(settings.corpus), settings)
    shards = open_shards(settings.corpus, settings.cache, tell)
    _check_counts(curriculum, shards)
    _check_buckets(settings, shards)
    holdout = hold_out(shards, settings.validation_samples)
    size = BatchSize(pixels=settings.batch_pixels or 0, multiple=multiple)
    held = np.bincount(shards.group[holdout.left_out], minlength=len(shards.groups)).tolist()
    counts = [n - out for n, out in zip(shards.samples(), held, strict=True)]
    try:
        mixtures = Mixtures(curriculum.phases, shards.groups, counts)
    except CorpusError as error:
        raise CorpusError(f"{shards.corpus}/curriculum.json: {error}") from None
    _, f = _sides(settings)
    check_budget(curriculum.phases, mixtures, size, world=world, f=f)
    means = [_mean_batch(mixtures, number, size) for number in range(len(curriculum.phases))]
    order = Order(
        groups=shards.groups,
        runs=shards.runs,
        left_out=holdout.left_out,
        corpus=shards.digest(),
        schedule=schedule([p.samples for p in curriculum.phases], means, settings.steps),
        mixtures=mixtures,
        size=size,
        shuffle_shards=settings.shuffle_shards,
        seed=settings.seed,
    )
    shards = through_cache(
        shards, settings.cache, settings.cache_gb, rank=local_rank, world=local_world
    )
    return Data(curriculum=curriculum, shards=shards, holdout=holdout, order=order)


def cropped(curriculum: Curriculum, settings: TrainSettings) -> Curriculum:
    """With the crop of the settings in all phases; ValueError where the model cannot take it."""
    if settings.crop_px is not None:
        phases = [dataclasses.replace(p, crop_px=settings.crop_px) for p in curriculum.phases]
        curriculum = dataclasses.replace(curriculum, phases=tuple(phases))
    name, f = _sides(settings)
    for phase in curriculum.phases:
        if phase.crop_px is not None and phase.crop_px % f:
            raise ValueError(
                f"crop_px {phase.crop_px} of phase {phase.name}: {name} takes sides that"
                f" are multiples of {f}: give --crop_px {max(f, phase.crop_px // f * f)}"
            )
    return curriculum


def _mean_batch(mixtures: Mixtures, phase: int, size: BatchSize) -> float:
    """Mean images per batch of a phase, from its middle."""
    mixture = mixtures.at(phase, 0.5)
    sizes = [size.of(Bucket(*cell.bucket)) for cell in mixture.cells]
    return float(np.dot(sizes, mixture.weights))


def _check_counts(curriculum: Curriculum, shards: Shards) -> None:
    held = dict(zip(shards.groups, shards.samples(), strict=True))
    for group, samples in curriculum.groups.items():
        if held.get(group, 0) != samples:
            raise CorpusError(
                f"{shards.corpus}/curriculum.json counts {samples} samples of {group}, the shard"
                f" indexes hold {held.get(group, 0)}: a shard is missing or left over; build the"
                " corpus again"
            )


def _check_buckets(settings: TrainSettings, shards: Shards) -> None:
    name, f = _sides(settings)
    for group in shards.groups:
        bucket = Bucket.parse(group.bucket)
        if min(bucket) < f or bucket.width % f or bucket.height % f:
            raise CorpusError(
                f"{shards.corpus}/shards/{group.kind}/{group.rung} holds images of {bucket} px,"
                f" and {name} takes sides that are multiples of {f}: build the corpus"
                " again, or choose another --model or --init"
            )


def _sides(settings: TrainSettings) -> tuple[str, int]:
    """The model's name, and what the sides of its images are multiples of."""
    if settings.init is None:
        return settings.model, config(settings.model).f
    return class_of(settings.init), f_of(settings.init)
