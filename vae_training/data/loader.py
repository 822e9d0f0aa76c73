"""Batches of pixels: threads read, decode, crop and flip ahead of the training step.

The pixels of a batch depend on the order's state and the seed alone, never on the number of
threads or on their timing. Decoding releases the GIL, so threads scale and nothing is copied
between processes. A damaged image is replaced by another of its group, by a draw from (seed,
step, slot), and reported with the batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.decode import Fault, decode
from pipelines.sample import GENERAL, Bucket, generator
from vae_training.data.curriculum import CorpusError
from vae_training.data.order import Draw, Order, State
from vae_training.data.shards import Shards

_ATTEMPTS = 16


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The share of one rank. `pixels` is uint8[B, H, W, 3]; `damaged` are slugs by place."""

    draw: Draw
    pixels: torch.Tensor
    rows: tuple[int, ...]
    damaged: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Reads batches `ahead` of their use with `workers` threads, for rank `rank` of `world`."""

    shards: Shards
    order: Order
    workers: int
    ahead: int = 3
    rank: int = 0
    world: int = 1
    pin: bool = False

    def batches(self, state: State, stop: int) -> Generator[Batch, None, None]:
        """The batches of steps `state.step` to `stop - 1`."""
        pending: deque[tuple[Draw, torch.Tensor, list[Future[tuple[int, list[str]]]]]] = deque()
        with ThreadPoolExecutor(self.workers, thread_name_prefix="loader") as pool:
            try:
                while True:
                    while state.step < stop and len(pending) < self.ahead:
                        draw = self.order.draw(state)
                        state = draw.after
                        pending.append(self._submit(pool.submit, draw))
                    if not pending:
                        return
                    draw, pixels, jobs = pending.popleft()
                    done = [job.result() for job in jobs]
                    yield Batch(
                        draw=draw,
                        pixels=pixels,
                        rows=tuple(row for row, _ in done),
                        damaged=tuple(fault for _, faults in done for fault in faults),
                    )
            finally:
                for _, _, jobs in pending:
                    for job in jobs:
                        job.cancel()

    def _submit(
        self, submit: Callable[..., Future[tuple[int, list[str]]]], draw: Draw
    ) -> tuple[Draw, torch.Tensor, list[Future[tuple[int, list[str]]]]]:
        slots = range(self.rank, len(draw.rows), self.world)
        shape = (len(slots), draw.bucket.height, draw.bucket.width, 3)
        pixels = torch.empty(shape, dtype=torch.uint8, pin_memory=self.pin)
        view = pixels.numpy()
        return draw, pixels, [submit(self._fill, view[i], draw, s) for i, s in enumerate(slots)]

    def _fill(self, target: NDArray[np.uint8], draw: Draw, slot: int) -> tuple[int, list[str]]:
        """Fill `target` with the image of a slot; the row that did it, and the faults before."""
        row, group, faults = draw.rows[slot], draw.groups[slot], []
        for attempt in range(_ATTEMPTS):
            rgb = read_rgb(self.shards, row, draw.bucket)
            if not isinstance(rgb, Fault):
                rng = generator(self.order.seed, "crop", draw.step, slot)
                flip = self.order.groups[group].kind == GENERAL and rng.random() < 0.5
                crop = random_crop(rgb, draw.bucket, rng)
                target[:] = crop[:, ::-1] if flip else crop
                return row, faults
            faults.append(f"{rgb.slug}: {self.shards.where(row)}")
            row = self.order.substitute(draw.step, slot, group, attempt)
        raise CorpusError(
            f"{_ATTEMPTS} images in a row cannot be read, the last: {faults[-1]}: the shard is"
            " damaged; delete it and its .parquet and build the corpus again"
        )


def read_rgb(shards: Shards, row: int, bucket: Bucket) -> NDArray[np.uint8] | Fault:
    """The whole image of a row, uint8[H, W, 3], at least as large as `bucket`; else a fault."""
    image = decode(shards.read(row))
    if isinstance(image, Fault):
        return image
    height, width, _ = image.rgb.shape
    if width < bucket.width or height < bucket.height:
        return Fault("too_small", f"{width}x{height} px do not fill the bucket {bucket}")
    return image.rgb


def random_crop(
    rgb: NDArray[np.uint8], bucket: Bucket, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A window of the bucket's size at a place drawn evenly; text tiles fit exactly."""
    height, width, _ = rgb.shape
    top = int(rng.integers(height - bucket.height + 1))
    left = int(rng.integers(width - bucket.width + 1))
    return rgb[top : top + bucket.height, left : left + bucket.width]


def centre_crop(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The middle window of the given size, or less where the image is smaller."""
    top, left = max(0, rgb.shape[0] - height) // 2, max(0, rgb.shape[1] - width) // 2
    return rgb[top : top + height, left : left + width]
