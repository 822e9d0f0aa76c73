"""The settings of scoring: which pictures are decoded, and the OCR engine."""

from __future__ import annotations

import os
from typing import Literal

from pydantic import Field, field_validator, model_validator

from vae_corpus.pictures.decode import Limits
from vae_corpus.settings import Settings

_LIMITS = Limits()


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
    audit_share: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of pages with known characters that the detector counts as well, to see"
        " whether both agree",
    )
    max_pixels: int = Field(
        _LIMITS.max_pixels, ge=1, description="larger images are rejected unread"
    )
    max_side_px: int = Field(
        _LIMITS.max_side_px, ge=1, description="longer sides are rejected unread"
    )

    @property
    def limits(self) -> Limits:
        """What the door decodes."""
        return Limits(max_pixels=self.max_pixels, max_side_px=self.max_side_px)
