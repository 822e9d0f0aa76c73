"""Batches of pixels: threads read, decode, crop and flip ahead of the training step.

Pixels depend on the order's state and the seed alone, never on the number of threads or their
timing. Decoding releases the GIL, so threads scale and nothing is copied between processes. An
image that is damaged or cannot be read is replaced by another of its group, chosen by (seed, step,
slot), and reported.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass

import numpy as np
import torch

from vae_corpus.pictures.decode import Fault
from vae_corpus.seeds import generator
from vae_corpus.words import GENERAL
from vae_training.data.crops import OpenedWindow, Pixels, Place, decode_window, open_window
from vae_training.data.order import Order, Selection, State
from vae_training.data.reading import none_readable
from vae_training.data.shards import Asked, Shards
from vae_training.data.sharing import assign

_ATTEMPTS = 16
_IMAGES_PER_JOB = 16
_SELECTED_TOGETHER = 16

# The row that filled a place, and the faults of rows that could not.
Filled = tuple[int, list[str]]
# A batch in progress: its selection, this rank's slots, its memory, and the jobs that fill it.
Pending = tuple[Selection, tuple[int, ...], torch.Tensor, list[Future[list[Filled]]]]


@dataclass(frozen=True, kw_only=True)
class Batch:
    """The share of one rank: `pixels` uint8[B, H, W, 3], their `rows`, and replaced images.

    `slots` are their places in the global batch; `damaged` has a sentence per replaced image: slug,
    key and tar.
    """

    selection: Selection
    pixels: torch.Tensor
    rows: tuple[int, ...]
    slots: tuple[int, ...]
    damaged: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Loader:
    """Prepares up to `ahead` batches with `workers` threads, for rank `rank` of `world`.

    The ranks are on `nodes` machines, equally many on each, one machine after the other.
    """

    shards: Shards
    order: Order
    workers: int
    ahead: int = 3
    rank: int = 0
    world: int = 1
    nodes: int = 1
    pin: bool = False

    def batches(self, state: State, stop: int) -> Generator[Batch, None, None]:
        """The batches of steps `state.step` to `stop - 1`.

        The pixels of a batch are valid until the next batch is asked for, because memory is
        reused. Pinned pixels stay valid while a copy to the GPU is under way: torch reuses them
        when it is done.
        """
        plans = self._plans(state, stop)
        pending: deque[Pending] = deque()
        memory: list[torch.Tensor] = []
        with ThreadPoolExecutor(self.workers, thread_name_prefix="loader") as pool:
            try:
                while True:
                    for chosen, places in itertools.islice(plans, self.ahead - len(pending)):
                        pixels = self._allocate(chosen, len(places), memory)
                        jobs = self._submit(pool, chosen, places, pixels)
                        slots = tuple(place.slot for place in places)
                        pending.append((chosen, slots, pixels, jobs))
                    if not pending:
                        return
                    chosen, slots, pixels, jobs = pending.popleft()
                    wait(jobs)  # for all at once, so that each does not wake this thread
                    done = [filled for job in jobs for filled in job.result()]
                    yield Batch(
                        selection=chosen,
                        pixels=pixels,
                        rows=tuple(row for row, _ in done),
                        slots=slots,
                        damaged=tuple(fault for _, faults in done for fault in faults),
                    )
                    if not self.pin:
                        memory.append(pixels.flatten())
            finally:
                for *_, jobs in pending:
                    for job in jobs:
                        job.cancel()
                self.shards.reader.expect((), ())

    def blank(self, state: State) -> Batch:
        """This rank's share of the batch at `state`, with black pixels."""
        chosen = self.order.select(state)
        slots = self._slots(chosen)
        return Batch(
            selection=chosen,
            pixels=self._allocate(chosen, len(slots), []).zero_(),
            rows=tuple(chosen.rows[slot] for slot in slots),
            slots=slots,
            damaged=(),
        )

    def _allocate(self, chosen: Selection, images: int, memory: list[torch.Tensor]) -> torch.Tensor:
        """Room for `images` of a batch, in used memory where some is large enough."""
        shape = (images, chosen.bucket.height, chosen.bucket.width, 3)
        size = math.prod(shape)
        while memory:
            if len(used := memory.pop()) >= size:
                return used[:size].view(shape)
        return torch.empty(shape, dtype=torch.uint8, pin_memory=self.pin)

    def _slots(self, chosen: Selection) -> tuple[int, ...]:
        ranks = assign(chosen.places, self.nodes, self.world)
        return tuple(np.flatnonzero(ranks == self.rank).tolist())

    def _plans(self, state: State, stop: int) -> Iterator[tuple[Selection, list[Place]]]:
        """Per step the selection, and crops and flips of this rank's share.

        Several steps are selected together, because one alone runs out of cold caches (see
        `open_image`).
        """
        while state.step < stop:
            # All batches before have been asked for: what only they need may go.
            node = self.rank * self.nodes // self.world
            self.shards.reader.expect(*self.order.coming(state, node, self.nodes))
            plans: list[tuple[Selection, list[Place]]] = []
            while state.step < stop and len(plans) < _SELECTED_TOGETHER:
                chosen = self.order.select(state)
                plans.append((chosen, self._places(chosen)))
                state = chosen.after
            yield from plans

    def _places(self, chosen: Selection) -> list[Place]:
        # One generator a batch: to make one takes a twentieth of the decoding of a small image.
        rng = generator(self.order.seed, "crop", chosen.step)
        chances = rng.random((len(chosen.rows), 3)).tolist()
        places = []
        for number, slot in enumerate(self._slots(chosen)):
            down, across, flip = chances[slot]
            general = self.order.groups[chosen.groups[slot]].kind == GENERAL
            places.append(Place(number, slot, down, across, general and flip < 0.5))
        return places

    def _submit(
        self, pool: ThreadPoolExecutor, chosen: Selection, places: list[Place], pixels: torch.Tensor
    ) -> list[Future[list[Filled]]]:
        view = pixels.flatten(2).numpy()
        # What a store must be asked for is under way before a thread needs it.
        asked = self.shards.ask([chosen.rows[place.slot] for place in places])
        few = min(_IMAGES_PER_JOB, -(-len(places) // self.workers))
        return [
            pool.submit(self._fill, view, chosen, places[i : i + few], asked[i : i + few])
            for i in range(0, len(places), few)
        ]

    def _fill(
        self, view: Pixels, chosen: Selection, places: Sequence[Place], asked: Sequence[Asked]
    ) -> list[Filled]:
        """Fill some places of `view`, uint8[B, H, W * 3]: all are opened, then decoded."""
        rows = [chosen.rows[place.slot] for place in places]
        opened = _open(chosen, asked, places)
        targets = [view[place.number] for place in places]
        done: list[Filled] = []
        for place, row, found, target in zip(places, rows, opened, targets, strict=True):
            fault = decode_window(found, place.flip, target)
            done.append((row, []) if fault is None else self._replace(chosen, place, fault, target))
        return done

    def _replace(self, chosen: Selection, place: Place, fault: Fault, target: Pixels) -> Filled:
        """Fill a place from other rows of its group, until one has no fault."""
        row, group = chosen.rows[place.slot], chosen.groups[place.slot]
        faults = []
        for attempt in range(_ATTEMPTS - 1):
            faults.append(f"{fault.slug}: {self.shards.where(row)}")
            row = self.order.substitute(chosen.step, place.slot, group, attempt)
            found = _open(chosen, self.shards.ask([row]), [place])[0]
            again = decode_window(found, place.flip, target)
            if again is None:
                return row, faults
            fault = again
        raise none_readable(_ATTEMPTS, fault, self.shards.where(row))


def _open(
    chosen: Selection, asked: Sequence[Asked], places: Sequence[Place]
) -> list[OpenedWindow | Fault]:
    pairs = zip(asked, places, strict=True)
    return [open_window(read(), chosen.bucket, place) for read, place in pairs]
