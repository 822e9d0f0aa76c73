"""NED and PSNR of single lines of text, where labels know the lines of a picture.

A picture has one NED, though its lines differ in contrast, and in size where a page is tilted. Here
the engine reads the places of some labelled lines, in the original and in the reconstruction, so
that neither is charged with lines that the other's detection missed. The true text is known too:
how much of it is read in the original tells what the engine can read at all.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from filters.ocr.engine import OcrEngine
from vae_corpus.pictures.decode import Fault
from vae_training.evaluation.labels import Labels, TextLine
from vae_training.evaluation.measure import Row
from vae_training.evaluation.originals import Original
from vae_training.evaluation.pictures import Rgb, load
from vae_training.metrics import similarity
from vae_training.metrics.ned import TextCache, ned, read_texts

MIN_CHARS = 2  # one character is right or wrong, and says little
_MARGIN_EM = 0.15  # around the ink, as the detector's boxes have it


@dataclass(kw_only=True)
class LineRow:
    """A line of a picture and what a model made of it; None where a value does not exist.

    `psnr` is that of the box around the line, `legible` the NED of what is read in the original
    against the true text, both without spaces.
    """

    set: str
    model: str
    name: str
    line: int
    language: str
    em_px: float
    contrast: float
    text: str
    psnr: float | None = None
    ned: float | None = None
    legible: float | None = None
    reference_text: str | None = None
    reconstruction_text: str | None = None


@dataclass(frozen=True, kw_only=True)
class _Place:
    """A line in two files, and what its text is known by."""

    row: LineRow
    quad: NDArray[np.float32]
    paths: tuple[str, str]
    keys: tuple[str, str]


def chosen(
    labels: Labels, original: Original, per_picture: int, min_chars: int = MIN_CHARS
) -> list[TextLine]:
    """Some lines that lie in the picture as measured, always the same, in the order of the page."""
    inside = []
    for line in labels.lines:
        quad = line.moved(original.left, original.top)
        fits = (quad >= 0).all() and (quad <= [original.width, original.height]).all()
        if fits and sum(not c.isspace() for c in line.text) >= min_chars:
            inside.append(line)
    ranked = sorted(inside, key=lambda line: _chance(original.name, line.number))
    return sorted(ranked[:per_picture], key=lambda line: line.number)


def measure_lines(
    rows: Sequence[Row],
    labels: Mapping[str, Labels],
    originals: Mapping[str, Original],
    *,
    per_picture: int,
    make_engine: Callable[[], OcrEngine] | None,
    cache: TextCache | None,
    workers: int,
    start: Callable[[int], Callable[[int], None]],
) -> list[LineRow]:
    """A row for each model and chosen line of the pictures that were measured.

    Without an engine only PSNR is measured. `start` gets how many lines are to be read, and gives
    what hears of how many are done.
    """
    places = []
    for row in rows:
        if row.slug or row.name not in labels:
            continue
        original = originals[row.name]
        for line in chosen(labels[row.name], original, per_picture):
            quad = line.moved(original.left, original.top)
            place = f"line {quad.round(2).tolist()} +{_MARGIN_EM} em"
            places.append(
                _Place(
                    row=LineRow(
                        set=row.set,
                        model=row.model,
                        name=row.name,
                        line=line.number,
                        language=line.language,
                        em_px=line.em_px,
                        contrast=line.contrast,
                        text=line.text,
                    ),
                    quad=quad,
                    paths=(row.reference, row.reconstruction),
                    keys=(
                        f"{row.reference_sha256} {place}",
                        f"{row.reconstruction_sha256} {place}",
                    ),
                )
            )
    _measure_psnr(places)
    if make_engine is not None and cache is not None:
        _read(places, make_engine, cache, workers, start)
    return [place.row for place in places]


def _measure_psnr(places: Sequence[_Place]) -> None:
    """Neighbours in `places` are of one picture: each file is opened once for all of its lines."""
    opened = _Opened()
    for place in places:
        a, b = (opened(path) for path in place.paths)
        (left, top), (right, bottom) = place.quad.min(axis=0), place.quad.max(axis=0)
        box = (
            slice(math.floor(top), max(math.ceil(bottom), math.floor(top) + 1)),
            slice(math.floor(left), max(math.ceil(right), math.floor(left) + 1)),
        )
        with torch.no_grad():
            place.row.psnr = similarity.psnr(similarity.unit(a[box]), similarity.unit(b[box]))


def _read(
    places: Sequence[_Place],
    make_engine: Callable[[], OcrEngine],
    cache: TextCache,
    workers: int,
    start: Callable[[int], Callable[[int], None]],
) -> None:
    for side in (0, 1):
        wanted = {
            place.keys[side]: place
            for place in places
            # Where nothing is read in the original, nobody asks for the reconstruction.
            if side == 0 or cache.get(place.keys[0])
        }
        todo = {key: place for key, place in wanted.items() if cache.get(key) is None}
        if todo:
            read_texts(
                {key: _opener(place, side) for key, place in todo.items()},
                make_engine,
                cache,
                workers=workers,
                tell=start(len(todo)),
                read=_read_line,
            )
    for place in places:
        row, text = place.row, cache.get(place.keys[0]) or ""
        row.reference_text = text
        row.legible = ned(_solid(row.text), _solid(text))
        if text:
            row.reconstruction_text = cache.get(place.keys[1]) or ""
            row.ned = ned(text, row.reconstruction_text)


def _opener(place: _Place, side: int) -> Callable[[], tuple[Rgb, NDArray[np.float32]]]:
    """Gives the pixels around a line, and its corners among them."""

    def opened() -> tuple[Rgb, NDArray[np.float32]]:
        rgb = _pixels(place.paths[side])
        quad = _grown(place.quad, _MARGIN_EM * place.row.em_px)
        pad = math.ceil(place.row.em_px)
        left, top = np.maximum(np.floor(quad.min(axis=0)).astype(int) - pad, 0)
        right, bottom = np.ceil(quad.max(axis=0)).astype(int) + pad
        return rgb[top:bottom, left:right], quad - np.array([left, top], np.float32)

    return opened


def _read_line(engine: OcrEngine, given: tuple[Rgb, NDArray[np.float32]]) -> str:
    return engine.read_at(*given)


def _grown(quad: NDArray[np.float32], by_px: float) -> NDArray[np.float32]:
    """Corners moved outwards along both directions of the line."""
    across = quad[1] - quad[0]
    down = quad[3] - quad[0]
    x = across / max(float(np.linalg.norm(across)), 1e-6) * by_px
    y = down / max(float(np.linalg.norm(down)), 1e-6) * by_px
    return (quad + np.stack([-x - y, x - y, x + y, -x + y])).astype(np.float32)


class _Opened:
    """The pixels of the last two files."""

    def __init__(self) -> None:
        self._kept: dict[str, Rgb] = {}

    def __call__(self, path: str) -> Rgb:
        if path not in self._kept:
            if len(self._kept) > 1:
                self._kept.pop(next(iter(self._kept)))
            self._kept[path] = _pixels(path)
        return self._kept[path]


def _pixels(path: str) -> Rgb:
    found = load(Path(path))
    if isinstance(found, Fault):
        raise ValueError(f"{found.why}: it changed while it was measured; run the command again")
    return found.rgb


def _solid(text: str) -> str:
    return "".join(text.split())


def _chance(name: str, line: int) -> bytes:
    return hashlib.sha256(f"{name}:{line}".encode()).digest()
