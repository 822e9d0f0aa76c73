"""A corpus of several shards behind a slow store, and an order that reads it block by block."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from vae_corpus.seeds import generator
from vae_corpus.words import GENERAL
from vae_training.config import TrainSettings
from vae_training.data.corpus import Data, open_data
from vae_training.data.loader import Batch, Loader
from vae_training.data.order import Selection, State

SHARDS, IMAGES, BATCH = 8, 12, 4
BLOCK = 2  # shards
STEPS = SHARDS * IMAGES // BATCH


def write_corpus(folder: Path, write: SimpleNamespace) -> Path:
    samples = [s for s in write.general(2 * SHARDS * IMAGES) if s["bucket"] == "256x256"]
    for number in range(SHARDS):
        part = samples[number * IMAGES : (number + 1) * IMAGES]
        write.shard(folder, GENERAL, 256, part, number)
    write.curriculum(folder, [write.phase("general")])
    return folder


def stored(corpus: Path, bucket: Path, name: str) -> str:
    """The URL of a copy that a test may damage."""
    shutil.copytree(corpus, bucket / name)
    return f"s3://bucket/{name}"


class Blocks:
    """Stands for an order that finishes some shards before it turns to the next ones."""

    def __init__(self, data: Data) -> None:
        self._order, self._shards = data.order, data.shards
        self.seed, self.groups = data.order.seed, data.order.groups
        self.substitute = data.order.substitute
        self.start = data.order.start

    def select(self, state: State) -> Selection:
        per_block = BLOCK * IMAGES // BATCH
        block, at = divmod(state.step, per_block)
        numbers = self.block(block)
        rows = np.flatnonzero(np.isin(self._shards.shard, numbers))
        rows = generator(self.seed, "block", block).permutation(rows)[at * BATCH : (at + 1) * BATCH]
        chosen = self._order.select(state)
        return replace(
            chosen,
            rows=tuple(rows.tolist()),
            groups=tuple(self._shards.group[rows].tolist()),
            after=State(step=state.step + 1, counters=state.counters),
        )

    def coming(self, state: State) -> tuple[list[int], list[int]]:
        block = state.step * BATCH // (BLOCK * IMAGES)
        return self.block(block), self.block(block + 1)

    def block(self, number: int) -> list[int]:
        first = number * BLOCK % SHARDS
        return list(range(first, first + BLOCK))


def opened(corpus: str, cache: Path, *, rank: int = 0, world: int = 1, **changes: Any) -> Data:
    given = {"steps": STEPS, "batch_pixels": BATCH * 256**2, "validation_samples": 1, **changes}
    settings = TrainSettings(corpus=corpus, cache=str(cache), **given)
    return open_data(settings, 1, local_rank=rank, local_world=world)


def batches(data: Data, *, start: int = 0, stop: int = STEPS, **changes: Any) -> Iterator[Batch]:
    order: Any = Blocks(data)
    given = {"workers": 2, "coming": order.coming, **changes}
    loader = Loader(shards=data.shards, order=order, **given)
    state = State(step=start, counters=data.order.start().counters)
    for batch in loader.batches(state, stop):
        yield replace(batch, pixels=batch.pixels.clone())


def seen(found: Iterator[Batch]) -> list[tuple[tuple[int, ...], bytes, tuple[str, ...]]]:
    """All that training would see of these batches."""
    return [(batch.rows, batch.pixels.numpy().tobytes(), batch.damaged) for batch in found]
