"""What is stored of an image: its own bytes, a smaller version, or tiles cut out of it.

General images keep their original bytes wherever possible: re-encoding would teach the VAE our
own compression artefacts. Only what is much larger than its rung is made smaller, once.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from filters.scores import COLUMNS
from pipelines.planning.shards import is_decoded, is_large
from pipelines.stages.packing.job import PackError, PackJob
from renderers.documents.labels import lines_in
from renderers.documents.page import PageImage
from vae_corpus import tar
from vae_corpus.pictures import decode as door
from vae_corpus.pictures.encode import jpeg, lossless
from vae_corpus.words import GENERAL, Group

# What the JSON beside an image says of its scores. Every label of a shard has the same names with
# the same types: readers that build tables take the first ones for the rule.
_TO_LABEL = tuple(column.name for column in COLUMNS if column.label)
_TO_INDEX = tuple(column.name for column in COLUMNS if column.index)

# An original as its source gives it: the bytes of a file, or a page that was drawn again.
Original = bytes | PageImage


def cut_samples(row: dict[str, Any], data: Original, job: PackJob) -> Iterator[tar.Stored]:
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
