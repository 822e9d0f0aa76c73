"""A corpus of several shards behind a slow store, which is read a few shards at a time."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from vae_corpus.words import GENERAL
from vae_training.config import TrainSettings
from vae_training.data.corpus import Data, open_data
from vae_training.data.loader import Batch, Loader

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


def opened(corpus: str, cache: Path, *, rank: int = 0, world: int = 1, **changes: Any) -> Data:
    given = {"steps": STEPS, "batch_pixels": BATCH * 256**2, "validation_samples": 1}
    given |= {"shuffle_shards": BLOCK, **changes}
    settings = TrainSettings(corpus=corpus, cache=str(cache), **given)
    return open_data(settings, 1, local_rank=rank, local_world=world)


def batches(data: Data, *, start: int = 0, stop: int = STEPS, **changes: Any) -> Iterator[Batch]:
    loader = Loader(shards=data.shards, order=data.order, **{"workers": 2, **changes})
    state = data.order.start()
    while state.step < start:
        state = data.order.select(state).after
    for batch in loader.batches(state, stop):
        yield replace(batch, pixels=batch.pixels.clone())


def seen(found: Iterator[Batch]) -> list[tuple[tuple[int, ...], bytes, tuple[str, ...]]]:
    """All that training would see of these batches."""
    return [(batch.rows, batch.pixels.numpy().tobytes(), batch.damaged) for batch in found]
