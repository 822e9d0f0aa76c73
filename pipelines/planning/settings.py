"""The settings of the plan: the thresholds that scores declare, and what is about the corpus."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import Field, create_model, field_validator

from pipelines.planning.rules import THRESHOLDS
from vae_corpus.settings import Settings
from vae_corpus.words import KINDS, RUNGS, TEXT_SYNTH

_fields: Any = {t.setting: t.field() for t in THRESHOLDS}
_Thresholds: Any = create_model("_Thresholds", __base__=Settings, **_fields)


class PlanSettings(_Thresholds):
    """Which images are kept, as which kind, at which rung. A change decodes nothing."""

    if TYPE_CHECKING:  # the declared thresholds are fields as well

        def __getattr__(self, name: str) -> Any: ...

    min_tile_chars_per_256: float = Field(
        20, ge=0, description="text is cut into tiles; those with fewer characters are left out"
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
    duplicate_text_share: float = Field(
        0.9,
        gt=0,
        le=1,
        description="pages of any layout are near duplicates where both say the same, by"
        " this share of runs of 5 characters (3 of Han), as far as renderers tell what they say",
    )
    duplicate_tile_share: float = Field(
        0.97,
        gt=0,
        le=1,
        description="tiles of different pages are near duplicates where both say the same by this"
        " share; one other name in a small tile makes it less",
    )
    figure_share: float = Field(
        0.15,
        ge=0,
        le=0.9,
        description="share of a page's tiles that show figures, tables or formulas, if it has any",
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
        {256: 0.5, 512: 0.3, 1024: 0.2, 2048: 0.1},
        description="weights of the rungs, among those that an image can serve",
    )
    quotas: dict[str, int] = Field(
        {}, description="at most this many images per kind, best first, e.g. {general: 1000000}"
    )

    partitions: int | None = Field(
        None,
        ge=1,
        description="tasks of each pass of the plan; none: one for some 10^6 images. Changes no"
        " decision",
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


if _shadowed := set(_fields) & set(PlanSettings.__annotations__):
    raise ValueError(f"thresholds bear names of other settings: {sorted(_shadowed)}")
