"""What the plan decides about one image by its scores alone: its kind, and why it is dropped.

Each rule is declared once, beside its score or here where it is about the size. The plan runs the
rules as SQL, and the report's page runs them in the browser on its sample, so that a threshold that
is dragged there decides as the plan would. What depends on other images (duplicates, quotas, tiles,
rungs) is no rule.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from filters.scores import COLUMNS as SCORE_COLUMNS
from filters.scores import SCORES
from vae_corpus.expressions import Number, case, column, setting
from vae_corpus.score_types import DropRule, Threshold
from vae_corpus.words import DOCUMENT, GENERAL, TEXT_REAL

if TYPE_CHECKING:  # the settings are made of what is declared here
    from pipelines.planning.settings import PlanSettings

# Columns that the plan computes from those of the score table.
DERIVED = {
    "side": "least(width, height)",
    "long_side": "greatest(width, height)",
    **{column.name: column.sql for column in SCORE_COLUMNS if column.sql},
}

KIND = case(
    (column("content").equals("document"), DOCUMENT),
    (column("max_chars_per_256_tile") >= setting("min_text_chars_per_256"), TEXT_REAL),
    otherwise=GENERAL,
)
_KINDS = (GENERAL, TEXT_REAL, DOCUMENT)

THRESHOLDS: tuple[Threshold, ...] = (
    Threshold(
        setting="min_side_px",
        default=256,
        least=256,
        about="drop images with a shorter side below this",
        column="side",
        title="Shorter side",
        kinds=_KINDS,
        low=32,
        high=4096,
        step=1,
        scale="log",
    ),
    Threshold(
        setting="max_aspect",
        default=3.0,
        least=1,
        about="drop images more elongated than this",
        column="aspect",
        title="Aspect ratio",
        kinds=_KINDS,
        low=1,
        high=6,
        step=0.05,
        keeps="below",
    ),
    Threshold(
        setting="min_text_chars_per_256",
        default=40.0,
        about="from so many characters in its fullest 256 px on an image is text_real, not general",
        column="max_chars_per_256_tile",
        title="Characters in the fullest 256 px",
        kinds=(GENERAL, TEXT_REAL),
        high=2000,
        step=1,
        scale="log",
        keeps="both",
    ),
    *(threshold for score in SCORES for threshold in score.thresholds),
)
# The first that holds gives the slug.
RULES: tuple[DropRule, ...] = (
    DropRule(
        slug="too_small",
        when=(column("side") < setting("min_side_px")) | (column("side") < setting("min_rung")),
    ),
    DropRule(
        slug="too_elongated", when=column("long_side") > column("side") * setting("max_aspect")
    ),
    *(rule for score in SCORES for rule in score.drops),
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


def deciding(rule: DropRule) -> tuple[str, ...]:
    """The settings that a rule reads, as flags name them."""
    named = ("rung_weights" if n == "min_rung" else n for n in rule.when.settings())
    return tuple(f"plan.{name}" for name in named)


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
