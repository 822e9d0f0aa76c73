"""Every size of batch once before the first step: kernels are chosen and compiled, memory is met.

The largest batch of the whole run tells at once whether it fits, not days later, and no step in
the middle of a phase is slow because its size is new.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from vae_corpus.curriculum import LossWeights
from vae_corpus.settings import SettingsError
from vae_corpus.words import Bucket
from vae_training.data.corpus import Data
from vae_training.distributed import Ranks
from vae_training.model.pixels import to_model
from vae_training.update import Update


@dataclass(frozen=True, kw_only=True)
class Kind:
    """Batches that take the same kernels: `images` of a rank, and which judges look at them."""

    bucket: Bucket
    images: int
    lpips: bool
    align: bool


def kinds_of_batches(data: Data, phase: int, world: int) -> dict[Kind, str]:
    """What a run meets from `phase` on, the largest first, and the phase that needs it."""
    found: dict[Kind, str] = {}
    for number, each in enumerate(data.curriculum.phases[phase:], start=phase):
        for bucket in data.order.mixtures.buckets(number):
            for progress in (0.0, 1.0):
                weights = each.loss_weights(progress)
                kind = Kind(
                    bucket=bucket,
                    images=data.order.size.of(bucket) // world,
                    lpips=weights.lpips > 0,
                    align=weights.align > 0,
                )
                found.setdefault(kind, each.name)
    return dict(sorted(found.items(), key=lambda item: -_pixels(item[0])))


def warm_up(
    update: Update,
    data: Data,
    ranks: Ranks,
    phase: int,
    *,
    clock: Callable[[], float],
    stopped: Callable[[], bool],
) -> str:
    """Gradients of blank batches of each kind, thrown away, and a sentence that tells the time.

    All ranks call it together; it ends early when one of them is `stopped`, because with trials of
    convolutions it may take minutes. SettingsError names the phase whose batches do not fit, and
    ways out.
    """
    began, done = clock(), 0
    kinds = kinds_of_batches(data, phase, ranks.world)
    for kind, name in kinds.items():
        size = (kind.images, kind.bucket.height, kind.bucket.width, 3)
        pixels = torch.zeros(size, dtype=torch.uint8, device=ranks.device)
        weights = LossWeights(lpips=float(kind.lpips), align=float(kind.align))
        try:
            update.gradients(to_model(pixels), weights, 0)
        except torch.cuda.OutOfMemoryError:
            raise SettingsError(
                f"phase {name}: {kind.images} images of {kind.bucket} px a rank do not fit into"
                f" the memory of {ranks.device}: give --accumulate N, --recompute true, or fewer"
                " --batch_pixels"
            ) from None
        update.discard()
        done += 1
        if ranks.sums([float(stopped())])[0]:
            break
    took = f"warmed up {done} of {len(kinds)} kinds of batches in {clock() - began:.1f} s"
    if ranks.device.type != "cuda":
        return took
    peak = torch.cuda.max_memory_allocated(ranks.device) / 2**30
    return f"{took}, with {peak:.1f} GiB of GPU memory at most"


def _pixels(kind: Kind) -> int:
    return kind.images * kind.bucket.width * kind.bucket.height
