"""Score a unit: read every image once, decode it once, write one row of numbers per image.

Rows hold numbers, never verdicts. Only what cannot be decoded gets a slug here; what is good
enough is asked later, in `plan`, as a query over these rows.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa

from filters import hashing, ink, layout
from filters.clarity import Clarity
from filters.ocr.engine import OcrUnavailable
from filters.text_sketch import VERSION as SKETCH_VERSION
from filters.text_sketch import plain, text_sketch
from pipelines import passed_over, pulse, sources
from pipelines.config import OcrSettings, ScoreSettings
from pipelines.sources import Item, Reading, Source, Unit
from vae_corpus import storage
from vae_corpus.pictures import decode as door
from vae_corpus.tables import SCORE_SCHEMA
from vae_corpus.words import sample_key

# Raised when a change here changes scores without changing a setting or a filter's version.
_VERSION = 1

# The filters look at 64 px tiles. Smaller pictures are listed with their size alone, and `plan`
# drops them as too small.
_MIN_SCORED_PX = 64


@dataclass(frozen=True, kw_only=True)
class ScoreJob:
    """What a worker needs to score units: settings, sources, and where rows go."""

    settings: ScoreSettings
    versions: dict[str, Any]
    sources: dict[str, Source]
    folder: str


def versions(settings: ScoreSettings) -> dict[str, Any]:
    """Names all code, weights and models that decide a score."""
    return {
        "score": _VERSION,
        "sources": sources.VERSION,
        "decode": [door.VERSION, *door.optional_formats()],
        "clarity": Clarity().version,
        "hashing": hashing.VERSION,
        "ink": ink.VERSION,
        "layout": layout.VERSION,
        "text_sketch": SKETCH_VERSION,
        "text": text_density(settings.ocr).version if settings.text else None,
    }


def settings_hash(settings: ScoreSettings) -> str:
    """16 hex digits over all that decides a score: settings and the versions of the filters."""
    # The version of text density names engine, models and device; where they lie does not matter.
    known = [settings.model_dump(exclude={"ocr"}), versions(settings)]
    parts = json.dumps(known, sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:16]


def score_path(folder: str, unit_id: str) -> str:
    return storage.join(folder, f"{unit_id}.parquet")


Row = dict[str, Any]


def make_scorer(job: ScoreJob) -> Callable[[Unit], dict[str, Any]]:
    """The work of a scoring process. Loads the models once; each call scores one unit."""
    score_item = make_item_scorer(job)

    def score_unit(unit: Unit) -> dict[str, Any]:
        reading = Reading(job.sources[unit.source].read(unit))
        rows = []
        for item in reading:
            rows.append(score_item(item, unit))
            count_row(rows[-1])
        return commit_rows(job, unit, rows, reading.passed_over)

    return score_unit


def count_row(row: Row) -> None:
    """Let whoever watches know that an image has got its row."""
    pulse.beat(images=1, bytes=row["bytes"], rejected=row.get("slug"))


def make_item_scorer(job: ScoreJob) -> Callable[[Item, Unit], Row]:
    """Loads the models; each call gives the row of one image."""
    # One thread a worker: the pool already fills the machine, and OpenCV's own threads would
    # only fight with it.
    cv2.setNumThreads(1)
    have = versions(job.settings)
    if have != job.versions:
        other = [
            f"{n}: {have[n]} here, {job.versions[n]} there"
            for n in have
            if have[n] != job.versions[n]
        ]
        raise RuntimeError(
            "this node would score otherwise than the one that started the build"
            f" ({'; '.join(other)}): install the same versions on all nodes"
        )
    limits = door.Limits(max_pixels=job.settings.max_pixels, max_side_px=job.settings.max_side_px)
    filters: list[Callable[[door.Decoded], dict[str, Any]]] = [
        lambda picture: hashing.perceptual_hash(picture.rgb),
        # Pixels alone: the header's quality has a column of its own, to be asked for in the plan.
        lambda picture: Clarity().score(picture.rgb),
    ]
    if job.settings.text:
        density = text_density(job.settings.ocr)
        density.engine.ready()
        filters.append(lambda picture: density.score(picture.rgb))
    # Compiles the loops where that was never done: before any image's time begins.
    blank = np.full((_MIN_SCORED_PX, _MIN_SCORED_PX, 3), 128, np.uint8)
    for score in filters:
        score(door.Decoded(rgb=blank, format="png"))

    return lambda item, unit: _row(item, job.sources[unit.source], unit, limits, filters)


def commit_rows(
    job: ScoreJob, unit: Unit, rows: Sequence[Row], others: Mapping[str, int]
) -> dict[str, Any]:
    """Write the rows of a unit; they may come from several processes, the bytes are the same.

    `others` counts by extension what was passed over as no image.
    """
    # Kept with every score, for whoever meets the file alone.
    marks = {"versions": json.dumps(job.versions)} | passed_over.mark(others)
    table = pa.Table.from_pylist(rows, schema=SCORE_SCHEMA.with_metadata(marks))
    storage.commit_table(score_path(job.folder, unit.unit_id), table)
    return {"images": table.num_rows}


def place_row(item: Item, source: Source, unit: Unit) -> Row:
    """What is known of an image before it is decoded: where it lies, and its bytes."""
    sha256 = hashlib.sha256(item.data).hexdigest()
    return {
        "key": sample_key(source.name, sha256),
        "source": source.name,
        "unit": unit.unit_id,
        "member": item.member,
        "uri": item.uri,
        "offset": item.offset,
        "bytes": len(item.data),
        "sha256": sha256,
        "content": source.content,
    }


def _row(
    item: Item,
    source: Source,
    unit: Unit,
    limits: door.Limits,
    filters: list[Callable[[door.Decoded], dict[str, Any]]],
) -> Row:
    row = place_row(item, source, unit)
    if item.fault:
        slug, why = item.fault
        return row | {"slug": slug, "why": why}
    picture = door.decode(item.data, limits)
    if isinstance(picture, door.Fault):
        return row | asdict(picture)
    height, width = picture.rgb.shape[:2]
    row |= {
        "format": picture.format,
        "width": width,
        "height": height,
        "jpeg_quality": picture.jpeg_quality,
        "colour_space": picture.colour_space,
        "colour_converted": picture.colour_converted,
        "decode_note": picture.note or None,
    }
    if min(width, height) < _MIN_SCORED_PX:
        return row
    try:
        for score in filters:
            row |= score(picture)
        # Only text is cut into tiles, of which some may be blank, and has templates.
        page = source.content == "document"
        if page or row.get("chars_est"):
            row |= ink.ink_cells(picture.rgb) | layout.layout(picture.rgb, page=page)
        row["text_sketch"] = _sketch(item.text, row.get("chars_est"))
    except (MemoryError, OcrUnavailable):
        # No picture is to blame: the unit is tried again, on another worker.
        raise
    except Exception as error:
        # One strange picture must not cost its whole unit; the slug keeps it in sight.
        return row | {"slug": "score_failed", "why": f"{type(error).__name__}: {error}"}
    return row


def _sketch(text: str | None, chars_est: float | None) -> bytes | None:
    """None as well where most of what the page shows is not in its text: a scan with a stamp."""
    if text is None or len(plain(text)) < (chars_est or 0) / 2:
        return None
    return text_sketch(text)


@functools.cache
def text_density(ocr: OcrSettings) -> Any:
    """The filter that these settings name, with its engine; one per process."""
    from filters.ocr.engines import make_engine
    from filters.text_density import TextDensity

    models = Path(ocr.models) if ocr.models else None
    return TextDensity(make_engine(ocr.engine, models=models, python=ocr.python, device=ocr.device))
