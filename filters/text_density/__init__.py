"""Text density: how many characters a picture shows, how small, and where; without reading them."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import pyarrow as pa

from filters.ocr.engines import make_engine
from filters.settings import OcrSettings, ScoreSettings
from filters.text_density.cascade import TextDensity, find_lines
from vae_corpus.expressions import column
from vae_corpus.memo import memo
from vae_corpus.score_types import Column, DropRule, Look, Prepared, Score
from vae_corpus.words import GENERAL

__all__ = ["LINE", "SCORE", "TextDensity", "find_lines", "text_density"]

# A line of text as score rows hold it.
LINE = pa.struct(
    [*((side, pa.int32()) for side in ("x0", "y0", "x1", "y1")), ("chars", pa.float32())]
)


@memo
def text_density(ocr: OcrSettings) -> TextDensity:
    """The filter that these settings name, with its engine; one per process."""
    models = Path(ocr.models) if ocr.models else None
    return TextDensity(make_engine(ocr.engine, models=models, python=ocr.python, device=ocr.device))


def _prepare(settings: ScoreSettings) -> Prepared | None:
    if not settings.text:
        return None
    density = text_density(settings.ocr)

    def measure(look: Look) -> dict[str, Any]:
        scores = density.measure(look)
        if is_audited(look, settings.audit_share):
            scores["chars_audit"] = density.score(look.rgb)["chars_est"]
        return scores

    return Prepared(
        version=f"{density.version}; audit {settings.audit_share}",
        measure=measure,
        ready=density.engine.ready,
    )


def is_audited(look: Look, share: float) -> bool:
    """Whether the characters of a page are known, and the detector counts them all the same."""
    if look.known is None or look.known.doubt:
        return False
    drawn = zlib.crc32(look.known.characters.text.encode("utf-8", "surrogatepass"))
    return drawn < share * 2**32


def _number(
    name: str, meaning: str, title: str | None = None, *, label: bool = False, index: bool = False
) -> Column:
    return Column(
        name=name, type=pa.float32(), meaning=meaning, title=title, label=label, index=index
    )


SCORE = Score(
    name="text",
    columns=(
        _number("chars_est", "characters in all", "Characters", label=True),
        _number(
            "chars_per_mpx",
            "characters per million pixels",
            "Characters per million pixels",
            label=True,
            index=True,
        ),
        _number(
            "max_chars_per_256_tile",
            "characters in the fullest window of 256 x 256 px",
            "Characters in the fullest 256 px",
            label=True,
        ),
        _number(
            "glyph_px_p50",
            "em in px that half of the characters stay below",
            "Em of half the characters, px",
            label=True,
        ),
        _number("glyph_px_min", "em in px that 5 % of the characters stay below"),
        _number("text_area_share", "part of the picture under lines of text, 0 to 1"),
        Column(name="script", type=pa.string(), meaning="latin (any alphabet), han or mixed"),
        Column(
            name="text_stage",
            type=pa.string(),
            meaning="known (a page whose renderer tells), or how far the cascade went: screen,"
            " detect",
        ),
        _number(
            "chars_audit", "characters as the detector counts them, of a sample of known pages"
        ),
        Column(
            name="text_lines",
            type=pa.list_(LINE),
            meaning="the box of each line of text in px, and its characters",
            carried=False,
        ),
    ),
    prepare=_prepare,
    drops=(
        DropRule(
            slug="no_text",
            when=column("kind").differs(GENERAL) & column("chars_est").equals(0),
        ),
    ),
)
