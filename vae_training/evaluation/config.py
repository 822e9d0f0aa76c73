"""The settings of an evaluation, with their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from pydantic import Field, field_validator, model_validator

from vae_corpus.settings import Settings
from vae_training.baselines.catalogue import CATALOGUE
from vae_training.baselines.find import check_names
from vae_training.evaluation.comparison import SETS
from vae_training.model.adapters import ADAPTERS

Metric = Literal["psnr", "ssim", "lpips", "fid", "ned"]
METRICS: tuple[Metric, ...] = ("psnr", "ssim", "lpips", "fid", "ned")
# Names of baselines are written out: the baselines themselves import torch, which takes seconds.
BASELINE_NAMES = (
    *("identity", "jpeg-q10", "blur-2x", "blur-4x"),
    *("skip-f16c64", "skip-f16c128", "skip-f32c128", "skip-f32c192"),
)


class EvaluateSettings(Settings):
    """Measure how well autoencoders give pictures back."""

    reference: str = Field("", description="folder of originals of ready pairs")
    reconstruction: str = Field(
        "", description="folder of their reconstructions, of the same names; suffixes may differ"
    )
    model: tuple[str, ...] = Field(
        (),
        description=f"run folders, folders as diffusers saved them ({', '.join(ADAPTERS)}), or"
        f" {', '.join(BASELINE_NAMES)}; NAME=FOLDER gives a name",
    )
    baselines: tuple[str, ...] = Field(
        (),
        description="baselines without weights, and models of others in --baseline_folder:"
        f" {', '.join(CATALOGUE)}",
    )
    baseline_folder: str = Field(
        "", description="folder with a folder for each of them, called as it is, as downloaded"
    )
    photos: str = Field(
        "",
        description="folder of pictures, or a corpus (its held-out general samples), that are"
        " resized and cropped",
    )
    text: str = Field(
        "",
        description="folder of pictures with text at their own sizes, or a corpus (its held-out"
        " text and documents), for NED; what labels know of them gives curves",
    )
    held_out: int = Field(
        8,
        ge=1,
        description="samples of each kind of a corpus; those of a run's --validation_samples are"
        " never trained on",
    )
    size: int | None = Field(
        256,
        ge=1,
        description="photos: shorter side after resizing, and side of the square cut from the"
        " centre; none: as they are",
    )
    text_crop: int | None = Field(
        None, ge=16, description="text: side of the square cut from the centre; none: whole"
    )
    lines: int = Field(
        24, ge=0, description="labelled lines per picture that are measured by themselves"
    )
    mode: Literal["mode", "sample"] = Field(
        "mode", description="latents are the mode of the posterior, or a sample of it"
    )
    seed: int = Field(0, ge=0, description="of samples and of bootstrap intervals")
    dtype: Literal["fp32", "bf16"] = Field(
        "fp32", description="of the model's products; its weights stay float32"
    )
    batch: int = Field(8, ge=1, description="pictures at once through a model")
    tiling: bool = Field(
        False, description="large pictures in tiles that overlap, for models that can"
    )
    metrics: tuple[Metric, ...] = Field(METRICS, description="what to measure")
    lpips_weights: str = Field("", description="VGG-16 weights file, for lpips")
    fid_weights: str = Field("", description="weights file of pytorch-fid's InceptionV3, for fid")
    ocr: Literal["rapidocr", "paddleocr"] = Field("rapidocr", description="engine, for ned")
    ocr_models: str | None = Field(
        None, description="folder of its models (default: those of rapidocr's wheel)"
    )
    ocr_device: Literal["cpu", "cuda"] = Field("cpu", description="where it runs: cpu or cuda")
    ocr_workers: int = Field(1, ge=1, description="pictures read at once, each on a thread")
    cache: str = Field(
        "", description="file of what was read in pictures (default: OUT/texts.jsonl)"
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="auto, cpu or cuda")
    threads: int = Field(0, ge=0, description="threads of torch on the CPU; 0: its own choice")
    out: str = Field("evaluation", description="folder of results; a rerun goes on there")
    table: bool = Field(
        False,
        description="print the report's Tables 2 and 3 beside what --out holds, measured now or"
        " before",
    )
    published_set: tuple[str, ...] = Field(
        (),
        description="for --table, which sets are the report's, e.g. photos=imagenet"
        f" text=omnidoc-tokenbench; one of {', '.join(SETS)}",
    )

    speed: bool = Field(
        False,
        description="measure images/s, memory and FLOPs of --model and --baselines; pictures are"
        " random, so it needs none",
    )
    speed_sizes: tuple[int, ...] = Field(
        (256, 512, 1024, 2048, 4096), description="sides of square images, in px"
    )
    speed_batch: int = Field(8, ge=1, description="images at once, besides one alone")
    speed_repeats: int = Field(5, ge=1, description="timed runs, of which the median counts")
    speed_limit_s: float = Field(
        300, gt=0, description="time of a model at a size and batch; longer ones are ended"
    )
    speed_compile: bool = Field(False, description="compile encoder and decoder")
    speed_tiling: bool = Field(False, description="in the tiles of a class, where it has any")

    @field_validator("metrics", "baselines", mode="before")
    @classmethod
    def _commas(cls, given: Any) -> Any:
        """`psnr,ssim` is what people write, beside `psnr ssim`."""
        words = [given] if isinstance(given, str) else given
        if not isinstance(words, list | tuple) or not all(isinstance(w, str) for w in words):
            return given
        named = [part.strip() for word in words for part in word.split(",") if part.strip()]
        return tuple(dict.fromkeys(named))

    @field_validator("metrics")
    @classmethod
    def _some(cls, metrics: tuple[Metric, ...]) -> tuple[Metric, ...]:
        if not metrics:
            raise ValueError(f"name one or more of {', '.join(METRICS)}")
        return metrics

    @field_validator("baselines")
    @classmethod
    def _known(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_names(names, BASELINE_NAMES)
        return names

    @field_validator("speed_sizes")
    @classmethod
    def _sides(cls, sizes: tuple[int, ...]) -> tuple[int, ...]:
        if not sizes or min(sizes) < 1:
            raise ValueError(f"sides of at least 1 px, got {list(sizes)}")
        return sizes

    @field_validator("published_set")
    @classmethod
    def _pairs(cls, words: tuple[str, ...]) -> tuple[str, ...]:
        for word in words:
            if word.partition("=")[2] not in SETS:
                raise ValueError(f"got {word}: write SET=NAME, with NAME of {', '.join(SETS)}")
        return words

    @model_validator(mode="after")
    def _fit_together(self) -> EvaluateSettings:
        if bool(self.reference) != bool(self.reconstruction):
            raise ValueError("--reference and --reconstruction go together: give both folders")
        weights = [name for name in self.baselines if name in CATALOGUE]
        if weights and not self.baseline_folder:
            raise ValueError(
                f"--baselines {', '.join(weights)}: give --baseline_folder DIR, where"
                f" DIR/{weights[0]} holds it; nothing is downloaded here"
            )
        anything = self.model or self.baselines
        if self.speed and not anything:
            raise ValueError("--speed needs models: give --model or --baselines")
        if (self.photos or self.text) and not anything:
            raise ValueError(
                "--photos and --text need something to reconstruct them: give --model, a folder"
                f" or one of {', '.join(BASELINE_NAMES)}"
            )
        if not self.reference and not anything and not self.table:
            raise ValueError(
                "nothing to measure: give --model with --photos or --text, or --reference and"
                " --reconstruction; --table alone shows what was measured before"
            )
        if anything and not (self.photos or self.text or self.speed):
            raise ValueError("--model needs pictures: give --photos DIR or --text DIR")
        for name in ("reference", "reconstruction", "photos", "text"):
            folder = getattr(self, name)
            remote = name in ("photos", "text") and "://" in folder  # a corpus
            if folder and not remote and not Path(folder).is_dir():
                raise ValueError(f"--{name}: there is no folder {folder}")
        return self
