"""Samples to fit text density on: pictures of 288 px and where text is, and lines.

Composites know their text. For real photographs and textures the OCR engine is the teacher, at 1.5
times the size: what it reads with confidence is text, what it finds and cannot read is none, and
what lies between does not count.
"""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from text_composites import (
    Ink,
    Written,
    aged,
    coverage,
    ground_of,
    page_ink,
    rows_of,
    set_onto,
    warped,
)
from text_drawn import drawn
from text_like_patterns import pattern, ruled
from text_pages import Page, Rgb, is_han, tiles

from filters.ocr.lines import cut_out
from filters.ocr.rapid import RapidOcrEngine
from filters.text_density.cascade import contrasted, find_lines
from filters.text_density.line import upright
from filters.training.text_line import Line
from fonts.faces import Face
from renderers.text.corpora import TextSource

SIDE_PX, STRIDE_PX = 288, 8
_TEACHER_SCALE = 1.5
# Confidence of a reading from which it is text, and below which it is none.
_READ, _UNREAD = 0.8, 0.5
# How often a ground is ruled paper, and how often a picture is ruled over its letters.
_RULED = 0.05
# How often each false line is taken, framed in other ways.
_FRAMES = 4


@dataclass(frozen=True)
class Sample:
    """The bytes of a picture, its label (see `coverage`), and what it is made of.

    `chars` are those that are legible, `share` the part of the picture under their block.
    """

    data: bytes
    label: NDArray[np.uint8]
    kind: str
    origin: str
    chars: int = 0
    em_px: float = 0.0
    contrast: float = 0.0
    share: float = 0.0

    @property
    def rgb(self) -> Rgb:
        return np.asarray(Image.open(io.BytesIO(self.data)).convert("RGB"))


@dataclass(frozen=True)
class Materials:
    """What samples are made of. `photos` are (package, picture)."""

    photos: Sequence[tuple[str, Rgb]]
    pages: Sequence[Page]
    faces: Sequence[Face]
    texts: dict[str, TextSource]


def composites(
    materials: Materials, count: int, seed: int, side: int = SIDE_PX
) -> Iterator[tuple[Sample, Written]]:
    """Blocks of text over photographs, and sometimes over patterns."""
    rng = np.random.default_rng([seed, 1])
    made = 0
    while made < count:
        large = side if rng.random() < 0.5 else int(side / rng.uniform(0.5, 1.4))
        origin, photo = materials.photos[int(rng.integers(len(materials.photos)))]
        ground = pattern(large, rng) if rng.random() < 0.06 else ground_of(photo, large, rng)
        if rng.random() < _RULED:
            ground = ruled(ground, rng)
        written = Written(ground)
        parts = []
        for _ in range(1 if rng.random() < 0.8 else 2):
            em = float(np.exp(rng.uniform(np.log(6.5), np.log(40)))) * large / side
            ink = _ink(materials, em, large, rng)
            if ink is None:
                continue
            height, width = ink.alpha.shape
            if height > large or width > large:
                continue
            x, y = int(rng.integers(large - width + 1)), int(rng.integers(large - height + 1))
            part = set_onto(written.rgb, ink, x, y, rng)
            parts.append(part)
            written = _joined(part, parts)
        if not parts:
            continue
        if rng.random() < _RULED:
            written = replace(written, rgb=ruled(written.rgb, rng))
        final, data = aged(written, rng, side)
        yield _sample(final, data, "over", origin), final
        made += 1


def _joined(last: Written, parts: Sequence[Written]) -> Written:
    return Written(
        last.rgb,
        np.concatenate([p.quads for p in parts]),
        np.concatenate([p.ems for p in parts]),
        np.concatenate([p.han for p in parts]),
        np.concatenate([p.rows + 1000 * n for n, p in enumerate(parts)]),
        all(p.legible for p in parts),
        min(p.luma_contrast for p in parts),
    )


def _sample(written: Written, data: bytes, kind: str, origin: str) -> Sample:
    label = coverage(written, STRIDE_PX)
    em = float(np.median(written.ems)) if len(written.ems) else 0.0
    chars = len(written.quads) if written.legible else 0
    share = float(((label > 60) & (label < 255)).mean())
    return Sample(data, label, kind, origin, chars, em, written.luma_contrast, share)


def _ink(materials: Materials, em: float, room: int, rng: np.random.Generator) -> Ink | None:
    if rng.random() < 0.4:
        page = materials.pages[int(rng.integers(len(materials.pages)))]
        ink = page_ink(page, rng, (room, room))
        if ink is None:
            return None
        if rng.random() < 0.5:
            factor = float(np.exp(rng.uniform(np.log(0.8), np.log(1.6))))
            ink = _scaled(ink, factor)
    else:
        ink = drawn(materials.faces, materials.texts, em, room, rng)
    if rng.random() < 0.4:
        ink = warped(ink, rng, float(rng.choice([3, 8, 20])), float(rng.choice([0.0, 0.1, 0.25])))
    return ink


