"""What the plan decides about one image by its scores alone: its kind, and why it is dropped.

Declared once. The plan runs these rules as SQL, and the report's page runs them in the browser on
its sample, so that a threshold that is dragged there decides as the plan would. What depends on
other images (duplicates, quotas, tiles, rungs) is no rule and stands in `plan`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipelines.config import PlanSettings
from vae_corpus.expressions import Expression, Number, case, column, setting
from vae_corpus.words import DOCUMENT, GENERAL, TEXT_REAL

# Columns that are computed from those of the score table.
DERIVED = {
    "side": "least(width, height)",
    "long_side": "greatest(width, height)",
    "ink_max": "list_max(ink_cells)",
}


@dataclass(frozen=True, kw_only=True)
class Rule:
    """An image is dropped as `slug` when `when` holds and no rule before this one does."""

    slug: str
    when: Expression


KIND = case(
    (column("content").equals("document"), DOCUMENT),
    (column("chars_per_mpx") >= setting("min_text_chars_per_mpx"), TEXT_REAL),
    otherwise=GENERAL,
)

_noise, _compression, _blur = column("noise"), column("compression"), column("blur")
_is_text = column("kind").differs(GENERAL)
_unclear = column("clarity") < case(
    (column("kind").equals(GENERAL), setting("min_clarity")),
    otherwise=setting("min_clarity_text"),
)

RULES = (
    Rule(
        slug="too_small",
        when=(column("side") < setting("min_side_px")) | (column("side") < setting("min_rung")),
    ),
    Rule(slug="too_elongated", when=column("long_side") > column("side") * setting("max_aspect")),
    Rule(slug="blank", when=_is_text & (column("ink_max") < setting("min_ink_levels"))),
    # An image that is not clear is named by the worst of its three faults.
    Rule(slug="noisy", when=_unclear & (_noise >= _blur) & (_noise >= _compression)),
    Rule(slug="compressed", when=_unclear & (_compression >= _blur)),
    Rule(slug="blurred", when=_unclear),
    Rule(slug="no_text", when=_is_text & (column("chars_est").equals(0))),
)

_read = [name for e in (KIND, *(rule.when for rule in RULES)) for name in e.columns()]
# What the rules read of a row, `kind` aside, which is decided first.
COLUMNS = tuple(name for name in dict.fromkeys(_read) if name != "kind")


def values(s: PlanSettings) -> dict[str, Number]:
    """The settings that the rules read, by name. `min_rung` is the smallest rung with a weight."""
    named = {name for e in (KIND, *(rule.when for rule in RULES)) for name in e.settings()}
    return {
        name: min(s.rung_weights) if name == "min_rung" else getattr(s, name)
        for name in sorted(named)
    }


def kind_sql(s: PlanSettings) -> str:
    """SQL for the kind of a scored row."""
    return KIND.sql(values(s), DERIVED)


def slug_sql(s: PlanSettings) -> str:
    """SQL for the first reason to drop a row that has its `kind`; NULL where there is none."""
    named = values(s)
    whens = " ".join(f"WHEN {r.when.sql(named, DERIVED)} THEN '{r.slug}'" for r in RULES)
    return f"CASE {whens} END"


def to_json() -> dict[str, Any]:
    """The rules as data: `{"kind": expression, "rules": [[slug, expression], ...]}`."""
    return {"kind": KIND.to_json(), "rules": [[r.slug, r.when.to_json()] for r in RULES]}
