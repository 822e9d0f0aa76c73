"""Text to glyphs with HarfBuzz: kerning, ligatures, marks, vertical forms.

Lengths come back in em, so that one run serves every size.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from fonts.faces import Face

Ints = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]


class RenderExtraMissing(ImportError):
    """A package of the `render` extra is not installed."""

    def __init__(self, package: str) -> None:
        super().__init__(f"drawing text needs {package}: pip install 'vae-corpus[render]'")


@dataclass(frozen=True)
class Run:
    """Shaped text, in reading order.

    `glyphs int32[n]` are glyph ids, `clusters int32[n]` the index of the first character of `text`
    that each glyph draws, never decreasing. `advance float64[n]` is the way to the next glyph along
    the line, `dx`, `dy` move the glyph right and down of the pen; all in em.
    """

    text: str
    face: Face
    vertical: bool
    glyphs: Ints
    clusters: Ints
    advance: Floats
    dx: Floats
    dy: Floats


class Shaper:
    """Opens each face once and keeps it."""

    def __init__(self) -> None:
        self._fonts: dict[str, Any] = {}

    def shape(self, face: Face, text: str, *, vertical: bool = False) -> Run:
        """Shape one line of `text` with `face`, left to right or top to bottom."""
        hb = _harfbuzz()
        font = self._fonts.get(face.key)
        if font is None:
            blob = hb.Blob.from_file_path(str(face.path))
            font = self._fonts[face.key] = hb.Font(hb.Face(blob, face.index))
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = "ttb" if vertical else "ltr"
        # Chinese by declaration: without it a pan-CJK face may pick Japanese punctuation forms.
        buffer.language = "zh-hans" if "zh" in face.languages else "en"
        hb.shape(font, buffer, {})
        infos = [(info.codepoint, info.cluster) for info in buffer.glyph_infos]
        # (x offset, y offset, x advance, y advance); y points up in fonts.
        places = [place.position for place in buffer.glyph_positions]
        ids = np.array(infos, dtype=np.int32).reshape(-1, 2)
        em = np.array(places, dtype=np.float64).reshape(-1, 4) / font.face.upem
        return Run(
            text=text,
            face=face,
            vertical=vertical,
            glyphs=ids[:, 0],
            clusters=ids[:, 1],
            advance=-em[:, 3] if vertical else em[:, 2],
            dx=em[:, 0],
            dy=-em[:, 1],
        )


def _harfbuzz() -> Any:
    try:
        import uharfbuzz
    except ImportError:
        raise RenderExtraMissing("uharfbuzz") from None
    return uharfbuzz
