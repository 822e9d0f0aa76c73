"""Do with the sample what a build would do, in this process and in memory, and time it."""

from __future__ import annotations

import hashlib
import io
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from filters.scores import SCORE_SCHEMA, Scores
from pipelines.config import CorpusConfig
from pipelines.estimates.sampling import Drawn
from pipelines.sources import ParquetSource, Unit
from pipelines.sources.files import FileInfo, read_bytes
from pipelines.sources.originals import fetch_original
from pipelines.sources.tar_files import compression_of
from pipelines.stages import pack, plan, synthesize
from pipelines.stages.digests import Digests
from pipelines.workers import scorer
from vae_corpus import storage, tar
from vae_corpus.words import GENERAL

Row = dict[str, Any]

_BLOCK = 512
# An index row beside the tar, compressed.
_INDEX_BYTES = 90
_WARM_UP = 2
_LEAST_PACKED = 5
_LEAST_PAGES, _MOST_PAGES = 4, 16
_MOST_COPIES = 20


@dataclass(kw_only=True)
class Measured:
    """Fate and cost of each drawn image. CPU times in seconds, sizes in bytes."""

    rows: list[Row] = field(default_factory=list)
    score_s: list[float] = field(default_factory=list)
    kept: dict[int, Row] = field(default_factory=dict)
    dropped: dict[int, Row] = field(default_factory=dict)
    pack_s: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    stored_bytes: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    samples: NDArray[np.float64] = field(default_factory=lambda: np.zeros(0))
    packed: int = 0
    # Where rows have no addresses, the bytes are kept until they are packed.
    data: dict[int, bytes] = field(default_factory=dict)
    read_s: list[float] = field(default_factory=list)

    def score_row(self) -> tuple[float, float]:
        """What a row of the score table takes on a disk, and the CPU time to write it."""
        start = time.process_time()
        table = pa.Table.from_pylist(self.rows, schema=SCORE_SCHEMA)
        size, count = len(storage.table_bytes(table)), max(1, len(self.rows))
        return size / count, (time.process_time() - start) / count


@dataclass(frozen=True, kw_only=True)
class Pages:
    """What one sample of synthetic text of a rung takes."""

    rung: int
    seconds: float
    bytes: float
    timed: int


def make_taker(config: CorpusConfig, done: Measured) -> Callable[[Drawn], None]:
    """Loads the models; each call scores one image and notes what it took."""
    job = scorer.ScoreJob(
        settings=config.score,
        versions=scorer.versions(Scores(config.score)),
        sources=config.sources_by_name(),
        folder="",
    )
    score_item = scorer.make_item_scorer(job)

    def take(drawn: Drawn) -> None:
        number = len(done.rows)
        # The row is found again by its unit.
        unit = Unit(unit_id=str(number), source=drawn.source.name, uri="", start=0, stop=1, bytes=0)
        if number < _WARM_UP:
            score_item(drawn.item, unit)  # compiles, and fills caches
        start = time.process_time()
        row = score_item(drawn.item, unit)
        done.score_s.append(time.process_time() - start + drawn.read_s)
        done.read_s.append(drawn.read_s)
        done.rows.append(row)
        if isinstance(drawn.source, ParquetSource) or compression_of(drawn.item.uri):
            done.data[number] = drawn.item.data

    return take


def judge(config: CorpusConfig, done: Measured) -> None:
    """Decide by the plan's own rules what is kept, each image as if it were alone."""
    table = pa.Table.from_pylist(done.rows, schema=SCORE_SCHEMA)
    kept, dropped = plan.judge_alone(config, table)
    done.kept = {int(row["unit"]): row for row in kept}
    done.dropped = {int(row["unit"]): row for row in dropped}


def pack_kept(config: CorpusConfig, done: Measured, enough: Callable[[], bool]) -> None:
    """Make what shards would hold of the kept images; the rest is taken to be like those."""
    sources = config.sources_by_name()
    job = pack.PackJob(
        settings=config.pack, score=config.score, sources=dict(sources), plan="", out=""
    )
    size = len(done.rows)
    figures = np.zeros((3, size))
    known: dict[str, list[int]] = {}
    # One for all, as a shard has one: opening a tar takes as long as adding to it.
    writer = tar.ShardWriter(io.BytesIO(), "")
    for number, row in done.kept.items():
        if len(known.get(row["kind"], ())) >= _LEAST_PACKED and enough():
            continue
        if not known:
            _laid_down(row, _data(done, number, row, sources), job, writer)
        start = time.process_time()
        samples = _laid_down(row, _data(done, number, row, sources), job, writer)
        spent = time.process_time() - start
        if number in done.data:
            spent += done.read_s[number]
        figures[:, number] = spent, sum(_in_tar(sample) for sample in samples), len(samples)
        known.setdefault(row["kind"], []).append(number)
    for number, row in done.kept.items():
        if number not in (like := known[row["kind"]]):
            figures[:, number] = figures[:, like].mean(axis=1)
    done.pack_s, done.stored_bytes, done.samples = figures
    done.packed = sum(map(len, known.values()))


