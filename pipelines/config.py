"""The settings of a corpus build: one section per stage."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, field_validator, model_validator

from pipelines.estimates.settings import EstimateSettings
from pipelines.planning.phases import DEFAULT_PHASES, PhaseSettings
from pipelines.sources import AnySource
from pipelines.workers.tasks import EngineSettings
from vae_corpus.settings import Settings
from vae_corpus.words import BAND_KEYS, KINDS, LANGUAGES, RUNGS, SIZE_BANDS, TEXT_SYNTH, band_key


class OcrSettings(Settings):
    """The OCR engine whose detector measures text density."""

    engine: Literal["rapidocr", "paddleocr"] = Field(
        "rapidocr", description="paddleocr runs in an environment of its own on every node"
    )
    models: str | None = Field(
        None,
        description="folder that `python -m filters.ocr.export_models` wrote, on every node;"
        " none: the models of the rapidocr wheel",
    )
    python: str | None = Field(
        None,
        description="interpreter that has PaddleOCR, on every node; none: the variable"
        " VAE_CORPUS_PADDLE_PYTHON",
    )
    device: Literal["cpu", "cuda"] = Field(
        "cpu", description="cuda: rapidocr's models run on a GPU; see engine.gpus_per_worker"
    )

    @field_validator("models", "python")
    @classmethod
    def _place(cls, path: str | None) -> str | None:
        """Absolute, because workers have other working folders; the name of a program stays one."""
        if path is None or os.sep not in path:
            return path
        return os.path.abspath(os.path.expanduser(path))

    @model_validator(mode="after")
    def _fits(self) -> OcrSettings:
        if self.engine == "rapidocr" and self.python is not None:
            raise ValueError(
                "python is for paddleocr; rapidocr runs in the interpreter of the build"
            )
        if self.engine == "paddleocr" and self.models is None:
            raise ValueError(
                "paddleocr needs models, a folder that every node has; make it with:"
                " python -m filters.ocr.export_models --out DIR"
            )
        if self.engine == "paddleocr" and self.device != "cpu":
            raise ValueError("paddleocr runs on the CPU; device cuda is for rapidocr")
        return self


class ScoreSettings(Settings):
    """What is measured. A change scores everything anew (into a folder of its own)."""

    ocr: OcrSettings = Field(OcrSettings(), description="the OCR engine")
    text: bool = Field(True, description="measure text density with OCR (needs the ocr extra)")
    max_pixels: int = Field(200_000_000, ge=1, description="larger images are rejected unread")
    max_side_px: int = Field(65_500, ge=1, description="longer sides are rejected unread")


class PlanSettings(Settings):
    """Which images are kept, as which kind, at which rung. A change decodes nothing."""

    min_clarity: float = Field(
        0.45,
        ge=0,
        le=1,
        description="drop general images below this clarity (0 keeps all); 0.45 drops some 5 % of"
        " pristine pictures and over 90 % of damaged ones, 0.2 some 1 % and over 75 %",
    )
    min_clarity_text: float = Field(
        0.2, ge=0, le=1, description="the same for text: sharp small print is what counts there"
    )
    min_side_px: int = Field(256, ge=256, description="drop images with a shorter side below this")
    max_aspect: float = Field(3.0, ge=1, description="drop images more elongated than this")
    min_text_chars_per_mpx: float = Field(
        600, ge=0, description="from this density on an image is text_real, not general"
    )
    min_tile_chars_per_256: float = Field(
        20, ge=0, description="text is cut into tiles; those with fewer characters are left out"
    )
    min_ink_levels: int = Field(
        8,
        ge=0,
        le=255,
        description="pages and tiles of text are blank, and dropped, where no 32 px cell inside"
        " has pixels that differ by so many levels of 255 (0 keeps all); print differs by 100",
    )
    top_chars_per_256: float = Field(
        200,
        ge=0,
        description="tiles with at least so many characters have density top, others rest",
    )
    max_tiles_per_image: int = Field(32, ge=1, description="at most this many tiles of one image")
    duplicate_bits: int = Field(
        4, ge=0, le=7, description="near duplicates differ in at most this many of 64 hash bits"
    )
    duplicate_fine_bits: int = Field(
        24, ge=0, le=256, description="and in at most this many of the 256 bits of the fine hash"
    )
    duplicate_text_runs: int = Field(
        4,
        ge=0,
        le=1024,
        description="pages of text also in at most this many runs of 5 characters, where the text"
        " of both is known; one other character makes up to ten",
    )
    duplicate_layout_levels: int = Field(
        6,
        ge=0,
        le=255,
        description="else their layouts in no place by more than this beyond what they differ all"
        " over; 6 tells most pages of a template apart by one name and one sum, in the small print"
        " of a dense table four in five",
    )
    rung_weights: dict[int, float] = Field(
        {256: 0.5, 512: 0.3, 1024: 0.2},
        description="share of images per rung among those that an image can serve",
    )
    quotas: dict[str, int] = Field(
        {}, description="at most this many images per kind, best first, e.g. {general: 1000000}"
    )

    @field_validator("rung_weights")
    @classmethod
    def _rungs(cls, weights: dict[int, float]) -> dict[int, float]:
        if not weights or any(r not in RUNGS or w < 0 for r, w in weights.items()):
            raise ValueError(f"rung_weights maps some of {list(RUNGS)} to weights >= 0")
        kept = {rung: weight for rung, weight in weights.items() if weight}
        if not kept:
            raise ValueError("rung_weights must not all be 0")
        return kept

    @field_validator("quotas")
    @classmethod
    def _kinds(cls, quotas: dict[str, int]) -> dict[str, int]:
        kinds = [kind for kind in KINDS if kind != TEXT_SYNTH]
        if unknown := set(quotas) - set(kinds):
            raise ValueError(
                f"quotas are for {kinds}; got {sorted(unknown)} (synthetic text: synth.samples)"
            )
        if any(count < 0 for count in quotas.values()):
            raise ValueError("quotas are counts of images, 0 or more")
        return quotas


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


class ExtrasSettings(Settings):
    """What synthetic pages have beyond flat, sharp text; all off by default. Boxes follow."""

    tilt_degrees: float = Field(
        0, ge=0, le=45, description="turn each page by up to so much to either side"
    )
    perspective: float = Field(
        0, ge=0, le=0.5, description="pull corners in by up to half of this share of a side"
    )
    shadow: float = Field(0, ge=0, le=1, description="share of pages with shadows under letters")
    outline: float = Field(0, ge=0, le=1, description="share of pages with outlined letters")
    camera: float = Field(
        0, ge=0, le=1, description="share of pages shrunk, blurred, noisy or compressed at the end"
    )
    large_headings: float = Field(
        0,
        ge=0,
        le=1,
        description="share of pages with titles of up to twice the body size",
    )


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
    extras: ExtrasSettings = Field(ExtrasSettings(), description="tilt, shadows and the like")
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

    @field_validator("out")
    @classmethod
    def _place(cls, out: str) -> str:
        """Absolute, so that workers with other working folders write to the same place."""
        if not out.strip():
            raise ValueError("a corpus needs a place: a folder or URL")
        local = out.removeprefix("file://")
        return local if "://" in local else os.path.abspath(os.path.expanduser(local))

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
