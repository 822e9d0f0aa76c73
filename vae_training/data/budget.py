"""Whether the ranks can share a batch within `--batch_pixels`.

A batch has at least `multiple` images, one for each rank, or more if the run began with more. They
must fit the budget, because a batch of 64 large images where 4 were meant trains another model. One
image alone, on one process, is always allowed: there is no smaller batch.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from vae_corpus.curriculum import Phase
from vae_corpus.settings import SettingsError
from vae_corpus.words import Bucket
from vae_training.data.mixture import Mixtures
from vae_training.data.order import BatchSize


def check_budget(
    phases: Sequence[Phase], mixtures: Mixtures, size: BatchSize, *, world: int, f: int
) -> None:
    """SettingsError names the phase with the largest images that do not fit, and the ways out.

    `f` is what sides of the model's images are multiples of.
    """
    if size.multiple == 1:
        return
    largest = [(mixtures.buckets(n)[0], phase.name) for n, phase in enumerate(phases)]
    bucket, phase = max(largest, key=lambda pair: _px(pair[0]))
    asked = size.multiple * _px(bucket)
    if asked <= size.pixels:
        return
    ways = [f"give --batch_pixels {asked}, with --accumulate N where a rank's memory needs it"]
    ranks = size.pixels // _px(bucket)
    if 1 <= ranks < size.multiple:
        ways.append(f"{_processes(ranks)} (--batch_multiple {ranks})")
    side = math.isqrt(size.pixels // size.multiple) // f * f
    if side:
        ways.append(f"--crop_px {side}")
    raise SettingsError(
        f"phase {phase}: {size.multiple} images of {bucket} px, the smallest batch of"
        f" {_processes(world)} at batch_multiple {size.multiple}, are {asked:,} pixels, more than"
        f" --batch_pixels {size.pixels:,}: {', or '.join(ways)}"
    )


def _processes(count: int) -> str:
    return "one process" if count == 1 else f"{count} ranks"


def _px(bucket: Bucket) -> int:
    return bucket.width * bucket.height
