"""Pack a shard: fetch original bytes, cut text into tiles, write the tar, then its index.

General images keep their original bytes wherever possible: re-encoding would teach the VAE our
own compression artefacts. Only what is much larger than its rung is made smaller, once.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray
from PIL import Image

from filters.scores import COLUMNS, PACKED_INDEX_SCHEMA
from filters.settings import ScoreSettings
from pipelines.config import CorpusConfig, PackSettings
from pipelines.planning.shards import PACKED, Shard, is_decoded, is_labelled, is_large
from pipelines.sources import Source
from pipelines.sources.originals import fetch_original, fetch_page
from pipelines.stages.committed import Stock, make_shards
from pipelines.stages.runner import Runner
from pipelines.workers import pulse
from renderers.documents.labels import lines_in
from renderers.documents.page import PageImage
from vae_corpus import storage, tar
from vae_corpus.pictures import decode as door
from vae_corpus.pictures.encode import jpeg, lossless
from vae_corpus.words import GENERAL, Group

# What the JSON beside an image says of its scores. Every label of a shard has the same names with
# the same types: readers that build tables take the first ones for the rule.
_TO_LABEL = tuple(column.name for column in COLUMNS if column.label)
_TO_INDEX = tuple(column.name for column in COLUMNS if column.index)
# Where the original lies, and what decides its stored bytes.
_READ = ("uri", "offset", "bytes", *PACKED)

# An original as its source gives it: the bytes of a file, or a page that was drawn again.
_Original = bytes | PageImage

# Originals that are held at once: enough to read runs of one tar or row group in order.
_FETCH_BYTES = 128 * 1024**2


class PackError(RuntimeError):
    """An image that was scored does not decode now; the message names it."""


@dataclass(frozen=True, kw_only=True)
class PackJob:
    """What a worker needs to pack shards."""

    settings: PackSettings
    score: ScoreSettings
    sources: dict[str, Source]
    plan: str
    out: str


def pack_shards(
    config: CorpusConfig, sources: dict[str, Source], plan: str, stock: Stock, runner: Runner
) -> list[Shard]:
    """Make the shards of a plan that are not there; BuildFailed when one cannot be made."""
    with storage.open_read(storage.join(plan, "shards.parquet")) as file:
        rows = pq.read_table(file).to_pylist()
    shards = [
        Shard(name=row["shard"], recipe=row["recipe"], samples=row["samples"]) for row in rows
    ]
    job = PackJob(
        settings=config.pack, score=config.score, sources=sources, plan=plan, out=config.out
    )
    make_shards(runner, stock, "pack", shards, functools.partial(make_packer, job))
    return shards


def make_packer(job: PackJob) -> Callable[[Shard], dict[str, Any]]:
    """The work of a packing process: each call makes one shard."""
    cv2.setNumThreads(1)

    def pack_shard(shard: Shard) -> dict[str, Any]:
        rows = _rows(job.plan, shard.name)
        with storage.commit(storage.join(job.out, f"{shard.name}.tar")) as file:
            writer = tar.ShardWriter(file, shard.name, PACKED_INDEX_SCHEMA)
            for part in _parts(rows):
                for row, data in zip(part, _fetch(part, job.sources), strict=True):
                    for sample in cut_samples(row, data, job):
                        writer.add(sample)
                        pulse.beat(images=1, bytes=len(sample.data))
            index = writer.close()
        tar.commit_index(job.out, shard.name, shard.recipe, index)
        return {"images": index.num_rows, "bytes": pc.sum(index["bytes"]).as_py()}

    return pack_shard


def _rows(plan: str, shard: str) -> list[dict[str, Any]]:
    # The plan is sorted by shard: the filter reads the few row groups that hold this one.
    with storage.open_read(storage.join(plan, "selected.parquet")) as file:
        table = pq.read_table(file, columns=list(_READ), filters=[("shard", "=", shard)])
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _parts(rows: list[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Rows in order, in parts whose originals fit into memory together."""
    part: list[dict[str, Any]] = []
    size = 0
    for row in rows:
        if part and size + row["bytes"] > _FETCH_BYTES:
            yield part
            part, size = [], 0
        part.append(row)
        size += row["bytes"]
    if part:
        yield part


