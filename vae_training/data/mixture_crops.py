"""Crops of the mixture that a model learns last: pictures like those that it will be used for.

They come as the last phase weights its groups, at native resolution, in its mean proportions from
its beginning to its end. They are windows of the training images, because whole images would cost
more than the training of a small model. What is drawn depends on the seed and on what it is for;
the ranks share it.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from vae_corpus.pictures.decode import Fault
from vae_corpus.seeds import generator
from vae_corpus.words import Bucket
from vae_training.data.corpus import Data
from vae_training.data.crops import crop_at, read_rgb
from vae_training.data.reading import none_readable

_PER_IMAGE = 4  # crops: to decode an image of 1024 px costs as much as to encode five with tiny
_TOGETHER = 4  # images: their crops come at once
_ATTEMPTS = 16

Windows = NDArray[np.uint8]


def mixture_crops(
    data: Data, purpose: str, *, rank: int, world: int, crops: int, side: int, workers: int
) -> Iterator[Windows]:
    """The share of `rank` of `crops` crops, uint8[B, H, W, 3] with sides of `side` px at most.

    `workers` threads decode. Damaged images are replaced by others of their group; CorpusError
    when 16 in a row are damaged.
    """
    images = -(-crops // _PER_IMAGE)
    pending: deque[list[Future[Windows]]] = deque()
    with ThreadPoolExecutor(workers, thread_name_prefix=purpose) as pool:
        # Whole blocks, so that the same crops come together on any number of ranks.
        for first in range(rank * _TOGETHER, images, world * _TOGETHER):
            block = range(first, min(first + _TOGETHER, images))
            counts = [min(_PER_IMAGE, crops - number * _PER_IMAGE) for number in block]
            pending.append(
                [
                    pool.submit(
                        _windows, data, purpose, (number + 0.5) / images, number, count, side
                    )
                    for number, count in zip(block, counts, strict=True)
                ]
            )
            if len(pending) > 1:  # one block is decoded while another is used
                yield from _by_size(pending.popleft())
        for jobs in pending:
            yield from _by_size(jobs)


def _by_size(jobs: Sequence[Future[Windows]]) -> Iterator[Windows]:
    """Crops of one size in one array; a phase may have buckets that are smaller than a crop."""
    found: dict[tuple[int, ...], list[Windows]] = defaultdict(list)
    for job in jobs:
        windows = job.result()
        found[windows.shape[1:]].append(windows)
    yield from (np.concatenate(alike) for alike in found.values())


def _windows(
    data: Data, purpose: str, progress: float, number: int, count: int, side: int
) -> Windows:
    """`count` crops of draw `number`, an image as the last phase has it at `progress` in 0..1."""
    order = data.order
    rng = generator(order.seed, purpose, number)
    last = len(data.curriculum.phases) - 1
    cell = order.mixtures.at(last, progress).sample(rng)
    group = int(cell.sample(rng, 1)[0])
    window = Bucket(*(min(side, whole) for whole in cell.bucket))
    for _ in range(_ATTEMPTS):
        row = order.draw(group, rng)
        rgb = read_rgb(data.shards, row, cell.bucket)
        if not isinstance(rgb, Fault):
            places = rng.random((count, 2)).tolist()
            return np.stack([crop_at(rgb, window, *place) for place in places])
        fault = rgb
    raise none_readable(_ATTEMPTS, fault, data.shards.where(row))
