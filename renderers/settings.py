"""What the command takes to render pages of synthetic text."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

from pydantic import Field, field_validator

from renderers.batch import Job
from renderers.effects.extras import Extras
from renderers.layout import LAYOUTS
from renderers.recipe import band_limits
from vae_corpus.demo import demo_inputs
from vae_corpus.settings import Settings
from vae_corpus.words import SIZE_BANDS


class PageSettings(Settings):
    """What to render, out of what, and where to."""

    lang: Literal["en", "zh", "mixed"] = Field("mixed", description="language")
    size: str = Field("5-20", description="em in px of all text, LOW-HIGH")
    count: int = Field(16, ge=1, description="pages")
    canvas: int = Field(512, ge=1, description="side of a page in px")
    backgrounds: tuple[Path, ...] = Field(
        (), description="pictures, folders, tars; none: those of the demo"
    )
    texts: tuple[Path, ...] = Field(
        (), description="txt, jsonl, Parquet, man pages; also .gz; none: those of the demo"
    )
    fonts: tuple[Path, ...] = Field(
        (), description="font folders or files; none: those of the demo"
    )
    layout: tuple[str, ...] = Field(
        (), description=f"kinds of page; none: all that suit. {', '.join(LAYOUTS)}"
    )
    seed: int = Field(0, description="same seed, same files")
    out: Path = Field(Path("synth_text"), description="folder, or FILE.tar for a WebDataset tar")
    format: Literal["png", "webp", "jpg"] = Field("png", description="png and webp are lossless")
    workers: int = Field(1, ge=1, description="processes")
    preview: bool = Field(False, description="also write preview.png, with the boxes drawn")
    replay: Path | None = Field(None, description="JSON label: draw its page again")

    @field_validator("size")
    @classmethod
    def _range(cls, size: str) -> str:
        band_limits(size)
        return size

    @field_validator("layout")
    @classmethod
    def _known(cls, layout: tuple[str, ...]) -> tuple[str, ...]:
        for name in layout:
            if name not in LAYOUTS:
                raise ValueError(f"there is no layout {name}; layouts are {', '.join(LAYOUTS)}")
        return layout


class SynthTextSettings(Extras, PageSettings):
    """All that the command takes: the pages, then their extras."""

    def extras(self) -> Extras:
        """The fields that are extras of the pages."""
        return Extras(**{name: getattr(self, name) for name in Extras.model_fields})

    def job(self) -> Job:
        """The pages to make; what is not given comes from the demo."""
        languages = ("en", "zh") if self.lang == "mixed" else (self.lang,)
        backgrounds, texts, fonts = (
            self.backgrounds,
            dict.fromkeys(languages, self.texts),
            self.fonts,
        )
        if not (backgrounds and self.texts and fonts):
            demo = demo_inputs()
            for sentence in demo.missing:
                print(f"missing: {sentence}", file=sys.stderr)
            backgrounds = backgrounds or demo.photos
            texts = {name: self.texts or demo.texts[name] for name in languages}
            fonts = fonts or demo.fonts
        return Job(
            language=self.lang,
            bands=tuple(_bands(self.size)),
            layouts=self.layout,
            canvas=self.canvas,
            count=self.count,
            seed=self.seed,
            ext=self.format,
            backgrounds=tuple(backgrounds),
            fonts=tuple(fonts),
            texts=tuple((name, tuple(paths)) for name, paths in texts.items()),
            extras=self.extras(),
        )


def _bands(size: str) -> list[str]:
    # A range that spans standard bands is split at their edges, so that each has its share.
    low, high = band_limits(size)
    parts = ((max(low, a), min(high, b)) for a, b in map(band_limits, SIZE_BANDS))
    split = [f"{a}-{b}" for a, b in parts if a <= b]
    return split if low >= 5 and high <= 20 else [size]
