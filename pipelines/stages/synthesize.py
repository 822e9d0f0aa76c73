"""Make shards of synthetic text on backgrounds sampled from the kept general images.

A slot of a shard is a pure function of (seed, rung, shard number, slot): its language, size band,
bucket, layout, text, fonts and background are drawn from one generator.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from filters.scores import PACKED_INDEX_SCHEMA
from fonts.faces import discover
from pipelines import engine
from pipelines.config import CorpusConfig, PackSettings, SynthSettings
from pipelines.planning import taken_down
from pipelines.planning.job import Neighbourhood
from pipelines.planning.shards import DECODED_BY, Shard
from pipelines.sources import Source
from pipelines.sources.originals import fetch_originals, unchanged
from pipelines.stages.backgrounds import SCHEMA, Backgrounds, candidates
from pipelines.stages.committed import Stock, find_todo, make_shards
from pipelines.stages.digests import Digests
from pipelines.stages.runner import Runner
from pipelines.workers import pulse
from renderers.garbage_collection import keep_loaded
from renderers.layout import LAYOUTS
from renderers.page.labels import Labels
from renderers.page.output import encode
from renderers.recipe import VERSION as RENDERER_VERSION
from renderers.renderer import Renderer
from renderers.text.corpora import TextSource
from vae_corpus import storage, tar
from vae_corpus.pictures import decode as door
from vae_corpus.seeds import generator
from vae_corpus.words import (
    SIZE_BANDS,
    TEXT_SYNTH,
    Bucket,
    Group,
    band_key,
    buckets,
    sample_key,
)

# Raised when the same settings would make other images or labels.
_VERSION = 6
_SOURCE = "synth"
# Backgrounds are crops of up to this many canvases across, so that one photograph gives both
# detail and overview.
_MAX_ZOOM = 2.0
_CACHED_BACKGROUNDS = 16
_PAGE_ATTEMPTS = 20
# Size of a rendered page as PNG, to close shards at about the wanted size.
_BYTES_PER_PX = 1.2


class SynthError(RuntimeError):
    """Synthetic text cannot be made; the message says what is missing."""


@dataclass(frozen=True, kw_only=True)
class SynthJob:
    """What a worker needs to make synthetic shards."""

    settings: SynthSettings
    seed: int
    sources: dict[str, Source]
    limits: door.Limits
    out: str


@dataclass(frozen=True, kw_only=True)
class SynthShard(Shard):
    """A synthetic shard: which rung, which number, and the backgrounds that it draws from.

    Those are looked up when it is made: all shards together have too many.
    """

    rung: int
    number: int
    backgrounds: tuple[dict[str, Any], ...] = ()


def synthesize_shards(
    config: CorpusConfig,
    sources: dict[str, Source],
    plan: str,
    neighbourhoods: Sequence[Neighbourhood],
    stock: Stock,
    runner: Runner,
) -> tuple[list[Shard], list[str]]:
    """Make the synthetic shards that are not there; all of them, and why there are none.

    BuildFailed when one cannot be made.
    """
    if not any(config.synth.samples.values()):
        return [], []
    if not config.synth.texts:
        return [], ["no synthetic text: synth.texts names no text files"]
    gone = bool(len(taken_down.read(config.out).table))
    table = candidates(plan, neighbourhoods, config.seed, taken_down=gone)
    if not len(table):
        return [], ["no synthetic text: no general image was kept as a background"]
    digests = Digests(config.out)
    drawn = SynthShards(config, table, digests)
    digests.save()
    job = SynthJob(
        settings=config.synth,
        seed=config.seed,
        sources=sources,
        limits=config.score.limits,
        out=config.out,
    )
    shards: list[Shard] = list(drawn)
    tasks = SynthTasks(drawn, [shard.name for shard in find_todo(stock, shards)])
    make_shards(runner, "synthesize", tasks, functools.partial(make_synthesizer, job))
    return shards, []


class SynthShards:
    """The shards that the settings ask for, each with the recipe that decides its bytes.

    `table` has the candidate backgrounds, as `backgrounds.candidates`.
    """

    def __init__(self, config: CorpusConfig, table: pa.Table, digests: Digests) -> None:
        s = self._s = config.synth
        self._pack = config.pack
        base = (
            _VERSION,
            RENDERER_VERSION,
            sorted(LAYOUTS),
            DECODED_BY,
            [[field.name, str(field.type)] for field in PACKED_INDEX_SCHEMA],
            s.model_dump(exclude={"samples", "texts", "fonts"}),
            config.seed,
            {language: digests.of(paths) for language, paths in sorted(s.texts.items())},
            digests.of(s.fonts),
        )
        self._recipe = tar.recipes(base)
        self._backgrounds = {
            rung: Backgrounds(table, rung, config.seed) for rung, n in s.samples.items() if n
        }

    def __iter__(self) -> Iterator[SynthShard]:
        s = self._s
        for rung, count in sorted(s.samples.items()):
            per_shard = _per_shard(self._pack, rung)
            for number, start in enumerate(range(0, count, per_shard)):
                samples = min(per_shard, count - start)
                keys = self._backgrounds[rung].keys(number, s.backgrounds)
                stem = f"{self._pack.lane}-{TEXT_SYNTH}-{rung}-{s.format}-{number:06d}"
                yield SynthShard(
                    name=f"shards/{TEXT_SYNTH}/{rung}/{stem}",
                    recipe=self._recipe(rung, number, samples, keys),
                    samples=samples,
                    rung=rung,
                    number=number,
                )

    def whole(self, shard: SynthShard) -> SynthShard:
        """The shard with its backgrounds."""
        rows = self._backgrounds[shard.rung].rows(shard.number, self._s.backgrounds)
        return replace(shard, backgrounds=tuple(rows))


class SynthTasks:
    """A task for each of these shards, as the engine's `Tasks`."""

    def __init__(self, drawn: SynthShards, todo: Collection[str]) -> None:
        names = set(todo)
        shards = [shard for shard in drawn if shard.name in names]
        self._shards = sorted(shards, key=lambda shard: (-shard.samples, shard.name))
        self._drawn = drawn
        self.images = self.total_weight = sum(shard.samples for shard in shards)

    def __len__(self) -> int:
        return len(self._shards)

    def __iter__(self) -> Iterator[engine.Task]:
        for shard in self._shards:
            yield engine.Task(
                task_id=shard.name,
                payload=self._drawn.whole(shard),
                weight=shard.samples,
                images=shard.samples,
            )