def _fetch(rows: list[dict[str, Any]], sources: dict[str, Source]) -> list[_Original]:
    """The original of each row, read in order of address, returned in order of rows."""
    data: list[_Original] = [b""] * len(rows)
    for i in sorted(range(len(rows)), key=lambda i: (rows[i]["uri"], rows[i]["offset"])):
        fetch = fetch_page if is_labelled(rows[i]) else fetch_original
        data[i] = fetch(rows[i], sources)
    return data


def cut_samples(row: dict[str, Any], data: _Original, job: PackJob) -> Iterator[tar.Stored]:
    """What is stored of an image: itself, or its tiles; those of a drawn page have lines."""
    if row["kind"] == GENERAL:
        assert isinstance(data, bytes)
        yield _general(row, data, job)
        return
    page = data if isinstance(data, PageImage) else None
    picture = data.rgb if isinstance(data, PageImage) else _decode(row, data, job)
    for tile in row["tiles"]:
        x, y, width, height = tile["x"], tile["y"], tile["width"], tile["height"]
        chars = tile["chars"]
        pixels = picture[y : y + height, x : x + width]
        label: dict[str, Any] = {"tile": [x, y, width, height], "tile_chars_est": chars}
        if page is not None:
            label["lines"] = lines_in(page, x, y, width, height)
            label["language"] = page.characters.language
            label["page"] = json.dumps(page.facts, sort_keys=True)
        yield _stored(
            row,
            key=f"{row['key']}-x{x}y{y}",
            ext=row["ext"],
            data=lossless(pixels, row["ext"]),
            size=(width, height),
            label=label,
            density=tile["density"],
            chars_per_mpx=None if chars is None else chars * 1e6 / (width * height),
        )


def _general(row: dict[str, Any], data: bytes, job: PackJob) -> tar.Stored:
    width, height, rung, ext = row["width"], row["height"], row["rung"], row["ext"]
    if is_large(row):
        scale = rung / min(width, height)
        width, height = max(rung, round(width * scale)), max(rung, round(height * scale))
        # Pillow's Lanczos widens its kernel when it shrinks, so nothing aliases.
        large = Image.fromarray(_decode(row, data, job))
        small = large.resize((width, height), Image.Resampling.LANCZOS)
        data = jpeg(np.asarray(small), job.settings.jpeg_quality)
    elif is_decoded(row):
        picture = _decode(row, data, job)
        # A JPEG was lossy before: at a high quality, once more does not show.
        lossy = ext == "jpg"
        quality = job.settings.jpeg_quality
        data = jpeg(picture, quality) if lossy else lossless(picture, ext)
    return _stored(
        row,
        key=row["key"],
        ext=ext,
        data=data,
        size=(width, height),
        label={},
        density=None,
        chars_per_mpx=row["chars_per_mpx"],
    )


def _decode(row: dict[str, Any], data: bytes, job: PackJob) -> NDArray[np.uint8]:
    picture = door.decode(data, job.score.limits)
    if isinstance(picture, door.Fault):
        raise PackError(f"{row['member']} was scored but does not decode now: {picture.why}")
    rgb: NDArray[np.uint8] = picture.rgb
    return rgb


def _stored(
    row: dict[str, Any],
    *,
    key: str,
    ext: str,
    data: bytes,
    size: tuple[int, int],
    label: dict[str, Any],
    density: str | None,
    chars_per_mpx: float | None,
) -> tar.Stored:
    group = Group(kind=row["kind"], rung=row["rung"], bucket=row["bucket"], density=density)
    scores = {name: row[name] for name in _TO_LABEL if row[name] is not None}
    whole = {
        "key": key,
        "source": row["source"],
        "member": row["member"],
        "sha256": row["sha256"],
        "kind": group.kind,
        "rung": group.rung,
        "bucket": group.bucket,
        "density": group.density,
        "width": size[0],
        "height": size[1],
        "original_width": row["width"],
        "original_height": row["height"],
    }
    return tar.Stored(
        key=key,
        ext=ext,
        data=data,
        width=size[0],
        height=size[1],
        group=group,
        source=row["source"],
        parent=row["key"],
        label=whole | scores | {"chars_per_mpx": chars_per_mpx} | label,
        scores={name: row[name] for name in _TO_INDEX} | {"chars_per_mpx": chars_per_mpx},
    )
