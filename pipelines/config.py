"""The settings of a corpus build: one section per stage."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, field_validator, model_validator

from filters.settings import ScoreSettings
from pipelines.estimates.settings import EstimateSettings
from pipelines.planning.phases import DEFAULT_PHASES, PhaseSettings
from pipelines.planning.settings import PlanSettings
from pipelines.sources import AnySource, Source
from pipelines.workers.tasks import EngineSettings
from renderers.effects.extras import Extras
from vae_corpus.redact import refuse_credentials
from vae_corpus.settings import Settings
from vae_corpus.words import BAND_KEYS, LANGUAGES, RUNGS, SIZE_BANDS, band_key


class PackSettings(Settings):
    """How samples are laid into tars."""

    shard_bytes: int = Field(
        256 * 1024**2, ge=1, description="a shard is closed at about this size (estimated)"
    )
    shard_samples: int = Field(4096, ge=1, description="and at this many samples")
    text_format: Literal["png", "webp"] = Field(
        "png", description="lossless format of text tiles; webp is smaller and slower to write"
    )
    jpeg_quality: int = Field(
        96, ge=80, le=100, description="of general images that had to be made smaller (4:4:4)"
    )
    neighbourhood_units: int = Field(
        64,
        ge=1,
        description="units that are packed together at most; decides when units are first listed",
    )
    lane: str = Field(
        "corpus",
        pattern=r"^[A-Za-z0-9_-]{1,40}$",
        description="first part of every shard's file name",
    )


_PARTS = {"en": ("en",), "zh": ("zh",), "mixed": ("en", "zh")}


def _weights(name: str, weights: dict[str, float], known: tuple[str, ...]) -> dict[str, float]:
    if unknown := set(weights) - set(known):
        raise ValueError(f"{name} are {list(known)}; got {sorted(unknown)}")
    kept = {key: weight for key, weight in weights.items() if weight > 0}
    if not kept or any(weight < 0 for weight in weights.values()):
        raise ValueError(f"{name} needs weights of 0 or more, at least one above 0")
    return kept


class SynthSettings(Settings):
    """Synthetic text on backgrounds sampled from the kept general images."""

    samples: dict[int, int] = Field(
        {512: 1000, 1024: 500}, description="images to render, per rung"
    )
    languages: dict[str, float] = Field(
        {"en": 1.0, "zh": 1.0, "mixed": 0.5}, description="weights of the languages"
    )
    size_bands: dict[str, float] = Field(
        {"5-7": 1.0, "8-10": 1.0, "11-14": 1.0, "15-20": 1.0},
        description="weights of the em sizes in px; one for a language, as `zh 5-7`, goes before",
    )
    texts: dict[str, tuple[str, ...]] = Field(
        {}, description="text files or folders per language, e.g. {en: [a.txt], zh: [b.jsonl]}"
    )
    fonts: tuple[str, ...] = Field((), description="folders with font files")
    format: Literal["png", "webp", "jpg"] = Field("png", description="png and webp are lossless")
    extras: Extras = Field(Extras(), description="tilt, shadows and the like")
    backgrounds: int = Field(
        64, ge=1, description="distinct backgrounds in one shard, drawn among the general images"
    )

    @field_validator("samples")
    @classmethod
    def _rungs(cls, samples: dict[int, int]) -> dict[int, int]:
        if any(rung not in RUNGS or n < 0 for rung, n in samples.items()):
            raise ValueError(f"samples maps some of {list(RUNGS)} to counts >= 0")
        return samples

    @field_validator("languages")
    @classmethod
    def _languages(cls, weights: dict[str, float]) -> dict[str, float]:
        return _weights("languages", weights, LANGUAGES)

    @field_validator("size_bands")
    @classmethod
    def _size_bands(cls, weights: dict[str, float]) -> dict[str, float]:
        # A zero for one language says something where the others have a weight.
        return weights | _weights("size_bands", weights, BAND_KEYS)

    @model_validator(mode="after")
    def _a_band_for_each_language(self) -> SynthSettings:
        for name in self.languages:
            keys = (band_key(self.size_bands, name, band) for band in SIZE_BANDS)
            if not any(self.size_bands.get(key, 0.0) for key in keys):
                raise ValueError(f"size_bands needs a weight above 0 for {name}")
        return self

    @model_validator(mode="after")
    def _texts_for_languages(self) -> SynthSettings:
        # Found here, not after hours of scoring.
        needed = {part for name in self.languages for part in _PARTS[name]}
        if self.texts and any(self.samples.values()) and needed - set(self.texts):
            lost = ", ".join(sorted(needed - set(self.texts)))
            raise ValueError(
                f"languages {list(self.languages)} need texts in {lost}: add them to texts, or"
                " give the languages weights without them, e.g. languages: {en: 1}"
            )
        if self.texts and any(self.samples.values()) and not self.fonts:
            raise ValueError("fonts names no folder; for example fonts: [/usr/share/fonts]")
        return self


class CorpusConfig(Settings):
    """A corpus build. With no sources given it builds the demo corpus from Debian packages."""

    out: str = Field("corpus", validate_default=True, description="folder or URL of the corpus")
    seed: int = Field(0, ge=0, description="decides every random draw")
    sources: tuple[AnySource, ...] = Field(
        (), description="list of sources, in the YAML file; none: the demo inputs"
    )
    score: ScoreSettings = Field(ScoreSettings(), description="what is measured on each image")
    plan: PlanSettings = Field(PlanSettings(), description="which images are kept, and as what")
    pack: PackSettings = Field(PackSettings(), description="how samples are laid into tars")
    synth: SynthSettings = Field(SynthSettings(), description="synthetic text")
    phases: tuple[PhaseSettings, ...] = Field(
        DEFAULT_PHASES, min_length=1, description="steps of the curriculum, in the YAML file"
    )
    engine: EngineSettings = Field(EngineSettings(), description="how tasks run on Ray")
    wandb: str | None = Field(
        None, description="project in Weights & Biases that shows the build while it runs"
    )
    estimate: EstimateSettings = Field(
        EstimateSettings(), description="the sample of --estimate, which changes no corpus"
    )

    def sources_by_name(self) -> dict[str, Source]:
        """The sources, with the limits of scoring and the seed."""
        limits = self.score.limits
        return {source.name: source.for_build(limits, self.seed) for source in self.sources}

    @field_validator("out")
    @classmethod
    def _place(cls, out: str) -> str:
        """Absolute, so that workers with other working folders write to the same place."""
        if not out.strip():
            raise ValueError("a corpus needs a place: a folder or URL")
        local = out.removeprefix("file://")
        return (
            refuse_credentials(local)
            if "://" in local
            else os.path.abspath(os.path.expanduser(local))
        )

    @model_validator(mode="after")
    def _gpus(self) -> CorpusConfig:
        on_ray = self.engine.workers != 0
        cuda = self.score.text and self.score.ocr.device == "cuda"
        if cuda and on_ray and not self.engine.gpus_per_worker:
            raise ValueError(
                "score.ocr.device is cuda, but workers get no GPU: set engine.gpus_per_worker,"
                " for example to 0.25 for four workers a GPU"
            )
        return self

    @model_validator(mode="after")
    def _unique_names(self) -> CorpusConfig:
        names = [source.name for source in self.sources]
        if len(set(names)) != len(names):
            raise ValueError(f"each source needs a name of its own; got {names}")
        return self
