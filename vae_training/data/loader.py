"""Batches of pixels: threads read, decode, crop and flip ahead of the training step.

The pixels of a batch depend on the order's state and the seed alone, never on the number of
threads or on their timing. Decoding releases the GIL, so threads scale and nothing is copied
between processes. A damaged image is replaced by another of its group, by a draw from (seed,
step, slot), and reported with the batch.
"""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from pipelines.decode import Fault, decode
from pipelines.sample import GENERAL, Bucket, generator
from vae_training.data.curriculum import CorpusError
from vae_training.data.order import Draw, Order, State
from vae_training.data.shards import Shards

_ATTEMPTS = 16
_IMAGES_PER_JOB = 8
# Enough for 3,072 x 4,608 px, the largest rung at one and a half times its size; larger images get
# memory of their own. The system only backs what is written to.
_SCRATCH_BYTES = 3 * 3072 * 4608


# The row that filled a place, and the faults of those before it.
Filled = tuple[int, list[str]]
# A batch on its way: what it is of, where its pixels will be, and the work on it.
Coming = tuple[Draw, torch.Tensor, list[Future[list[Filled]]]]


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
        """The batches of steps `state.step` to `stop - 1`.

        The pixels of a batch are valid until the next one is asked for: their memory is used
        again. Pinned ones stay valid, because a copy to the GPU may still be under way; torch
        uses their memory again when it is done.
        """
        pending: deque[Coming] = deque()
        memory: list[torch.Tensor] = []
        with ThreadPoolExecutor(self.workers, thread_name_prefix="loader") as pool:
            try:
                while True:
                    while state.step < stop and len(pending) < self.ahead:
                        draw = self.order.draw(state)
                        state = draw.after
                        pending.append(self._submit(pool.submit, draw, self._allot(draw, memory)))
                    if not pending:
                        return
                    draw, pixels, jobs = pending.popleft()
                    done = [filled for job in jobs for filled in job.result()]
                    yield Batch(
                        draw=draw,
                        pixels=pixels,
                        rows=tuple(row for row, _ in done),
                        damaged=tuple(fault for _, faults in done for fault in faults),
                    )
                    if not self.pin:
                        memory.append(pixels.flatten())
            finally:
                for _, _, jobs in pending:
                    for job in jobs:
                        job.cancel()

    def _allot(self, draw: Draw, memory: list[torch.Tensor]) -> torch.Tensor:
        """Room for this rank's share of a batch, in used memory where some is large enough."""
        shape = (len(self._slots(draw)), draw.bucket.height, draw.bucket.width, 3)
        size = math.prod(shape)
        while memory:
            if len(used := memory.pop()) >= size:
                return used[:size].view(shape)
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self.pin)

    def _slots(self, draw: Draw) -> range:
        return range(self.rank, len(draw.rows), self.world)

    def _submit(
        self, submit: Callable[..., Future[list[Filled]]], draw: Draw, pixels: torch.Tensor
    ) -> Coming:
        slots, view = self._slots(draw), pixels.numpy()
        # One generator a batch: to make one takes a twentieth of the decoding of a small image.
        rng = generator(self.order.seed, "crop", draw.step)
        chances = rng.random((len(draw.rows), 3)).tolist()

        def fill(places: range) -> list[Filled]:
            return [self._fill(view[i], draw, slots[i], chances[slots[i]]) for i in places]

        # A few images to a job, because handing one over costs as much as half a small image.
        few = min(_IMAGES_PER_JOB, -(-len(slots) // (2 * self.workers)))
        starts = range(0, len(slots), few)
        jobs = [submit(fill, range(i, min(i + few, len(slots)))) for i in starts]
        return draw, pixels, jobs

    def _fill(
        self, target: NDArray[np.uint8], draw: Draw, slot: int, chance: list[float]
    ) -> Filled:
        """Fill `target` with the image of a slot; the row that did it, and the faults before.

        `chance` holds three numbers in [0, 1): place of the crop from the top, from the left,
        and whether to flip.
        """
        row, group, faults = draw.rows[slot], draw.groups[slot], []
        flip = self.order.groups[group].kind == GENERAL and chance[2] < 0.5
        for attempt in range(_ATTEMPTS):
            image = read_rgb(self.shards, row, draw.bucket, _SCRATCH.get(), bgr=flip)
            if not isinstance(image, Fault):
                crop = crop_at(image, draw.bucket, chance[0], chance[1])
                if flip:
                    mirror(crop, target)
                else:
                    target[:] = crop
                return row, faults
            faults.append(f"{image.slug}: {self.shards.where(row)}")
            row = self.order.substitute(draw.step, slot, group, attempt)
        raise CorpusError(
            f"{_ATTEMPTS} images in a row cannot be read, the last: {faults[-1]}: the shard is"
            " damaged; delete it and its .parquet and build the corpus again"
        )


def read_rgb(
    shards: Shards,
    row: int,
    bucket: Bucket,
    scratch: NDArray[np.uint8] | None = None,
    *,
    bgr: bool = False,
) -> NDArray[np.uint8] | Fault:
    """The whole image of a row, uint8[H, W, 3], at least as large as `bucket`; else a fault.

    Its pixels may lie in `scratch`, and its colours come as blue, green, red with `bgr`, as
    `decode` has it.
    """
    image = decode(shards.read(row), scratch=scratch, bgr=bgr)
    if isinstance(image, Fault):
        return image
    height, width, _ = image.rgb.shape
    if width < bucket.width or height < bucket.height:
        return Fault("too_small", f"{width}x{height} px do not fill the bucket {bucket}")
    return image.rgb


def mirror(bgr: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    """Fill `target`, RGB, with the mirror image of `bgr`; both uint8[H, W, 3].

    A row of bytes read backwards has its pixels mirrored and their colours in the other order.
    That takes half the time of moving pixels of three bytes, and a twentieth of a numpy view's.
    """
    rows = len(bgr)
    cv2.flip(bgr.reshape(rows, -1), 1, dst=target.reshape(rows, -1))


class _Scratch(threading.local):
    """Memory that the images of a thread are decoded into, one after the other."""

    def __init__(self) -> None:
        self._memory = np.empty(_SCRATCH_BYTES, dtype=np.uint8)

    def get(self) -> NDArray[np.uint8]:
        return self._memory


_SCRATCH = _Scratch()


def crop_at(
    rgb: NDArray[np.uint8], bucket: Bucket, down: float, across: float
) -> NDArray[np.uint8]:
    """The window of the bucket's size at `down` and `across` in [0, 1) of the free way.

    Text tiles fit exactly: they have no free way.
    """
    height, width, _ = rgb.shape
    top = int(down * (height - bucket.height + 1))
    left = int(across * (width - bucket.width + 1))
    return rgb[top : top + bucket.height, left : left + bucket.width]


def centre_crop(rgb: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """The middle window of the given size, or less where the image is smaller."""
    top, left = max(0, rgb.shape[0] - height) // 2, max(0, rgb.shape[1] - width) // 2
    return rgb[top : top + height, left : left + width]