def synth_shards(
    config: CorpusConfig, backgrounds: Sequence[dict[str, Any]], digests: Digests
) -> list[SynthShard]:
    """The shards on these few backgrounds."""
    rows = [{"gone": False} | row for row in backgrounds]
    drawn = SynthShards(config, pa.Table.from_pylist(rows, schema=SCHEMA), digests)
    return [drawn.whole(shard) for shard in drawn]


def _per_shard(pack: PackSettings, rung: int) -> int:
    fitting = int(pack.shard_bytes / (rung * rung * _BYTES_PER_PX))
    return max(1, min(pack.shard_samples, fitting))


def make_synthesizer(job: SynthJob) -> Callable[[SynthShard], dict[str, Any]]:
    """The work of a rendering process: fonts and texts are loaded once, each call makes a shard."""
    make_page = make_page_maker(job)

    def make_shard(shard: SynthShard) -> dict[str, Any]:
        with storage.commit(storage.join(job.out, f"{shard.name}.tar")) as file:
            writer = tar.ShardWriter(file, shard.name, PACKED_INDEX_SCHEMA)
            for slot in range(shard.samples):
                sample = make_page(shard, slot)
                writer.add(sample)
                pulse.beat(images=1, bytes=len(sample.data))
            index = writer.close()
        tar.commit_index(job.out, shard.name, shard.recipe, index)
        return {"images": index.num_rows, "bytes": pc.sum(index["bytes"]).as_py()}

    return make_shard


def make_page_maker(job: SynthJob) -> Callable[[SynthShard, int], tar.Stored]:
    """Loads fonts and texts; each call renders one slot of a shard."""
    cv2.setNumThreads(1)
    maker = _PageMaker(job, _renderer(job.settings))
    maker.warm_up()
    keep_loaded()
    return maker.sample


