"""What pages may have beyond flat, sharp text of the asked sizes. All off by default."""

from __future__ import annotations

from pydantic import Field

from renderers.effects.warp import MAX_PERSPECTIVE, MAX_TILT_DEGREES
from vae_corpus.settings import Settings


class Extras(Settings):
    """What synthetic pages have beyond flat, sharp text; all off by default. Boxes follow."""

    tilt_degrees: float = Field(
        0.0,
        ge=0,
        le=MAX_TILT_DEGREES,
        description="turn each page by up to so much to either side, as its letters leave room",
    )
    perspective: float = Field(
        0.0,
        ge=0,
        le=MAX_PERSPECTIVE,
        description="pull corners in by up to half of this share of a side",
    )
    shadow: float = Field(0.0, ge=0, le=1, description="share of pages with shadows under letters")
    outline: float = Field(0.0, ge=0, le=1, description="share of pages with outlined letters")
    camera: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of pages shrunk, blurred, noisy or compressed at the end",
    )
    large_headings: float = Field(
        0.0,
        ge=0,
        le=1,
        description="share of pages with titles of up to twice the body size",
    )

    @property
    def warps(self) -> bool:
        """Whether pages are rotated or seen in perspective."""
        return self.tilt_degrees > 0 or self.perspective > 0


NO_EXTRAS = Extras()
