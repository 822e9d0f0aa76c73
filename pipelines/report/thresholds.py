"""The scores that the page draws: each as a histogram by kind, some with a threshold to drag."""

from __future__ import annotations

from typing import Any

from filters.scores import COLUMNS
from pipelines.planning import rules
from pipelines.planning.settings import PlanSettings
from vae_corpus.score_types import DropRule, Threshold
from vae_corpus.tables import PICTURE_COLUMNS

_CUT = {threshold.column for threshold in rules.THRESHOLDS}
# (column, title).
_DRAWN = [(c.name, c.title) for c in (*COLUMNS, *PICTURE_COLUMNS) if c.title]
# Those that no setting cuts.
_OTHERS = [(name, title) for name, title in _DRAWN if name not in _CUT]


def to_json(s: PlanSettings) -> dict[str, Any]:
    """Rules, thresholds and the values of this plan, as the page reads them."""
    return {
        **rules.to_json(),
        "settings": rules.values(s),
        "thresholds": [
            {
                **vars(t),
                "slugs": [rule.slug for rule in rules.RULES if _may_change(rule, t)],
            }
            for t in rules.THRESHOLDS
        ],
        "others": _OTHERS,
        "scores": _DRAWN,
    }


def _may_change(rule: DropRule, t: Threshold) -> bool:
    """Whether the outcome of a rule may change with the threshold."""
    if t.keeps == "both":
        return "kind" in rule.when.columns()
    return t.setting in rule.when.settings()