class _PageMaker:
    """Draws and renders slots; keeps the last few decoded backgrounds."""

    def __init__(self, job: SynthJob, renderer: Renderer) -> None:
        self._job = job
        self._renderer = renderer
        self._extras = job.settings.extras
        self._originals = _Originals(job.sources)
        self._decoded: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()

    def warm_up(self) -> None:
        """Render a page for nothing: loops are compiled while a worker is said to be loading."""
        rng = np.random.default_rng(0)
        side = min(self._job.settings.samples)
        grey = np.full((side, side, 3), 128, np.uint8)
        language = _weighted(rng, self._job.settings.languages)
        self._page(rng, language, SIZE_BANDS[0], Bucket(width=side, height=side), grey)

    def sample(self, shard: SynthShard, slot: int) -> tar.Stored:
        """Slot `slot` of a shard: rendered, encoded and labelled."""
        s = self._job.settings
        rng = generator(self._job.seed, TEXT_SYNTH, shard.rung, shard.number, slot)
        language = _weighted(rng, s.languages)
        keys = {band: band_key(s.size_bands, language, band) for band in SIZE_BANDS}
        band = _weighted(rng, {band: s.size_bands.get(key, 0.0) for band, key in keys.items()})
        shapes = buckets(shard.rung)
        bucket = shapes[int(rng.integers(len(shapes)))]
        # Slots walk through the shard's backgrounds in order, so each is decoded about once.
        place = slot * len(shard.backgrounds) // shard.samples
        row = shard.backgrounds[place]
        background = _crop(self._background(shard, place), bucket.width, bucket.height, rng)
        rgb, labels = self._page(rng, language, band, bucket, background)
        ext, data = s.format, encode(rgb, s.format)
        key = sample_key(_SOURCE, hashlib.sha256(data).hexdigest())
        group = Group(
            kind=TEXT_SYNTH,
            rung=shard.rung,
            bucket=str(bucket),
            language=language,
            size_band=band,
        )
        return tar.Stored(
            key=key,
            ext=ext,
            data=data,
            width=bucket.width,
            height=bucket.height,
            group=group,
            source=_SOURCE,
            parent=row["key"],
            label=labels.to_json(key=key, background=row["key"]).decode(),
            scores={"chars_per_mpx": labels.inked() * 1e6 / (bucket.width * bucket.height)},
        )

    def _page(
        self,
        rng: np.random.Generator,
        language: str,
        band: str,
        bucket: Bucket,
        background: NDArray[np.uint8],
    ) -> tuple[NDArray[np.uint8], Labels]:
        # A drawn phrase may be too long for a narrow page; such a page stays empty and teaches
        # nothing.
        for _ in range(_PAGE_ATTEMPTS):
            drawn = self._renderer.sample_recipe(
                rng,
                language=language,
                size_band=band,
                width=bucket.width,
                height=bucket.height,
                extras=self._extras,
            )
            rgb, labels = self._renderer.paint(drawn, background)
            if len(labels.lines):
                return rgb, labels
        raise SynthError(
            f"{_PAGE_ATTEMPTS} pages of {bucket} px in {language} at {band} px stayed empty: do"
            " the fonts in synth.fonts write the texts in synth.texts?"
        )

    def _background(self, shard: SynthShard, place: int) -> NDArray[np.uint8]:
        row = shard.backgrounds[place]
        key = str(row["key"])
        if key not in self._decoded:
            data = unchanged(row, self._originals.at(shard, place))
            picture = door.decode(data, self._job.limits)
            if isinstance(picture, door.Fault):
                raise SynthError(f"background {key} does not decode any more: {picture.why}")
            self._decoded[key] = picture.rgb
            if len(self._decoded) > _CACHED_BACKGROUNDS:
                self._decoded.popitem(last=False)
        return self._decoded[key]


class _Originals:
    """The backgrounds of a shard as their sources have them, read in runs as slots go by."""

    def __init__(self, sources: dict[str, Source]) -> None:
        self._sources = sources
        self._shard, self._next = "", 0
        self._read: Iterator[bytes] = iter(())

    def at(self, shard: SynthShard, place: int) -> bytes:
        if shard.name != self._shard or place < self._next:
            rows = shard.backgrounds[place:]
            self._read = fetch_originals(rows, self._sources)
            self._shard, self._next = shard.name, place
        data = next(itertools.islice(self._read, place - self._next, None))
        self._next = place + 1
        return data


def _crop(
    rgb: NDArray[np.uint8], width: int, height: int, rng: np.random.Generator
) -> NDArray[np.uint8]:
    """A random crop of `rgb`, scaled to `width` x `height` px; small images are enlarged."""
    full_height, full_width = rgb.shape[:2]
    largest = min(full_width / width, full_height / height)
    zoom = float(rng.uniform(min(1.0, largest), max(1.0, min(largest, _MAX_ZOOM))))
    zoom = min(zoom, largest)
    crop_width, crop_height = int(width * zoom), int(height * zoom)
    x = int(rng.integers(full_width - crop_width + 1))
    y = int(rng.integers(full_height - crop_height + 1))
    part = rgb[y : y + crop_height, x : x + crop_width]
    if part.shape[:2] == (height, width):
        return np.ascontiguousarray(part)
    method = cv2.INTER_AREA if zoom > 1 else cv2.INTER_CUBIC
    scaled = cv2.resize(part, (width, height), interpolation=method)
    return np.asarray(scaled, np.uint8)


def _weighted(rng: np.random.Generator, weights: dict[str, float]) -> str:
    names = sorted(name for name, weight in weights.items() if weight > 0)
    shares = np.array([weights[name] for name in names])
    return names[int(rng.choice(len(names), p=shares / shares.sum()))]


def _renderer(settings: SynthSettings) -> Renderer:
    return Renderer(
        faces=discover([Path(folder) for folder in settings.fonts]),
        texts={
            language: TextSource.from_paths([Path(path) for path in paths], language=language)
            for language, paths in settings.texts.items()
        },
    )
