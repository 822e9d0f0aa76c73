"""The scores that the page draws: each as a histogram by kind, some with a threshold to drag."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.config import PlanSettings
from pipelines.planning import rules
from vae_corpus.words import DOCUMENT, GENERAL, TEXT_REAL

_ALL = (GENERAL, TEXT_REAL, DOCUMENT)
_TEXT = (TEXT_REAL, DOCUMENT)


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A setting of the plan that cuts a column of the sample.

    `keeps` says which side of the cut stays ("both": it decides the kind); `decides` are the kinds
    that it is asked of; `scale` is that of the axis, from `low` to `high`.
    """

    setting: str
    title: str
    column: str
    decides: tuple[str, ...]
    low: float
    high: float
    step: float
    scale: str = "linear"
    keeps: str = "above"


THRESHOLDS = (
    Threshold(
        setting="min_clarity",
        title="Clarity of general images",
        column="clarity",
        decides=(GENERAL,),
        low=0,
        high=1,
        step=0.01,
    ),
    Threshold(
        setting="min_clarity_text",
        title="Clarity of text",
        column="clarity",
        decides=_TEXT,
        low=0,
        high=1,
        step=0.01,
    ),
    Threshold(
        setting="min_text_chars_per_mpx",
        title="Text density",
        column="chars_per_mpx",
        decides=(GENERAL, TEXT_REAL),
        low=0,
        high=30_000,
        step=10,
        scale="log",
        keeps="both",
    ),
    Threshold(
        setting="min_side_px",
        title="Shorter side",
        column="side",
        decides=_ALL,
        low=32,
        high=4096,
        step=1,
        scale="log",
    ),
    Threshold(
        setting="max_aspect",
        title="Aspect ratio",
        column="aspect",
        decides=_ALL,
        low=1,
        high=6,
        step=0.05,
        keeps="below",
    ),
    Threshold(
        setting="min_ink_levels",
        title="Ink of text",
        column="ink_max",
        decides=_TEXT,
        low=0,
        high=255,
        step=1,
    ),
)

# Scores that no setting cuts: (column, title).
OTHERS = (
    ("blur", "Blur"),
    ("compression", "Compression"),
    ("noise", "Noise"),
    ("jpeg_quality", "JPEG quality"),
    ("luma_mean", "Mean brightness"),
    ("glyph_px_p50", "Em of half the characters, px"),
    ("max_chars_per_256_tile", "Characters in the fullest 256 px"),
)


def to_json(s: PlanSettings) -> dict[str, Any]:
    """Rules, thresholds and the values of this plan, as the page reads them."""
    about = PlanSettings.model_fields
    return {
        **rules.to_json(),
        "settings": rules.values(s),
        "thresholds": [
            {
                **vars(t),
                **_limits(t.setting),
                "about": about[t.setting].description,
                "slugs": [rule.slug for rule in rules.RULES if _may_change(rule, t)],
            }
            for t in THRESHOLDS
        ],
        "others": OTHERS,
    }


def _limits(setting: str) -> dict[str, float | None]:
    """`least` and `most` that the build takes; None where there is no limit."""
    limits = PlanSettings.model_fields[setting].metadata
    return {
        "least": next((limit.ge for limit in limits if hasattr(limit, "ge")), 0),
        "most": next((limit.le for limit in limits if hasattr(limit, "le")), None),
    }


def _may_change(rule: rules.Rule, t: Threshold) -> bool:
    """Whether the outcome of a rule may change with the threshold."""
    if t.keeps == "both":
        return "kind" in rule.when.columns()
    return t.setting in rule.when.settings()
