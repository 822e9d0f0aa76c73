"""The work of a scoring process: read every image of a unit once, decode it once, write its row.

Rows hold numbers, never verdicts. Only what cannot be decoded gets a slug here; what is good
enough is asked later, in the plan, as a query over these rows.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import cv2
import pyarrow as pa

from filters.ocr.engine import OcrUnavailable
from filters.scores import MIN_SCORED_PX, SCORE_SCHEMA, Scores
from filters.settings import ScoreSettings
from pipelines import sources
from pipelines.sources import Item, Reading, Source, Unit, passed_over
from pipelines.workers import pulse
from vae_corpus import storage
from vae_corpus.pictures import decode as door
from vae_corpus.words import sample_key

# Raised when a change here changes scores without changing a setting or a filter's version.
_VERSION = 1


@dataclass(frozen=True, kw_only=True)
class ScoreJob:
    """What a worker needs to score units: settings, sources, and where rows go."""

    settings: ScoreSettings
    versions: dict[str, Any]
    sources: dict[str, Source]
    folder: str


def versions(scores: Scores) -> dict[str, Any]:
    """Names all code, weights and models that decide a row."""
    return {
        "score": _VERSION,
        "sources": sources.VERSION,
        "decode": [door.VERSION, *door.optional_formats()],
        **scores.versions,
    }


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
    scores = Scores(job.settings)
    have = versions(scores)
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
    scores.ready()
    return lambda item, unit: _row(item, job.sources[unit.source], unit, job.settings, scores)


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


def _picture(item: Item, settings: ScoreSettings) -> door.Decoded | door.Fault:
    if item.page is None:
        return door.decode(item.data, settings.limits)
    return door.Decoded(rgb=item.page.rgb, format="bmp")


def _row(item: Item, source: Source, unit: Unit, settings: ScoreSettings, scores: Scores) -> Row:
    row = place_row(item, source, unit)
    if item.fault:
        slug, why = item.fault
        return row | {"slug": slug, "why": why}
    picture = _picture(item, settings)
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
    if min(width, height) < MIN_SCORED_PX:
        return row
    try:
        known = item.page.known if item.page else None
        return row | scores.measure(picture.rgb, content=source.content, known=known)
    except (MemoryError, OcrUnavailable):
        # No picture is to blame: the unit is tried again, on another worker.
        raise
    except Exception as error:
        # One strange picture must not cost its whole unit; the slug keeps it in sight.
        return row | {"slug": "score_failed", "why": f"{type(error).__name__}: {error}"}
