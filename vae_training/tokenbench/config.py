"""The settings of a set of text crops, with their defaults."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field, model_validator

from vae_corpus.settings import Settings


class TokenbenchSettings(Settings):
    """Make a set of text crops, of OmniDocBench or of PDFs."""

    omnidocbench: Path | None = Field(
        None, description="folder of OmniDocBench: OmniDocBench.json and images/"
    )
    documents: Path | None = Field(
        None, description="folder of PDFs with a text layer; a folder in it names their kind"
    )
    out: Path = Field(description="folder of the set; it may hold none yet")
    pages: int = Field(100_000, ge=1, description="pages taken of a PDF, drawn by the seed")
    crops_per_page: int = Field(4, ge=1, description="crops taken of a page, drawn by the seed")
    seed: int = Field(0, ge=0, description="of the pages and crops that are taken")
    workers: int = Field(
        1, ge=1, description="processes that cut PDFs; the set is the same whatever their number"
    )
    ocr: Literal["rapidocr", "paddleocr"] = Field(
        "rapidocr", description="engine that reads the crops of OmniDocBench"
    )
    ocr_models: Path | None = Field(
        None, description="folder of its models, as filters.ocr.export_models writes it"
    )
    ocr_python: str | None = Field(None, description="interpreter that has PaddleOCR")

    @model_validator(mode="after")
    def _one_origin(self) -> TokenbenchSettings:
        if (self.omnidocbench is None) == (self.documents is None):
            raise ValueError("give either --omnidocbench DIR or --documents DIR")
        return self