def _scaled(ink: Ink, factor: float) -> Ink:
    way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    alpha = np.clip(cv2.resize(ink.alpha, None, fx=factor, fy=factor, interpolation=way), 0, 1)
    return Ink(
        alpha, ink.quads * np.float32(factor), ink.ems * np.float32(factor), ink.han, ink.rows
    )


def whole_pages(materials: Materials, seed: int) -> Iterator[tuple[Sample, Written]]:
    """Tiles of pages as they are, some of them white on black or in two colours."""
    rng = np.random.default_rng([seed, 2])
    for page in materials.pages:
        for tile in tiles(page, (SIDE_PX,), 3, seed=seed):
            inside = tile.inside
            if inside.sum() < 5:
                continue
            shift = np.array([tile.x, tile.y] * 2, np.float32)
            boxes = page.boxes[inside] - shift
            middle, half = (boxes[:, 1] + boxes[:, 3]) / 2, page.em_px / 2
            x0, x1 = boxes[:, 0], boxes[:, 2]
            quads = np.stack(
                [np.stack(p, 1) for p in ((x0, middle - half), (x1, middle - half),
                                          (x1, middle + half), (x0, middle + half))], axis=1
            )  # fmt: skip
            rgb = tile.rgb
            kind = rng.random()
            if kind < 0.2:
                rgb = 255 - rgb
            elif kind < 0.45:
                share = rgb.mean(axis=2, keepdims=True) / 255
                one, other = rng.uniform(0, 110, 3), rng.uniform(130, 255, 3)
                if rng.random() < 0.4:
                    one, other = other, one
                rgb = (one + (other - one) * share).astype(np.uint8)
            han = np.array([is_han(page.text[i]) for i in np.flatnonzero(inside)])
            final, data = aged(
                Written(rgb, quads, page.ems[inside], han, rows_of(boxes, page.em_px), True, 200.0),
                rng,
            )
            yield _sample(final, data, "page", page.source.split()[0]), final


def patterns(count: int, seed: int) -> Iterator[Sample]:
    rng = np.random.default_rng([seed, 3])
    for _ in range(count):
        final, data = aged(Written(pattern(SIDE_PX, rng)), rng)
        yield _sample(final, data, "pattern", "pattern")


def real(pictures: Sequence[tuple[str, Rgb]], each: int, seed: int, kind: str) -> Iterator[Sample]:
    """Cuts of real pictures, with what the teacher says of them."""
    rng = np.random.default_rng([seed, 4, len(pictures)])
    engine = RapidOcrEngine()
    for origin, picture in pictures:
        for _ in range(each):
            final, data = aged(Written(ground_of(picture, SIDE_PX, rng)), rng)
            label, chars = taught(engine, final.rgb)
            share = float(((label > 60) & (label < 255)).mean())
            yield Sample(data, label, kind, origin, chars, 0.0, 0.0, share)


