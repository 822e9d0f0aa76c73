"""What is known of the text in a picture before anybody reads it: language, size, contrast, kind.

Labels stand in `NAME.json` beside the picture `NAME.png`, in the form that shards and the renderers
have, or in the `index.parquet` of a set of text crops beside the folder of its images. A label
names lines where text was rendered; of other pictures it says one value for all of their text.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

INDEX = "index.parquet"


@dataclass(frozen=True, kw_only=True)
class TextLine:
    """A line that was rendered: its true text, and its corners float32[4, 2] in px of the picture.

    `em_px` is the size of its type, `contrast` that of its ink to the background by WCAG (1 to 21).
    """

    number: int
    text: str
    quad: NDArray[np.float32]
    em_px: float
    contrast: float

    @property
    def language(self) -> str:
        return script(self.text)

    def moved(self, left: int, top: int) -> NDArray[np.float32]:
        """The corners in a part of the picture that begins at (left, top)."""
        return self.quad - np.array([left, top], np.float32)


@dataclass(frozen=True, kw_only=True)
class Labels:
    """Of a picture; None where nobody knows. `glyph_px` is the median height of its characters."""

    language: str | None = None
    kind: str | None = None
    glyph_px: float | None = None
    lines: tuple[TextLine, ...] = ()


def script(text: str) -> str:
    """`zh` where at least half of the letters are Han, else `en`."""
    letters = [c for c in text if c.isalpha()]
    han = sum("\u3400" <= c <= "\u9fff" or "\U00020000" <= c <= "\U000323af" for c in letters)
    return "zh" if letters and 2 * han >= len(letters) else "en"


def labels_of(pictures: Mapping[str, Path]) -> dict[str, Labels]:
    """Labels by the names of the pictures that have some.

    JSON of others beside a picture is no label. ValueError for an index that cannot be read.
    """
    found = {}
    indexes: dict[Path, dict[str, Labels]] = {}
    for name, path in pictures.items():
        index = path.parent.parent / INDEX
        if index not in indexes:
            indexes[index] = _read_index(index) if index.is_file() else {}
        label = _read_json(path.with_suffix(".json")) or indexes[index].get(path.name)
        if label is not None:
            found[name] = label
    return found


def _read_json(path: Path) -> Labels | None:
    try:
        label = json.loads(path.read_bytes())
        lines = tuple(_line(n, line) for n, line in enumerate(label.get("lines") or ()))
        return Labels(
            language=_word(label.get("language")),
            kind="text_synth" if lines else _word(label.get("kind")),
            glyph_px=_positive(label.get("glyph_px_p50")),
            lines=lines,
        )
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        return None


def _line(number: int, line: Mapping[str, Any]) -> TextLine:
    quad = np.array(line["quad"], np.float32).reshape(4, 2)
    em_px, contrast = float(line["em_px"]), float(line["contrast"])
    if not (np.isfinite(quad).all() and math.isfinite(em_px) and math.isfinite(contrast)):
        raise ValueError(f"line {number} has values that are no numbers")
    return TextLine(
        number=number, text=str(line["text"]), quad=quad, em_px=em_px, contrast=contrast
    )


def _read_index(path: Path) -> dict[str, Labels]:
    """By the name of the file; other tables of that name know nothing about pictures."""
    try:
        columns = pq.read_schema(path).names
        if "file" not in columns:
            return {}
        rows = pq.read_table(path).to_pylist()
    except (OSError, pa.ArrowInvalid) as error:
        raise ValueError(f"cannot read the labels in {path} ({error}): write them anew") from None
    return {
        row["file"]: Labels(
            language=row.get("language"),
            kind=row.get("kind"),
            glyph_px=_positive(row.get("glyph_px")),
        )
        for row in rows
    }


def _word(value: object) -> str | None:
    """JSON of others may hold anything under our names."""
    return value if isinstance(value, str) and value else None


def _positive(value: float | None) -> float | None:
    return float(value) if value is not None and math.isfinite(value) and value > 0 else None
