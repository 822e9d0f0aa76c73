"""Batches of pixels: threads read, decode, crop and flip ahead of the training step.

The pixels of a batch depend on the order's state and the seed alone, never on the number of
threads or on their timing. Decoding releases the GIL, so threads scale and nothing is copied
between processes. A damaged image is replaced by another of its group, by a draw from (seed,
step, slot), and reported with the batch.
"""

from __future__ import annotations

import itertools
import math
import threading
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
import torch
from numpy.typing import NDArray

from vae_corpus.curriculum import CorpusError
from vae_corpus.pictures.decode import Fault, Opened, decode, open_image
from vae_corpus.seeds import generator
from vae_corpus.words import GENERAL, Bucket
from vae_training.data.order import Draw, Order, State
from vae_training.data.shards import Shards

_ATTEMPTS = 16
_IMAGES_PER_JOB = 16
_DRAWN_TOGETHER = 16
# Enough for 3,072 x 4,608 px, the largest rung at one and a half times its size; larger images get
# memory of their own. The system only backs what is written to.
_SCRATCH_BYTES = 3 * 3072 * 4608


# The row that filled a place, and the faults of those before it.
Filled = tuple[int, list[str]]
# An image that is yet to be decoded, and the rows of bytes of its window.
Window = tuple[Opened, NDArray[np.uint8]]
# A batch on its way: what it is of, where its pixels will be, and the work on it.
Coming = tuple[Draw, torch.Tensor, list[Future[list[Filled]]]]


class Place(NamedTuple):
    """What becomes of an image: `number` in this rank's share, `slot` in the batch of all ranks.

    `down` and `across` in [0, 1) place its window, and it may be mirrored.
    """

    number: int
    slot: int
    down: float
    across: float
    flip: bool


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
        plans = self._plans(state, stop)
        pending: deque[Coming] = deque()
        memory: list[torch.Tensor] = []
        with ThreadPoolExecutor(self.workers, thread_name_prefix="loader") as pool:
            try:
                while True:
                    for draw, places in itertools.islice(plans, self.ahead - len(pending)):
                        pixels = self._allot(draw, memory)
                        pending.append((draw, pixels, self._submit(pool, draw, places, pixels)))
                    if not pending:
                        return
                    draw, pixels, jobs = pending.popleft()
                    wait(jobs)  # for all at once, so that each does not wake this thread
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

    def _plans(self, state: State, stop: int) -> Iterator[tuple[Draw, list[Place]]]:
        """The draws of all steps, and what is to be done for this rank's share of each.

        A few are drawn together, because a draw on its own runs out of cold caches: see
        `open_image`.
        """
        while state.step < stop:
            plans = []
            while state.step < stop and len(plans) < _DRAWN_TOGETHER:
                draw = self.order.draw(state)
                plans.append((draw, self._places(draw)))
                state = draw.after
            yield from plans

    def _submit(
        self, pool: ThreadPoolExecutor, draw: Draw, places: list[Place], pixels: torch.Tensor
    ) -> list[Future[list[Filled]]]:
        view = pixels.flatten(2).numpy()
        few = min(_IMAGES_PER_JOB, -(-len(places) // self.workers))
        return [
            pool.submit(self._fill, view, draw, places[i : i + few])
            for i in range(0, len(places), few)
        ]

    def _places(self, draw: Draw) -> list[Place]:
        # One generator a batch: to make one takes a twentieth of the decoding of a small image.
        chances = generator(self.order.seed, "crop", draw.step).random((len(draw.rows), 3)).tolist()
        places = []
        for number, slot in enumerate(self._slots(draw)):
            down, across, flip = chances[slot]
            general = self.order.groups[draw.groups[slot]].kind == GENERAL
            places.append(Place(number, slot, down, across, general and flip < 0.5))
        return places

    def _fill(self, view: NDArray[np.uint8], draw: Draw, places: Sequence[Place]) -> list[Filled]:
        """Fill some places of `view`, uint8[B, H, W * 3]; the rows that did it, and the faults.

        All of them are read and opened, then decoded: see `open_image`.
        """
        rows = [draw.rows[place.slot] for place in places]
        opened = self._open(draw, rows, places)
        targets = [view[place.number] for place in places]
        done: list[Filled] = []
        for place, row, found, target in zip(places, rows, opened, targets, strict=True):
            fault = put(found, place.flip, target)
            done.append((row, []) if fault is None else self._replace(draw, place, fault, target))
        return done

    def _open(
        self, draw: Draw, rows: Sequence[int], places: Sequence[Place]
    ) -> list[Window | Fault]:
        scratch = _SCRATCH.get()
        files = self.shards.read_each(rows)
        return [
            open_window(data, draw.bucket, place, scratch)
            for data, place in zip(files, places, strict=True)
        ]

    def _replace(self, draw: Draw, place: Place, fault: Fault, target: NDArray[np.uint8]) -> Filled:
        """Fill a place by another row of its group; the faults are those of the rows before."""
        row, group = draw.rows[place.slot], draw.groups[place.slot]
        faults = [f"{fault.slug}: {self.shards.where(row)}"]
        for attempt in range(_ATTEMPTS - 1):
            row = self.order.substitute(draw.step, place.slot, group, attempt)
            again = put(*self._open(draw, [row], [place]), place.flip, target)
            if again is None:
                return row, faults
            faults.append(f"{again.slug}: {self.shards.where(row)}")
        raise CorpusError(
            f"{_ATTEMPTS} images in a row cannot be read, the last: {faults[-1]}: the shard is"
            " damaged; delete it and its .parquet and build the corpus again"
        )


def open_window(
    data: bytes, bucket: Bucket, place: Place, scratch: NDArray[np.uint8]
) -> Window | Fault:
    """An image of which the place and the size are known, and the window of it as rows of bytes.

    What is to be mirrored has blue first.
    """
    image = open_image(data, scratch, bgr=place.flip)
    if isinstance(image, Fault):
        return image
    if fault := too_small(image.pixels, bucket):
        return fault
    crop = crop_at(image.pixels, bucket, place.down, place.across)
    return image, crop.reshape(bucket.height, 3 * bucket.width)


def put(found: Window | Fault, flip: bool, target: NDArray[np.uint8]) -> Fault | None:
    """Decode an image and fill `target`, uint8[H, W * 3], with its window; or its fault."""
    if isinstance(found, Fault):
        return found
    image, window = found
    if fault := image.decode():
        return fault
    if flip:
        mirror(window, target)
    else:
        cv2.copyTo(window, None, dst=target)  # numpy takes a third longer
    return None


def read_rgb(shards: Shards, row: int, bucket: Bucket) -> NDArray[np.uint8] | Fault:
    """The whole image of a row, uint8[H, W, 3], at least as large as `bucket`; else a fault."""
    image = decode(shards.read(row))
    if isinstance(image, Fault):
        return image
    return too_small(image.rgb, bucket) or image.rgb


def too_small(image: NDArray[np.uint8], bucket: Bucket) -> Fault | None:
    height, width, _ = image.shape
    if width < bucket.width or height < bucket.height:
        return Fault("too_small", f"{width}x{height} px do not fill the bucket {bucket}")
    return None


def mirror(bgr: NDArray[np.uint8], target: NDArray[np.uint8]) -> None:
    """Fill `target`, RGB, with the mirror image of `bgr`; both uint8[H, W * 3], rows of bytes.

    A row of bytes read backwards has its pixels mirrored and their colours in the other order.
    That takes half the time of moving pixels of three bytes, and a twentieth of a numpy view's.
    """
    cv2.flip(bgr, 1, dst=target)


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