def taught(engine: RapidOcrEngine, rgb: Rgb) -> tuple[NDArray[np.uint8], int]:
    """The label of a picture by what the engine reads, and how many characters that is."""
    large = _enlarged(rgb)
    text = np.zeros(rgb.shape[:2], np.float32)
    unknown = np.zeros(rgb.shape[:2], np.float32)
    chars = 0
    for polygon in engine.detect(large):
        said, confidence = engine.read_line(cut_out(large, polygon))
        corners = np.round(polygon / _TEACHER_SCALE).astype(np.int32)
        if confidence >= _READ and len(said) >= 2:
            cv2.fillConvexPoly(text, corners, 1.0)
            chars += len(said)
        elif confidence >= _UNREAD:
            cv2.fillConvexPoly(unknown, corners, 1.0)
    size = (rgb.shape[1] // STRIDE_PX, rgb.shape[0] // STRIDE_PX)
    share = cv2.resize(text, size, interpolation=cv2.INTER_AREA)
    open_ = cv2.resize(unknown, size, interpolation=cv2.INTER_AREA)
    label = np.round(share * 254).astype(np.uint8)
    label[(open_ > 0) & (share < 0.5)] = 255
    return label, chars


def pictures(folder: Path, kinds: Sequence[str], least: int = SIDE_PX) -> list[tuple[str, Rgb]]:
    """(package, picture) below a folder of `clarity_pictures.py`, at most 1,600 px wide."""
    found = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or not path.parent.name.startswith(tuple(kinds)):
            continue
        picture = cv2.imread(str(path))
        if picture is None:
            continue
        scale = min(1.0, 1600 / max(picture.shape[:2]))
        small = cv2.resize(picture, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        if min(small.shape[:2]) >= least:
            found.append(
                (path.parent.name.split("-", 1)[1], np.ascontiguousarray(small[:, :, ::-1]))
            )
    return found


def save(samples: Sequence[Sample], path: Path) -> None:
    """All in one file, which `load` reads."""
    meta: dict[str, Any] = {
        name: np.array([getattr(s, name) for s in samples])
        for name in ("kind", "origin", "chars", "em_px", "contrast", "share")
    }
    lengths = np.array([len(s.data) for s in samples])
    data = np.frombuffer(b"".join(s.data for s in samples), np.uint8)
    np.savez(path, data=data, lengths=lengths, labels=np.stack([s.label for s in samples]), **meta)


def load(path: Path) -> list[Sample]:
    with np.load(path) as file:
        stored = {name: file[name] for name in file.files}
    ends = np.cumsum(stored["lengths"])
    data = stored["data"].tobytes()
    return [
        Sample(
            data[end - length : end],
            label,
            str(kind),
            str(origin),
            int(chars),
            float(em),
            float(contrast),
            float(share),
        )
        for end, length, label, kind, origin, chars, em, contrast, share in zip(
            ends,
            stored["lengths"],
            stored["labels"],
            stored["kind"],
            stored["origin"],
            stored["chars"],
            stored["em_px"],
            stored["contrast"],
            stored["share"],
            strict=True,
        )  # fmt: skip
    ]


def known_lines(rgb: Rgb, written: Written, rng: np.random.Generator) -> Iterator[Line]:
    """Lines by where their characters are known to be, framed as the detector frames them."""
    if not written.legible:
        return
    for row in np.unique(written.rows):
        chosen = np.flatnonzero(written.rows == row)
        if len(chosen) > 3 and rng.random() < 0.4:
            first, last = np.sort(rng.integers(0, len(chosen), 2))
            chosen = chosen[first : last + 1]
        quads = written.quads[chosen]
        polygon = _framed(quads, rng)
        height = float(
            min(np.linalg.norm(polygon[1] - polygon[0]), np.linalg.norm(polygon[3] - polygon[0]))
        )
        em = float(np.median(written.ems[chosen]))
        if not 5 <= em <= 48 or height < 4:
            continue
        han = int(written.han[chosen].sum())
        counts = np.array([han, len(chosen) - han], np.float32)
        yield Line(upright(rgb, polygon), counts, em / height, True)


def _framed(quads: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The corners of a line around its characters, a little loose or tight."""
    first, last = quads[0], quads[-1]
    along = (last[1] + last[2] - first[0] - first[3]) / 2
    down = abs(along[1]) > abs(along[0])
    if down:
        # A column: characters stand one below the other.
        start, end = first[[0, 1]], last[[3, 2]]
    else:
        start, end = first[[0, 3]], last[[1, 2]]
    em = float(np.linalg.norm(start[1] - start[0]))
    way = (end - start).mean(axis=0)
    way = way / max(1e-3, float(np.linalg.norm(way)))
    side = (start[1] - start[0]) / max(1e-3, em)
    # As measured on what the detector finds: it frames small letters more loosely.
    longer, higher = rng.uniform(-0.1, 0.5, 2) * em, rng.uniform(-0.1, 0.5, 2) * em
    a, d = (
        start[0] - way * longer[0] - side * higher[0],
        start[1] - way * longer[0] + side * higher[1],
    )
    b, c = end[0] + way * longer[1] - side * higher[0], end[1] + way * longer[1] + side * higher[1]
    # Clockwise from the top left, as the detector has them.
    return np.array([a, d, c, b] if down else [a, b, c, d], np.float32)


def false_lines(engine: RapidOcrEngine, rgb: Rgb, rng: np.random.Generator) -> Iterator[Line]:
    """What the detector takes for lines, and cannot read; as it is or with more contrast."""
    large = _enlarged(rgb)
    for polygon in find_lines(engine, rgb if rng.random() < 0.5 else contrasted(rgb)):
        _, confidence = engine.read_line(cut_out(large, polygon * np.float32(_TEACHER_SCALE)))
        if confidence < _UNREAD:
            for _ in range(_FRAMES):
                line = upright(rgb, _reframed(polygon, rng))
                yield Line(line, np.zeros(2, np.float32), 1.0, False)


def _reframed(polygon: NDArray[np.float32], rng: np.random.Generator) -> NDArray[np.float32]:
    """The corners of a line, looser or tighter by up to a tenth, or of a part of it."""
    middle = polygon.mean(axis=0)
    along, down = polygon[1] - polygon[0], polygon[3] - polygon[0]
    if np.linalg.norm(along) < np.linalg.norm(down):
        along, down = down, along
    share = float(rng.uniform(0.4, 1)) if rng.random() < 0.3 else float(rng.uniform(0.95, 1.1))
    shift = float(rng.uniform(-0.5, 0.5)) * max(0.0, 1 - share)
    frame = (
        (polygon - middle) @ _stretch(along, share) @ _stretch(down, float(rng.uniform(0.9, 1.1)))
    )
    return (frame + middle + along * shift).astype(np.float32)


def _stretch(way: NDArray[np.float32], share: float) -> NDArray[np.float32]:
    """The matrix that stretches along a direction."""
    unit = way / max(1e-3, float(np.linalg.norm(way)))
    return (np.eye(2) + (share - 1) * np.outer(unit, unit)).astype(np.float32)


def _enlarged(rgb: Rgb) -> Rgb:
    scale = _TEACHER_SCALE
    return np.asarray(cv2.resize(rgb, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))
