"""How large a sample an estimate may take, and where its report goes."""

from __future__ import annotations

from pydantic import Field

from vae_corpus.settings import Settings


class EstimateSettings(Settings):
    """The sample of `--estimate`; none of these changes a corpus."""

    images: int = Field(200, ge=10, description="images to draw")
    seconds: float = Field(60, gt=0, description="stop scoring, packing and rendering after this")
    report: str = Field("estimate.json", description="file or URL of the report")
