"""NED: how much of the text of a picture a reconstruction keeps (report, equation 5).

1 - lev(a, b) / max(|a|, |b|) of what the same OCR engine reads in the original (a) and in the
reconstruction (b), so that its own errors cancel. Lines are joined without a separator, in the
engine's reading order; nothing is normalised. A picture in whose original no text is read has no
NED. Values of different engines, or of versions of one, are never to be compared.
"""

from __future__ import annotations

import hashlib
import json
import queue
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from filters.ocr.engine import OcrEngine

Rgb = NDArray[np.uint8]


def ned(original: str, reconstruction: str) -> float | None:
    """In [0, 1], 1 for the same text; distances count code points. None without original text."""
    from rapidfuzz.distance import Levenshtein

    if not original:
        return None
    return float(Levenshtein.normalized_similarity(original, reconstruction))


def pixels_sha256(rgb: Rgb) -> str:
    """64 hex digits of the shape and the pixels of uint8[H, W, 3]."""
    digest = hashlib.sha256(repr(rgb.shape).encode())
    digest.update(np.ascontiguousarray(rgb).tobytes())
    return digest.hexdigest()


def text_of(engine: OcrEngine, rgb: Rgb) -> str:
    """All that the engine reads in uint8[H, W, 3], lines joined without a separator."""
    return "".join(line.text for line in engine.read(rgb))


class TextCache:
    """What was read in pictures, by their pixels and the engine: a file of one JSON per line.

    Lines are only ever appended, so whatever was read before a run broke off is there for the next
    one. A line that is not whole is passed over.
    """

    def __init__(self, path: Path, engine_id: str) -> None:
        self.path = path
        self._engine = hashlib.sha256(engine_id.encode()).hexdigest()[:16]
        self._texts: dict[str, str] = {}
        self._file: IO[str] | None = None
        if path.is_file():
            # Texts may hold what `splitlines` takes for the end of a line.
            for line in path.read_text(encoding="utf-8", errors="replace").split("\n"):
                self._remember(line)

    def get(self, sha256: str) -> str | None:
        """The text of a picture of these pixels; None when it was not read by this engine."""
        return self._texts.get(sha256)

    def put(self, sha256: str, text: str) -> None:
        if self._file is None:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self.path.open("a", encoding="utf-8")
            self._file.write("\n" if self.path.stat().st_size else "")  # ends a line cut short
        entry = {"pixels": sha256, "engine": self._engine, "text": text}
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")
        self._file.flush()
        self._texts[sha256] = text

    def close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None

    def _remember(self, line: str) -> None:
        try:
            entry = json.loads(line)
            if entry["engine"] == self._engine:
                self._texts[str(entry["pixels"])] = str(entry["text"])
        except (ValueError, LookupError, TypeError):
            pass


def read_texts(
    pictures: Mapping[str, Callable[[], Any]],
    make_engine: Callable[[], OcrEngine],
    cache: TextCache,
    *,
    workers: int = 1,
    tell: Callable[[int], None] = lambda done: None,
    read: Callable[[OcrEngine, Any], str] = text_of,
) -> int:
    """Read the pictures that the cache lacks, and put their texts there; how many were read.

    `pictures` maps the sha256 of pixels to a function that gives what `read` takes, by default
    these pixels. Each of the threads has an engine of its own. What is read does not depend on
    their number. `tell` hears how many are done.
    """
    todo = [name for name in pictures if cache.get(name) is None]
    engines: queue.SimpleQueue[OcrEngine] = queue.SimpleQueue()
    workers = max(1, min(workers, len(todo)))
    for _ in range(workers if todo else 0):
        engines.put(make_engine())

    def one(name: str) -> tuple[str, str]:
        engine = engines.get()
        try:
            return name, read(engine, pictures[name]())
        finally:
            engines.put(engine)

    pool = ThreadPoolExecutor(workers)
    try:
        for done, (name, text) in enumerate(pool.map(one, todo), 1):
            cache.put(name, text)
            tell(done)
    finally:
        # Whoever stops it does not wait for thousands of pictures.
        pool.shutdown(cancel_futures=True)
    return len(todo)