def render_pages(config: CorpusConfig, done: Measured, enough: Callable[[], bool]) -> list[Pages]:
    """Time some pages of synthetic text of each rung on the kept general images."""
    wanted = {rung: n for rung, n in config.synth.samples.items() if n}
    backgrounds = [row for row in done.kept.values() if row["kind"] == GENERAL]
    backgrounds = [row for row in backgrounds if int(row["unit"]) not in done.data]
    if not wanted or not config.synth.texts or not backgrounds:
        return []
    drawn = synthesize.synth_shards(config, backgrounds, Digests())
    shards = {shard.rung: shard for shard in reversed(drawn)}
    job = synthesize.SynthJob(
        settings=config.synth,
        seed=config.seed,
        sources=config.sources_by_name(),
        limits=config.score.limits,
        out="",
    )
    draw = synthesize.make_page_maker(job)
    timed = {rung: _time_pages(draw, shard, enough) for rung, shard in sorted(shards.items())}
    return [
        Pages(
            rung=rung,
            # A shard decodes each of its backgrounds about once.
            seconds=render_s + decode_s * min(1.0, config.synth.backgrounds / shards[rung].samples),
            bytes=size,
            timed=count,
        )
        for rung, (render_s, decode_s, size, count) in timed.items()
    ]


def _time_pages(
    draw: Callable[[synthesize.SynthShard, int], tar.Stored],
    shard: synthesize.SynthShard,
    enough: Callable[[], bool],
) -> tuple[float, float, float, int]:
    """Mean CPU seconds of a page and of decoding a background, bytes in a tar, pages timed."""
    step = -(-shard.samples // len(shard.backgrounds))
    render_s: list[float] = []
    decode_s: list[float] = []
    sizes: list[int] = []
    for slot in range(0, shard.samples, step):
        if len(sizes) >= _LEAST_PAGES and (len(sizes) == _MOST_PAGES or enough()):
            break
        took = []
        for _ in range(2):  # the second time its background is decoded already
            start = time.process_time()
            sample = draw(shard, slot)
            took.append(time.process_time() - start)
        render_s.append(took[1])
        decode_s.append(max(0.0, took[0] - took[1]))
        sizes.append(_in_tar(sample))
    count = len(sizes)
    return sum(render_s) / count, sum(decode_s) / count, sum(sizes) / count, count


def copies(row: Row, files: Sequence[FileInfo], sizes: NDArray[np.int64]) -> float:
    """How many files of a folder hold the bytes of this one, itself included.

    Only files of one size can be equal, so few are read; of very many some stand for all.
    """
    same_size = np.flatnonzero(sizes == row["bytes"])
    others = [files[int(i)] for i in same_size if files[int(i)].uri != row["uri"]]
    if not others or not row["bytes"]:
        return 1.0
    looked = others[:_MOST_COPIES]
    same: int = sum(hashlib.sha256(read_bytes(f.uri)).hexdigest() == row["sha256"] for f in looked)
    return 1 + same * len(others) / len(looked)


def _data(done: Measured, number: int, row: Row, sources: dict[str, Any]) -> bytes:
    if number in done.data:
        return done.data[number]
    return fetch_original(row, sources)


def _laid_down(
    row: Row, data: bytes, job: pack.PackJob, writer: tar.ShardWriter
) -> list[tar.Stored]:
    samples = list(pack.cut_samples(row, data, job))
    for sample in samples:
        writer.add(sample)
    return samples


def _in_tar(sample: tar.Stored) -> int:
    """What a sample and its label take in a tar, with their headers and in the index."""
    parts = (len(sample.data), len(sample.label_bytes()))
    return sum(_BLOCK - (-part // _BLOCK) * _BLOCK for part in parts) + _INDEX_BYTES
