"""The sample's pictures as small WebP files, within a budget of bytes.

Three sorts: a thumbnail of nearly every row; a crop at 1:1 of some, to judge sharpness by; of some
rows of text also the whole page, to lay its tiles over. What was kept is shown as it lies in its
shard, what was dropped as its source gives it.
"""

from __future__ import annotations

import functools
import io
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from pipelines.sources import Source
from vae_corpus import storage
from vae_corpus.pictures import decode as door
from vae_corpus.words import GENERAL, TEXT_SYNTH

_BUDGETS = {"thumbnail": 12_500_000, "detail": 4_000_000, "whole": 1_500_000}
THUMBNAILS, DETAILS, WHOLES = 10_000, 500, 120
# Pages are rendered anew to be shown: slow, so only so many.
_RENDERED_PAGES = 400
# The fewer pictures, the larger and better each may be: (up to so many, longest side, quality).
_TIERS = ((1500, 224, 68), (4000, 168, 58), (THUMBNAILS, 128, 46))
DETAIL_PX = 320
SYNTH_DETAIL_PX = 512
_WHOLE_PX = 560
_DETAIL_QUALITY, _WHOLE_QUALITY = 82, 60
# More than cores: an object store answers slowly.
_THREADS = 8
_IN_FLIGHT = 32


@dataclass(frozen=True, kw_only=True)
class Shot:
    """The pictures of one row: WebP bytes, empty where there is none.

    `detail` is a crop at 1:1 whose top left lies at `detail_at` of the picture in the shard or
    source; `width` and `height` are the size in px of that picture.
    """

    thumbnail: bytes = b""
    detail: bytes = b""
    detail_at: tuple[int, int] = (0, 0)
    whole: bytes = b""
    width: int = 0
    height: int = 0


@dataclass(frozen=True, kw_only=True)
class Job:
    """What to show of a row, and which sorts of pictures are wanted.

    `read` gives its bytes and is called in a thread: sources are read before, one at a time.
    """

    row: int
    read: Callable[[], bytes]
    detail_px: int
    whole: bool
    side_px: int
    quality: int
    quick: bool
    middle: bool = True


def take(
    rows: Sequence[Mapping[str, Any]],
    order: Sequence[int],
    out: str,
    sources: Mapping[str, Source],
    limits: door.Limits,
    room_bytes: float,
) -> dict[int, Shot]:
    """Pictures by number of row. `order` names rows that may have some, most wanted first.

    A row whose source has gone or changed has none. All together have at most `room_bytes`.
    """
    chosen = _affordable(rows, order, sources)
    side_px, quality = next((s, q) for n, s, q in _TIERS if len(chosen) <= n)
    details = set(chosen[:DETAILS])
    wholes = set(_texts(rows, chosen)[:WHOLES])
    jobs = _jobs(rows, chosen, details, wholes, out, sources, side_px, quality)
    shots: dict[int, Shot] = {}
    for row, shot in _in_threads(jobs, limits):
        old = shots.get(row, Shot())
        shots[row] = Shot(**{n: v or getattr(old, n) for n, v in vars(shot).items()})
    share = min(1.0, max(0.0, room_bytes) / sum(_BUDGETS.values()))
    return _within(shots, chosen, {sort: share * size for sort, size in _BUDGETS.items()})


def _affordable(
    rows: Sequence[Mapping[str, Any]], order: Sequence[int], sources: Mapping[str, Source]
) -> list[int]:
    pages = 0
    chosen: list[int] = []
    for i in order:
        if _from_source(rows[i]) and sources[rows[i]["source"]].is_rendered:
            pages += 1
            if pages > _RENDERED_PAGES:
                continue
        chosen.append(i)
        if len(chosen) == THUMBNAILS:
            break
    return chosen


def _from_source(row: Mapping[str, Any]) -> bool:
    return row.get("stored") is None


def _texts(rows: Sequence[Mapping[str, Any]], chosen: Iterable[int]) -> list[int]:
    return [i for i in chosen if rows[i].get("kind") not in (None, GENERAL, TEXT_SYNTH)]


def _jobs(
    rows: Sequence[Mapping[str, Any]],
    chosen: Sequence[int],
    details: set[int],
    wholes: set[int],
    out: str,
    sources: Mapping[str, Source],
    side_px: int,
    quality: int,
) -> Iterator[Job]:
    """In order of address, so that runs of one tar, row group or document are read in order."""

    def address(i: int) -> tuple[str, str, int]:
        row = rows[i]
        if _from_source(row):
            return row["source"], row["uri"], row["offset"]
        return "", row["stored"]["shard"], row["stored"]["offset"]

    for i in sorted(chosen, key=address):
        row = rows[i]
        if _from_source(row):
            data = _original(row, sources)
            if not data:
                continue
            read = functools.partial(bytes, data)
        else:
            read = functools.partial(_stored, row["stored"], out)
        synth = row.get("kind") == TEXT_SYNTH
        detail_px = (SYNTH_DETAIL_PX if synth else DETAIL_PX) if i in details else 0
        whole = i in wholes and _from_source(row)
        yield Job(
            row=i,
            read=read,
            detail_px=detail_px,
            whole=whole,
            side_px=side_px,
            quality=quality,
            # What is shown small may be decoded small, where its colours are sRGB as they are.
            quick=not (detail_px or whole or row.get("colour_converted")),
            middle=not synth,
        )
    for i in sorted(wholes, key=lambda i: (rows[i]["source"], rows[i]["uri"], rows[i]["offset"])):
        if not _from_source(rows[i]) and (data := _original(rows[i], sources)):
            yield Job(
                row=i,
                read=functools.partial(bytes, data),
                detail_px=0,
                whole=True,
                side_px=0,
                quality=0,
                quick=False,
            )


