"""Measure pairs of files picture by picture, and keep what metrics of whole sets need."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from filters.ocr.engine import OcrEngine
from vae_corpus.pictures.decode import Fault
from vae_training.evaluation.originals import Original
from vae_training.evaluation.pictures import Rgb, load
from vae_training.losses.lpips import Lpips
from vae_training.metrics import similarity
from vae_training.metrics.inception import Inception, resized
from vae_training.metrics.ned import TextCache, ned, pixels_sha256, read_texts


@dataclass(kw_only=True)
class Row:
    """A picture and what a model made of it; None where a value does not exist.

    `chars` is the length of `reference_text`, what is read in the original; a reconstruction is
    read where that is not empty. A pair that cannot be measured has a `slug`, one of those of
    decoding or `ambiguous_name`, `no_reference`, `no_reconstruction`, `unequal_sizes`,
    `non_finite`, and says `why`.
    """

    set: str
    model: str
    name: str
    slug: str = ""
    why: str = ""
    note: str = ""
    width: int | None = None
    height: int | None = None
    psnr: float | None = None
    ssim: float | None = None
    lpips: float | None = None
    ned: float | None = None
    chars: int | None = None
    reference: str = ""
    reconstruction: str = ""
    reference_sha256: str = ""
    reconstruction_sha256: str = ""
    reference_text: str | None = None
    reconstruction_text: str | None = None


@dataclass(frozen=True, kw_only=True)
class Judges:
    """What measures: `plain` are psnr and ssim as far as asked for; None: not asked for."""

    plain: frozenset[str]
    device: str
    lpips: Lpips | None = None
    inception: Inception | None = None
    batch: int = 8


@dataclass(kw_only=True)
class Features:
    """Features of pictures by the sha256 of their pixels, float32[2048]: each is made once."""

    model: Inception
    batch: int
    known: dict[str, NDArray[np.float32]] = field(default_factory=dict)
    _waiting: dict[str, Tensor] = field(default_factory=dict)

    def add(self, sha256: str, x: Tensor) -> None:
        """Look at float32[1, 3, H, W] in [0, 1], now or with a few of the next."""
        if sha256 not in self.known and sha256 not in self._waiting:
            self._waiting[sha256] = resized(x)
        if len(self._waiting) >= self.batch:
            self.flush()

    @torch.no_grad()
    def flush(self) -> None:
        if self._waiting:
            found = self.model(torch.cat(list(self._waiting.values()))).cpu().numpy()
            self.known.update(zip(self._waiting, found, strict=True))
            self._waiting.clear()

    def of(self, names: Sequence[str]) -> NDArray[np.float64]:
        """float64[N, 2048] of pictures that were added."""
        self.flush()
        return np.array([self.known[name] for name in names], np.float64)


def measure(
    rows: Sequence[Row],
    originals: Mapping[str, Original],
    judges: Judges,
    features: Features | None,
    tell: Callable[[int], None],
) -> None:
    """Fill in the rows that have no slug, from the files that they name."""
    for done, row in enumerate(rows, 1):
        if not row.slug:
            _measure(row, originals.get(row.name), judges, features)
        tell(done)
    if features is not None:
        features.flush()


def _measure(
    row: Row, original: Original | None, judges: Judges, features: Features | None
) -> None:
    a, b = load(Path(row.reference)), load(Path(row.reconstruction))
    for found in (a, b):
        if isinstance(found, Fault):
            row.slug, row.why = found.slug, found.why
            return
    assert not isinstance(a, Fault) and not isinstance(b, Fault)
    row.height, row.width = a.rgb.shape[:2]
    sides = (("reference", a.note), ("reconstruction", b.note))
    notes = [original.note] if original and original.note else []
    row.note = "; ".join(notes + [f"{side}: {note}" for side, note in sides if note])
    if a.rgb.shape != b.rgb.shape:
        sizes = [f"{rgb.shape[1]} x {rgb.shape[0]}" for rgb in (a.rgb, b.rgb)]
        row.slug, row.why = "unequal_sizes", f"{sizes[0]} px and {sizes[1]} px"
        return
    row.reference_sha256, row.reconstruction_sha256 = pixels_sha256(a.rgb), pixels_sha256(b.rgb)
    with torch.no_grad():
        x, y = (similarity.unit(rgb, judges.device) for rgb in (a.rgb, b.rgb))
        if "psnr" in judges.plain:
            row.psnr = similarity.psnr(x, y)
        if "ssim" in judges.plain:
            row.ssim = similarity.ssim(x, y)
        if judges.lpips is not None:
            row.lpips = similarity.lpips(judges.lpips, y, x)
        if features is not None:
            features.add(row.reference_sha256, x)
            features.add(row.reconstruction_sha256, y)


def measure_text(
    rows: Sequence[Row],
    make_engine: Callable[[], OcrEngine],
    cache: TextCache,
    *,
    workers: int,
    start: Callable[[int], Callable[[int], None]],
) -> int:
    """Fill in NED of rows that have no slug; how many pictures had to be read.

    `start` gets how many that will be, and gives what hears of how many are done.
    """
    measured = [row for row in rows if not row.slug]
    paths: dict[str, str] = {}
    for row in measured:
        paths.setdefault(row.reference_sha256, row.reference)
    empty = _read(paths, make_engine, cache, workers, start)
    # Where the original has no text, nobody asks what its reconstruction says.
    paths = {
        row.reconstruction_sha256: row.reconstruction
        for row in measured
        if cache.get(row.reference_sha256)
    }
    read = empty + _read(paths, make_engine, cache, workers, start)
    for row in measured:
        text = cache.get(row.reference_sha256)
        assert text is not None
        row.chars, row.reference_text = len(text), text
        if text:
            row.reconstruction_text = cache.get(row.reconstruction_sha256) or ""
            row.ned = ned(text, row.reconstruction_text)
    return read


def _read(
    paths: Mapping[str, str],
    make_engine: Callable[[], OcrEngine],
    cache: TextCache,
    workers: int,
    start: Callable[[int], Callable[[int], None]],
) -> int:
    todo = {sha256: path for sha256, path in paths.items() if cache.get(sha256) is None}
    tell = start(len(todo)) if todo else lambda done: None
    pictures = {sha256: _opener(path) for sha256, path in todo.items()}
    return read_texts(pictures, make_engine, cache, workers=workers, tell=tell)


def _opener(path: str) -> Callable[[], Rgb]:
    def opened() -> Rgb:
        found = load(Path(path))
        if isinstance(found, Fault):
            raise ValueError(
                f"{found.why}: it changed while it was measured; run the command again"
            )
        return found.rgb

    return opened
