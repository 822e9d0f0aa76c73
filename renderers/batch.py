"""Make many pages, in one process or several; the bytes do not depend on how many.

    for page in pages(job, workers=4): ...

A page is a pure function of the job and its number. Decoding a photograph costs ten times as much
as a page of text, so pages share backgrounds: of each BLOCK of pages, every BACKGROUNDS-th has the
same. Those make one task, which one process does.
"""

from __future__ import annotations

import multiprocessing
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from fonts.faces import discover
from renderers.effects.extras import NO_EXTRAS, Extras
from renderers.garbage_collection import keep_loaded
from renderers.page.backgrounds import Backgrounds
from renderers.page.output import encode
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from vae_corpus.seeds import generator

SampleBackground = Callable[
    [np.random.Generator, int, int], tuple[str | Path, npt.NDArray[np.uint8]]
]

BLOCK, BACKGROUNDS = 128, 8
# Tasks in flight per process: enough to keep all busy, few enough to bound memory.
_WINDOW = 3


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to make: `count` square pages of `canvas` px, and where the inputs lie.

    `backgrounds` are paths (see `Backgrounds`), or a function of (generator, width, height) that
    gives a name and a picture `uint8[H, W, 3]` of that size at the least; with several workers it
    must be one that pickle knows. `texts` are (language, paths) pairs; `layouts` empty stands for
    all that suit.
    """

    language: str
    bands: tuple[str, ...]
    layouts: tuple[str, ...]
    canvas: int
    count: int
    seed: int
    ext: str
    backgrounds: tuple[Path, ...] | SampleBackground
    fonts: tuple[Path, ...]
    texts: tuple[tuple[str, tuple[Path, ...]], ...]
    extras: Extras = NO_EXTRAS


class Page(NamedTuple):
    """An encoded page: its picture, its label as JSON, and what it adds to the summary."""

    number: int
    name: str
    picture: bytes
    label: bytes
    characters: int
    shown: str
    skipped_texts: int


class Done(NamedTuple):
    """A finished task: its pages, and the background files that did not decode, with reasons."""

    pages: list[Page]
    refused: dict[Path, str]


class Maker:
    """Makes pages; keeps the renderer and the last few decoded backgrounds from task to task."""

    def __init__(self, job: Job) -> None:
        cv2.setNumThreads(1)
        self._job = job
        faces = discover(job.fonts)
        if not faces:
            places = ", ".join(map(str, job.fonts)) or "no path at all"
            raise ValueError(
                f"no usable font in {places}: give at least one face (.ttf, .otf, .ttc or .otc)"
            )
        self._renderer = Renderer(
            faces=faces,
            texts={
                language: TextSource.from_paths(paths, language=language)
                for language, paths in job.texts
            },
        )
        self._refused: dict[Path, str] = {}
        if callable(job.backgrounds):
            self._background: SampleBackground = job.backgrounds
        else:
            files = Backgrounds(job.backgrounds)
            self._background, self._refused = files.sample, files.refused
        keep_loaded()

    def make(self, task: int) -> Done:
        """The pages of task number `task`, all on one background."""
        job = self._job
        rng = generator(job.seed, "synth_text", job.language, "background", task)
        name, background = self._background(rng, job.canvas, job.canvas)
        made = []
        for number in _numbers(task, job.count):
            rng = generator(job.seed, "synth_text", job.language, number)
            layouts = job.layouts
            layout = layouts[int(rng.integers(len(layouts)))] if layouts else None
            recipe = self._renderer.sample_recipe(
                rng,
                language=job.language,
                size_band=job.bands[int(rng.integers(len(job.bands)))],
                width=job.canvas,
                height=job.canvas,
                layout=layout,
                extras=job.extras,
            )
            rgb, labels = self._renderer.paint(recipe, background)
            made.append(
                Page(
                    number=number,
                    name=f"{job.language}-{number:06d}",
                    picture=encode(rgb, job.ext),
                    label=labels.to_json(background=str(name)),
                    characters=labels.inked(),
                    shown="".join(sorted(labels.shown())),
                    skipped_texts=recipe.skipped_texts,
                )
            )
        return Done(made, dict(self._refused))


def pages(job: Job, *, workers: int, refused: dict[Path, str]) -> Iterator[Page]:
    """All pages in order of number; `refused` is filled with backgrounds that do not decode.

    `workers` 1 or less: in this process. ValueError or OSError for inputs that cannot be used.
    """
    block: list[Page] = []
    for task, done in enumerate(_done(job, workers), 1):
        refused.update(done.refused)
        block += done.pages
        if task % BACKGROUNDS == 0:
            yield from sorted(block)
            block = []
    yield from sorted(block)


def _done(job: Job, workers: int) -> Iterator[Done]:
    whole, rest = divmod(job.count, BLOCK)
    tasks = range(whole * BACKGROUNDS + min(rest, BACKGROUNDS))
    if workers <= 1:
        yield from map(Maker(job).make, tasks)
        return
    # Spawned, not forked: libraries with threads of their own do not survive a fork.
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(min(workers, max(1, len(tasks))), mp_context=spawn) as pool:
        waiting: deque[Future[Done]] = deque()
        for task in tasks:
            waiting.append(pool.submit(_make, job, task))
            if len(waiting) >= _WINDOW * workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


@lru_cache(maxsize=1)
def _maker(job: Job) -> Maker:
    return Maker(job)


def _make(job: Job, task: int) -> Done:
    return _maker(job).make(task)


def _numbers(task: int, count: int) -> range:
    start = task // BACKGROUNDS * BLOCK
    return range(start + task % BACKGROUNDS, min(start + BLOCK, count), BACKGROUNDS)