def _original(row: Mapping[str, Any], sources: Mapping[str, Source]) -> bytes:
    try:
        return sources[row["source"]].fetch(row["uri"], row["offset"], row["bytes"])
    except Exception:
        # A source that has changed or gone since: the row is shown without its picture.
        return b""


def _stored(at: Mapping[str, Any], out: str) -> bytes:
    return storage.read_bytes(storage.join(out, at["shard"]), at["offset"], at["bytes"])


def _in_threads(jobs: Iterator[Job], limits: door.Limits) -> Iterator[tuple[int, Shot]]:
    waiting: deque[tuple[int, Future[Shot]]] = deque()
    with ThreadPoolExecutor(_THREADS) as pool:
        for job in jobs:
            waiting.append((job.row, pool.submit(_shoot, job, limits)))
            if len(waiting) >= _IN_FLIGHT:
                row, done = waiting.popleft()
                yield row, done.result()
        for row, done in waiting:
            yield row, done.result()


def _shoot(job: Job, limits: door.Limits) -> Shot:
    data = job.read()
    image = _quick(data, job.side_px) if job.quick else None
    if image is None:
        picture = door.decode(data, limits)
        if isinstance(picture, door.Fault):
            return Shot()
        image = Image.fromarray(picture.rgb)
    thumbnail = _webp(_small(image, job.side_px), job.quality) if job.side_px else b""
    detail, left, top = b"", 0, 0
    if job.detail_px:
        if job.middle:
            left, top = (max(0, (side - job.detail_px) // 2) for side in image.size)
        right, bottom = left + job.detail_px, top + job.detail_px
        box = (left, top, min(right, image.width), min(bottom, image.height))
        detail = _webp(image.crop(box), _DETAIL_QUALITY)
    return Shot(
        thumbnail=thumbnail,
        detail=detail,
        detail_at=(left, top),
        whole=_webp(_small(image, _WHOLE_PX), _WHOLE_QUALITY) if job.whole else b"",
        width=image.width if job.side_px else 0,
        height=image.height if job.side_px else 0,
    )


def _quick(data: bytes, side_px: int) -> Image.Image | None:
    """A JPEG decoded at about the size that it is shown at; None for other formats."""
    if not data.startswith(b"\xff\xd8"):
        return None
    try:
        image = Image.open(io.BytesIO(data), formats=["JPEG"])
        if image.mode != "RGB":
            return None
        image.draft("RGB", (2 * side_px, 2 * side_px))
        return ImageOps.exif_transpose(image)
    except Exception:
        return None


def _small(image: Image.Image, side_px: int) -> Image.Image:
    """`image` with a longest side of at most `side_px`."""
    share = min(1.0, side_px / max(image.size))
    if share == 1:
        return image
    width, height = (max(1, round(share * side)) for side in image.size)
    return image.resize(
        (width, height), Image.Resampling.BOX if share < 0.5 else Image.Resampling.LANCZOS
    )


def _webp(image: Image.Image, quality: int) -> bytes:
    file = io.BytesIO()
    Image.fromarray(np.asarray(image)).save(file, "WEBP", quality=quality, method=2)
    return file.getvalue()


def _within(
    shots: dict[int, Shot], order: Sequence[int], left: dict[str, float]
) -> dict[int, Shot]:
    """The shots without what exceeds the bytes left for its sort; the most wanted come first."""
    kept: dict[int, Shot] = {}
    for i in order:
        if i not in shots:
            continue
        parts = dict(vars(shots[i]))
        for name in left:
            if len(parts[name]) > left[name]:
                # Those after it would only fill the gap by chance of their size.
                parts[name], left[name] = b"", 0
            left[name] -= len(parts[name])
        kept[i] = Shot(**parts)
    return kept


def round_robin(rows: Sequence[Mapping[str, Any]]) -> list[int]:
    """Numbers of rows: the first of every stratum, then the second, and so on."""
    drawn = [i for i, row in enumerate(rows) if row["stratum"] is not None]
    return sorted(drawn, key=lambda i: (rows[i]["place"], rows[i]["stratum"]))
