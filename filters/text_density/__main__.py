"""Score how much text pictures show, and how small it is.

    python -m filters.text_density PATHS... --out scores.parquet [--read] [--sheet sheet.png]

PATHS are files and folders, read recursively. Every file becomes a row: path, characters estimated
(in all, per million pixels, in the fullest window of 256 x 256 px), the em of the letters in px,
the part of the picture under lines of text, the script (latin, han, mixed), how far the cascade
went (screen, detect), width, height, slug. Nothing is read, unless --read asks for it: then
`text` holds the lines of what shows characters, from top to bottom, which takes seconds for a dense
page. A file that does not decode has a slug instead of scores. The metadata of the table names the
engine and all else that the scores depend on.
"""

from __future__ import annotations

import functools
import os
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import pyarrow as pa
from PIL import Image
from pydantic import Field, field_validator

from filters.ocr.engine import OcrEngine, OcrUnavailable
from filters.ocr.engines import make_engine
from filters.table import files_or_error, write_rows
from filters.text_density import TextDensity
from vae_corpus import settings
from vae_corpus.pictures.decode import Decoded, Fault, decode
from vae_corpus.pictures.sheet import Section, contact_sheet, usable_sheet
from vae_corpus.settings import Settings

_SCORES = (
    "chars_est",
    "chars_per_mpx",
    "max_chars_per_256_tile",
    "glyph_px_p50",
    "glyph_px_min",
    "text_area_share",
)
_SHEET_PICTURES, _CELL_PX, _BOX_COLOUR = 120, 320, (220, 30, 30)


class TextDensitySettings(Settings):
    """What to score, with which engine, and where to write it."""

    paths: tuple[Path, ...] = Field(min_length=1, description="pictures, and folders of them")
    out: Path = Field(description="Parquet file, a row for every picture")
    sheet: Path | None = Field(None, description="picture file: the pictures by density")
    read: bool = Field(False, description="also read the text, at twice the size")
    engine: Literal["rapidocr", "paddleocr"] = Field("rapidocr", description="OCR engine")
    models: Path | None = Field(
        None,
        description="what `python -m filters.ocr.export_models --out DIR` wrote; paddleocr needs"
        " it, rapidocr takes the models of its wheel without it",
    )
    python: str | None = Field(
        None,
        description="the interpreter that has PaddleOCR; none: the one that the variable"
        " VAE_CORPUS_PADDLE_PYTHON names",
    )
    device: Literal["cpu", "cuda"] = Field("cpu", description="where rapidocr's models run")
    workers: int = Field(os.cpu_count() or 1, ge=1, description="threads")

    _sheet = field_validator("sheet")(usable_sheet)


def main(argv: Sequence[str] | None = None) -> int:
    """Score and write; 1 when the engine or a file cannot be had, SystemExit for lost paths."""
    given = settings.load(
        TextDensitySettings, argv, description=__doc__ or "", positional=("paths",)
    )
    cv2.setNumThreads(1)
    files = files_or_error(given.paths)
    try:
        make = functools.partial(
            make_engine,
            given.engine,
            models=given.models,
            python=given.python,
            device=given.device,
        )
        scorer = Scorer(make, given.read)
        columns = schema(given.read).with_metadata({"text_density": scorer.density.version})
        rows = write_rows(files, given.out, columns, scorer, given.workers, fatal=(OcrUnavailable,))
        # Spread over all files: the first ones of a folder are often of one kind.
        shown = {int(i * len(files) / _SHEET_PICTURES) for i in range(_SHEET_PICTURES)}
        kept, faults = [], 0
        for number, row in enumerate(rows):
            faults += row["slug"] is not None
            if given.sheet and number in shown and row["slug"] is None:
                kept.append((row, files[number]))
        print(f"{len(files)} files, {faults} of them without scores: {given.out}")
        if given.sheet:
            kept.sort(key=lambda pair: (-pair[0]["chars_per_mpx"], pair[0]["path"]))
            contact_sheet([Section.of(_thumbnails(kept), columns=4)]).save(given.sheet)
            print(f"{len(kept)} of {len(files)} pictures by density: {given.sheet}")
    except (OcrUnavailable, OSError, ValueError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: a table that was not whole is not there", file=sys.stderr)
        return 130
    return 0


def schema(read: bool) -> pa.Schema:
    """The columns of the table, with `text` when texts are read."""
    columns = [
        ("path", pa.string()),
        *((name, pa.float32()) for name in _SCORES),
        ("script", pa.string()),
        ("text_stage", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("slug", pa.string()),
    ]
    return pa.schema([*columns, ("text", pa.string())] if read else columns)


class Scorer:
    """Turns the bytes of a file into a row, with an engine for each thread that calls it."""

    def __init__(self, make: Callable[[], OcrEngine], read: bool) -> None:
        self._make, self._read = make, read
        self._of_thread = threading.local()
        # Loaded now, so that what is missing is said before work begins.
        engine = make()
        engine.ready(to_read=read)
        self._of_thread.density = TextDensity(engine)

    @property
    def density(self) -> TextDensity:
        if not hasattr(self._of_thread, "density"):
            self._of_thread.density = TextDensity(self._make())
        density: TextDensity = self._of_thread.density
        return density

    def __call__(self, data: bytes) -> dict[str, Any]:
        picture = decode(data)
        if isinstance(picture, Fault):
            return {"slug": picture.slug}
        height, width = picture.rgb.shape[:2]
        scores, polygons = self.density.score_with_lines(picture.rgb)
        row = {"width": width, "height": height, "polygons": polygons} | scores
        if self._read:
            lines = self.density.engine.read(picture.rgb) if scores["chars_est"] else []
            row["text"] = "\n".join(line.text for line in lines)
        return row


def _thumbnails(
    rows: Sequence[tuple[dict[str, Any], Path]],
) -> Iterator[tuple[Image.Image, str]]:
    """Whole pictures, made smaller where they are large, the lines drawn in, and their scores."""
    for row, path in rows:
        picture = decode(path.read_bytes())
        if isinstance(picture, Decoded):
            scale = min(1.0, _CELL_PX / max(picture.rgb.shape[:2]))
            height, width = (max(1, round(side * scale)) for side in picture.rgb.shape[:2])
            small = np.ascontiguousarray(
                cv2.resize(picture.rgb, (width, height), interpolation=cv2.INTER_AREA)
            )
            for line in row["polygons"]:
                corners = np.round(line * scale).astype(np.int32)
                cv2.polylines(small, [corners], True, _BOX_COLOUR, 1)
            caption = (
                f"{row['chars_est']:.0f} characters, {row['chars_per_mpx']:.0f} per Mpx,"
                f" {row['glyph_px_p50']:.0f} px, {row['script'] or 'no text'}"
                f"\n{row['path'].rsplit('/', 1)[-1][-50:]}"
            )
            yield Image.fromarray(small), caption


if __name__ == "__main__":
    sys.exit(settings.run(main))
